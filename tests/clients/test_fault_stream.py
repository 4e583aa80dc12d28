"""A fault model over a real server: live as in batch, through breaks, and from files."""

import itertools
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from program import call, run
from running import RunningServer, running_server
from tiny_fault import CONTRACT, RATE_HZ, STEADY, vibration_of, write_fault_model

from wearcast.clients import Client, ClientSettings, Notice
from wearcast.clients.local import predict_local
from wearcast.clients.monitor import MonitorSettings
from wearcast.clients.vibration_replay import VibrationReplay
from wearcast.serving.models import open_model
from wearcast.signals.errors import FieldError, InputError, MismatchError
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block
from wearcast.signals.vibration.cut import cut_blocks
from wearcast.signals.vibration.vibration import Vibration

TURNS = ["normal"] * 6 + ["looseness"] * 6 + ["unbalance"] * 5 + ["normal"] * 8
PUMP = vibration_of(TURNS, loud=(13, 14))
QUICK = ClientSettings(monitor=MonitorSettings(first_wait_s=0.05, longest_wait_s=0.2))


@pytest.fixture(scope="module")
def fault_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models_dir = tmp_path_factory.mktemp("fault-models")
    write_fault_model(models_dir)
    return models_dir


@pytest.fixture(scope="module")
def fault_server(fault_models: Path) -> Iterator[RunningServer]:
    with running_server(fault_models) as server:
        yield server


def predict(address: str, blocks: Iterator[Block] | list[Block]) -> list[Estimate]:
    with Client(address) as client:
        return list(client.predict(blocks, model=CONTRACT.name))


def assert_same(estimates: list[Estimate], expected: list[Estimate]) -> None:
    """Runtimes may round otherwise in batches of another size."""
    assert len(estimates) == len(expected)
    for one, other in zip(estimates, expected, strict=True):
        first, second = one.fault_diagnosis, other.fault_diagnosis
        assert (one.sequence, one.window_end_us, one.quality, first.diagnosis) == (
            other.sequence, other.window_end_us, other.quality, second.diagnosis,
        )  # fmt: skip
        assert dict(first.probabilities) == pytest.approx(dict(second.probabilities), abs=1e-5)
        assert first.novelty == pytest.approx(second.novelty, rel=1e-5)


def test_a_stream_equals_a_batch_and_the_same_without_a_server(
    fault_server: RunningServer, fault_models: Path
) -> None:
    with Client(fault_server.address) as client:
        source = VibrationReplay(PUMP, CONTRACT, speed=0)
        events = list(client.monitor(source, asset="pump", model=CONTRACT.name))
    streamed = [event for event in events if isinstance(event, Estimate)]
    assert not [event for event in events if isinstance(event, Notice)]
    assert len(streamed) == 2 * len(TURNS) - 1
    assert_same(streamed, predict(fault_server.address, cut_blocks(PUMP, CONTRACT)))
    local = predict_local(open_model(fault_models, CONTRACT.name), cut_blocks(PUMP, CONTRACT))
    assert_same(streamed, list(local))
    told = [item.fault_diagnosis.diagnosis for item in streamed]
    turns = [name for name, _ in itertools.groupby(told)]
    # The loud tone is unknown.
    assert turns == ["normal", "looseness", "unbalance", "", "unbalance", "normal"]
    # A window alone says so before the diagnosis does.
    alone = [max(it.fault_diagnosis.probabilities, key=lambda pair: pair[1])[0] for it in streamed]
    first = alone.index("looseness")
    assert first < told.index("looseness") <= first + STEADY - 1


class Breaking(VibrationReplay):
    """A recording that can't be had again once it is released.

    Blocks from `held_from` on wait until that is raised: so no server is through before it dies.
    """

    def __init__(self) -> None:
        super().__init__(PUMP, CONTRACT, speed=0)
        self.held_from = 20
        self.released = 0
        self.asked: list[int] = []

    def blocks(self, from_sequence: int) -> Iterator[Block | None]:
        self.asked.append(from_sequence)
        for block in super().blocks(max(from_sequence, self.released)):
            while block is not None and block.sequence >= self.held_from:
                time.sleep(0.02)
                yield None
            yield block

    def release(self, before: int) -> None:
        self.released = max(self.released, before)


def test_a_server_killed_twice_loses_and_repeats_nothing(
    fault_models: Path, fault_server: RunningServer, tmp_path: Path, own_address: str
) -> None:
    """The diagnosis stands on answers from before the kill, which only the store still has."""
    store = tmp_path / "store.sqlite"
    source = Breaking()
    estimates = []
    with ExitStack() as stack:
        flags = ["--store", str(store)]
        server = stack.enter_context(running_server(fault_models, *flags, listen=own_address))
        client = stack.enter_context(Client(own_address, settings=QUICK))
        for event in client.monitor(source, asset="pump", model=CONTRACT.name):
            if not isinstance(event, Estimate):
                continue
            estimates.append(event)
            if event.sequence in {12, 26}:
                server.kill()
                server = stack.enter_context(
                    running_server(fault_models, *flags, listen=own_address)
                )
                source.held_from = 40 if event.sequence == 12 else 2 * len(TURNS)
        assert server.terminate() == 0
    assert len(source.asked) >= 3
    assert_same(estimates, predict(fault_server.address, cut_blocks(PUMP, CONTRACT)))
    with sqlite3.connect(store) as connection:
        rows = connection.execute(
            "SELECT sequence, diagnosis, unknown, fault, probability, novelty FROM fault_diagnoses"
        ).fetchall()
    connection.close()
    assert sorted(rows) == sorted(
        (
            item.sequence, item.fault_diagnosis.diagnosis, item.fault_diagnosis.unknown, fault,
            probability, item.fault_diagnosis.novelty,
        )
        for item in estimates
        for fault, probability in item.fault_diagnosis.probabilities
    )  # fmt: skip


def with_values(values: np.ndarray) -> list[Block]:
    return list(cut_blocks(replace(PUMP, values=values.astype(np.float32)), CONTRACT))


def test_clipped_and_constant_channels_are_flagged(fault_server: RunningServer) -> None:
    flags = {}
    for name, change in {
        "whole": lambda values: values,
        "clipped": lambda values: np.stack([np.clip(values[0], -0.3, 0.3), values[1]]),
        "constant": lambda values: np.stack([values[0], np.full_like(values[1], 0.25)]),
        "both": lambda values: np.stack([np.clip(values[0], -0.3, 0.3), np.zeros_like(values[1])]),
    }.items():
        blocks = with_values(change(vibration_of(["normal"] * 4).values))
        estimates = predict(fault_server.address, blocks)
        flags[name] = {estimate.quality for estimate in estimates}
    assert flags == {
        "whole": {()},
        "clipped": {("CLIPPED",)},
        "constant": {("CONSTANT",)},
        "both": {("CONSTANT", "CLIPPED")},
    }


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (Block(0, 0, RATE_HZ, np.zeros((1, 256), np.float32)), r"channels: expected 2 \(de, fe\)"),
        (Block(0, 0, RATE_HZ, np.zeros((2, 255), np.float32)), "expected 2 x 256 samples"),
        (Block(0, 0, 12_000.0, np.zeros((2, 256), np.float32)), "sample_rate_hz: expected 2560"),
        (Block(0, 0, RATE_HZ, np.full((2, 256), np.nan, np.float32)), "expected a finite number"),
    ],
    ids=["missing sensor", "length", "rate", "no number"],
)
def test_bad_blocks_are_refused(fault_server: RunningServer, block: Block, message: str) -> None:
    with pytest.raises(FieldError, match=message) as raised:
        predict(fault_server.address, [block])
    assert isinstance(raised.value, InputError | MismatchError)


def write_folder(folder: Path, *vibrations: Vibration) -> Path:
    """Labelled CSV files, as `wearcast.signals.vibration.labelled` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = []
    for vibration in vibrations:
        channels = ",".join(vibration.channels)
        np.savetxt(
            folder / f"{vibration.name}.csv", vibration.values.T, delimiter=",", header=channels,
            comments="", fmt="%.9g",
        )  # fmt: skip
        labels.append(f'[[labels]]\nfiles = "{vibration.name}.csv"\nfault = "{vibration.fault}"\n')
    entries = ", ".join(f'{{ name = "{name}", unit = "g" }}' for name in vibrations[0].channels)
    rate = f"sample_rate_hz = {vibrations[0].sample_rate_hz}\nchannels = [{entries}]\n"
    (folder / "wearcast.toml").write_text('files = "*.csv"\n' + rate + "\n".join(labels))
    return folder


@pytest.fixture(scope="module")
def pumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    steady = vibration_of(["unbalance"] * 6, name="fan")
    return write_folder(tmp_path_factory.mktemp("recordings") / "pumps", PUMP, steady)


def test_recordings_are_scored_and_streamed_alike(
    pumps: Path, fault_server: RunningServer, fault_models: Path, tmp_path: Path
) -> None:
    server = ["--server", fault_server.address]
    model = ["--model", CONTRACT.name]
    done = call("predict", pumps, *model, *server, "--out", tmp_path / "batch")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["recording", "windows", "diagnosis", "probability", "unknown", "changes", "labelled"],
        ["fan", "11", "unbalance", "100%", "0%", "0", "unbalance"],
        ["pump", "49", *done.stdout.splitlines()[2].split()[2:6], "normal"],
    ]
    names = sorted(path.name for path in (tmp_path / "batch").iterdir())
    assert names == [f"{it}.{end}" for it in ("fan", "pump") for end in ENDINGS]
    fan = json.loads((tmp_path / "batch" / "fan.json").read_text())
    assert fan["labelled"] == "unbalance"
    (mark,) = fan["explanation"]["frequencies"]
    assert (mark["of"], mark["text"]) == ("signal", "400 Hz = 16.00x")
    done = call("predict", pumps, *model, "--local", fault_models, "--out", tmp_path / "local")
    assert done.returncode == 0, done.stderr
    done = run("stream", "--replay", pumps, "--recording", "pump", "--speed", "max", *model,
               *server, "--out", tmp_path / "live", "--json")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert {json.loads(line)["asset"] for line in done.stdout.splitlines()} == {"pump"}
    batch = rows_of(tmp_path / "batch" / "pump.json")
    for other in ("local", "live"):
        rows = rows_of(tmp_path / other / "pump.json")
        for row, expected in zip(rows, batch, strict=True):
            assert row == pytest.approx(expected, abs=1e-5)


ENDINGS = ("csv", "json", "parquet", "png")


def rows_of(path: Path) -> list[dict[str, object]]:
    return json.loads(path.read_text())["estimates"]


def test_one_file_of_a_folder_is_one_recording(pumps: Path, fault_models: Path) -> None:
    done = call("predict", pumps / "fan.csv", "--model", CONTRACT.name, "--local", fault_models,
               "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert (result["name"], result["labelled"]) == ("fan", "unbalance")


def test_several_recordings_are_no_stream(pumps: Path, fault_server: RunningServer) -> None:
    flags = ["--model", CONTRACT.name, "--server", fault_server.address, "--speed", "max"]
    done = run("stream", "--replay", pumps, *flags)
    assert done.returncode == 3
    expected = "expected one recording, or --recording with one of fan, pump, got 2"
    assert f"pumps: {expected}" in done.stderr
    done = run("stream", "--replay", pumps, "--recording", "fun", *flags)
    assert done.returncode == 3
    assert "recording: expected one of fan, pump, got fun" in done.stderr
    done = run("stream", "--follow", pumps, *flags)
    assert done.returncode == 3
    assert "follow: expected --replay PATH or - with models of kind fault" in done.stderr


def test_another_rate_needs_to_be_asked_for(
    fault_models: Path, fault_server: RunningServer, tmp_path: Path
) -> None:
    count = 4 * 12_000
    times_s = np.arange(count) / 12_000
    tone = 0.5 * np.sin(2 * np.pi * 250 * times_s)
    noise = np.random.RandomState(1).normal(0, 0.05, (2, count))
    folder = write_folder(
        tmp_path / "fast",
        Vibration("motor", ("de", "fe"), ("g", "g"), 12_000.0, tone + noise, "looseness"),
    )
    flags = ["--model", CONTRACT.name, "--local", fault_models]
    done = call("predict", folder, *flags)
    assert done.returncode == 5
    assert "sample_rate_hz: expected 2560, got 12000" in done.stderr
    assert "--resample" in done.stderr
    done = call("predict", folder, *flags, "--resample")
    assert done.returncode == 0, done.stderr
    # 4 s are 40 blocks, of which each but the first ends a window.
    cells = done.stdout.splitlines()[1].split()
    assert cells == ["motor", "39", "looseness", "100%", "0%", "0", "looseness"]
    done = run("stream", "--replay", folder, "--resample", "--speed", "max", "--model",
               CONTRACT.name, "--server", fault_server.address)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("looseness; this window: looseness 100%") == 39


def test_what_is_not_there_or_too_short_is_named(fault_models: Path, tmp_path: Path) -> None:
    flags = ["--model", CONTRACT.name, "--local", fault_models]
    one = replace(PUMP, channels=("de",), units=("g",), values=PUMP.values[:1])
    done = call("predict", write_folder(tmp_path / "one", one), *flags)
    assert done.returncode == 5
    assert "pump: channels: expected de, fe, got de; missing sensor fe" in done.stderr
    short = replace(PUMP, values=PUMP.values[:, :300])
    done = call("predict", write_folder(tmp_path / "short", short), *flags)
    assert done.returncode == 3
    assert "pump: samples: expected 512 or more, got 300" in done.stderr
    (tmp_path / "nothing").mkdir()
    done = call("predict", tmp_path / "nothing", *flags)
    assert done.returncode == 3
    assert "a folder with wearcast.toml" in done.stderr


def test_channels_of_unequal_length_are_named(fault_models: Path, tmp_path: Path) -> None:
    path = tmp_path / "1797_IR_7.npz"
    np.savez(path, de=np.zeros(2000, np.float32), fe=np.zeros(1999, np.float32))
    done = call("predict", path, "--model", CONTRACT.name, "--local", fault_models)
    assert done.returncode == 3
    assert "expected as many in de as in fe, got 2,000 in de, 1,999 in fe" in done.stderr


def test_results_do_not_go_among_the_recordings(
    pumps: Path, fault_models: Path, fault_server: RunningServer
) -> None:
    before = sorted(path.name for path in pumps.iterdir())
    done = call("predict", pumps, "--model", CONTRACT.name, "--local", fault_models, "--out", pumps)
    assert done.returncode == 3
    assert "out: expected another folder than that of what is read" in done.stderr
    done = run("stream", "--replay", pumps, "--recording", "fan", "--model", CONTRACT.name,
               "--server", fault_server.address, "--out", pumps)  # fmt: skip
    assert done.returncode == 3
    assert sorted(path.name for path in pumps.iterdir()) == before


def test_resampling_is_for_vibration(models: Path, bearing: Path) -> None:
    done = call("predict", bearing, "--local", models, "--resample")
    assert done.returncode == 3
    assert "resample: expected a model of kind fault, got one of kind rul" in done.stderr


def test_lines_of_json_are_diagnosed(fault_server: RunningServer) -> None:
    blocks = list(cut_blocks(vibration_of(["looseness"] * 3), CONTRACT))
    text = "".join(
        json.dumps(
            {
                "time": f"2024-05-01T00:00:00.{block.sequence}Z",
                "channels": {"fe": block.values[1].tolist(), "de": block.values[0].tolist()},
            }
        )
        + "\n"
        for block in blocks
    )
    done = run("stream", "-", "--asset", "lines", "--model", CONTRACT.name, "--json",
               "--server", fault_server.address, stdin=text)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4, 5]
    expected = predict(fault_server.address, blocks)
    got = [row["p_looseness"] for row in rows]
    assert got == pytest.approx(
        [dict(it.fault_diagnosis.probabilities)["looseness"] for it in expected]
    )
    assert {row["diagnosis"] for row in rows} == {"looseness"}
