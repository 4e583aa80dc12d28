"""Plant models over a real server: several on one stream, breaks in it, and rows from files."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from program import call, run
from running import RunningServer, running_server
from tiny_plant import FORECAST, MONDAY_US, OUTLIER, plant_rows, write_plant_models

from wearcast.clients import Client, ClientSettings, Notice
from wearcast.clients.local import predict_local
from wearcast.clients.monitor import MonitorSettings
from wearcast.clients.plant_rows import RowsReplay, make_blocks
from wearcast.serving.models import open_model
from wearcast.signals.clock import format_time
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block

MODELS = ["tiny-forecast", "tiny-outlier"]
ROWS = plant_rows(300, missing=(6, 7, 200))
QUICK = ClientSettings(monitor=MonitorSettings(first_wait_s=0.05, longest_wait_s=0.2))


@pytest.fixture(scope="module")
def plant_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models_dir = tmp_path_factory.mktemp("plant-models")
    write_plant_models(models_dir)
    return models_dir


@pytest.fixture(scope="module")
def plant_server(plant_models: Path) -> Iterator[RunningServer]:
    with running_server(plant_models) as server:
        yield server


def predict(address: str, model: str) -> list[Estimate]:
    with Client(address) as client:
        return list(client.predict(make_blocks(ROWS), model=model))


def test_a_stream_of_two_models_equals_two_predictions(
    plant_server: RunningServer, plant_models: Path
) -> None:
    with Client(plant_server.address) as client:
        source = RowsReplay(ROWS, speed=0)
        events = list(client.monitor(source, asset="both", model=MODELS))
    for model in MODELS:
        streamed = [it for it in events if isinstance(it, Estimate) and it.model == model]
        assert streamed == predict(plant_server.address, model)
        local = predict_local(open_model(plant_models, model), make_blocks(ROWS))
        assert streamed == list(local)
    assert len(predict(plant_server.address, "tiny-forecast")) == 60
    assert not [event for event in events if isinstance(event, Notice)]


class Breaking(RowsReplay):
    """Rows that can't be had again once they are released, behind a server that dies.

    Those from `held_from` on wait until that is raised: so no server is through before it dies.
    """

    def __init__(self) -> None:
        super().__init__(ROWS, speed=0)
        self.held_from = 60
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


def test_a_server_killed_between_two_forecasts_loses_and_repeats_nothing(
    plant_models: Path, plant_server: RunningServer, tmp_path: Path, own_address: str
) -> None:
    """What is acknowledged is not asked for again, though it has led to no forecast yet."""
    flags = ("--store", str(tmp_path / "store.sqlite"))
    source = Breaking()
    estimates = []
    with ExitStack() as stack:
        server = stack.enter_context(running_server(plant_models, *flags, listen=own_address))
        client = stack.enter_context(Client(own_address, settings=QUICK))
        for event in client.monitor(source, asset="plant", model=MODELS):
            if not isinstance(event, Estimate):
                continue
            estimates.append(event)
            if event.model == "tiny-outlier" and event.sequence in {52, 151}:
                server.kill()
                server = stack.enter_context(
                    running_server(plant_models, *flags, listen=own_address)
                )
                source.held_from = 160 if event.sequence == 52 else len(ROWS)
    assert len(source.asked) >= 3
    for model in MODELS:
        mine = [item for item in estimates if item.model == model]
        assert mine == predict(plant_server.address, model)


def test_a_stream_goes_on_where_an_earlier_one_ended(plant_server: RunningServer) -> None:
    """Also on a server that knows nothing of it: blocks before are not asked for again."""
    expected = {
        model: [it for it in predict(plant_server.address, model) if it.sequence > 100]
        for model in MODELS
    }
    with Client(plant_server.address) as client:
        events = list(
            client.monitor(
                RowsReplay(ROWS, speed=0),
                asset="goes on",
                model=MODELS,
                received={"tiny-forecast": 99, "tiny-outlier": 100},
                acknowledged=100,
            )
        )
    for model in MODELS:
        mine = [it for it in events if isinstance(it, Estimate) and it.model == model]
        assert mine == expected[model]


def test_a_stream_with_models_that_do_not_go_together_is_refused(
    plant_server: RunningServer,
) -> None:
    with Client(plant_server.address) as client, pytest.raises(InputError, match="each model once"):
        list(client.monitor(RowsReplay(ROWS, speed=0), asset="x", model=["tiny-forecast"] * 2))


def test_rows_of_another_rate_are_refused(plant_server: RunningServer) -> None:
    blocks = [Block(0, MONDAY_US, 1 / 30, np.array([[1.0], [4.0]], np.float32))]
    with (
        Client(plant_server.address) as client,
        pytest.raises(MismatchError, match=r"sample_rate_hz: expected 0.0166\d*, got 0.0333"),
    ):
        list(client.predict(blocks, model="tiny-forecast"))


def write_csv(path: Path, minutes: range) -> Path:
    lines = [f"{format_time(MONDAY_US + m * 60_000_000)},{m},4.0" for m in minutes]
    path.write_text("\n".join(["time,flow,pressure", *lines]) + "\n")
    return path


def test_a_plant_file_is_scored_and_streamed_alike(
    plant_server: RunningServer, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "plant.csv", range(0, 120, 1))
    address = ["--server", plant_server.address]
    for model, rows in (("tiny-forecast", 48), ("tiny-outlier", 120)):
        done = call("predict", path, "--model", model, *address, "--out", tmp_path / model)
        assert done.returncode == 0, done.stderr
        names = sorted(item.name for item in (tmp_path / model).iterdir())
        beside = ["plant.beside.csv"] if model == "tiny-forecast" else []
        assert names == [*beside, "plant.csv", "plant.json", "plant.parquet", "plant.png"]
        written = json.loads((tmp_path / model / "plant.json").read_text())["estimates"]
        assert len(written) == rows
    done = run("stream", "--replay", path, "--speed", "max", "--model", "tiny-forecast",
               "--model", "tiny-outlier", *address, "--out", tmp_path / "live")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("stage 0 normal") == 120
    assert done.stdout.count("flow in 1 min") == 24
    for model in MODELS:
        live = json.loads((tmp_path / "live" / f"plant-{model}.json").read_text())
        batch = json.loads((tmp_path / model / "plant.json").read_text())
        assert live["estimates"] == batch["estimates"]
    first = json.loads((tmp_path / "tiny-forecast" / "plant.json").read_text())["estimates"][0]
    # Row 4, minute 4 of the week: the mean of rows 2 to 4, plus 4; row 5 was read a minute later.
    assert (first["sequence"], first["time"][:19]) == (4, "2024-01-01T00:05:00")
    assert (first["q0.5"], first["actual"]) == (pytest.approx(7.0), 5.0)


def test_a_day_that_has_no_forecasts_or_no_hours_is_named(
    plant_server: RunningServer, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "plant.csv", range(0, 120, 1))
    out = tmp_path / "out"
    flags = ["--model", "tiny-forecast", "--server", plant_server.address, "--out", out]
    for day, message in (
        ("2024-02-01", "day: expected one from 2024-01-01 to 2024-01-01, got 2024-02-01"),
        ("2024-01-01", "horizons: expected 1 to 7 days, got"),
    ):
        done = call("predict", path, *flags, "--day", day)
        assert done.returncode == 3
        assert message in done.stderr
    done = call("predict", path, *flags[:-2], "--day", "2024-01-01")
    assert done.returncode == 2
    assert "--day writes files: it needs --out DIR" in done.stderr


def test_too_short_a_history_is_named(plant_server: RunningServer, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "short.csv", range(4))
    done = call("predict", path, "--model", "tiny-forecast", "--server", plant_server.address)
    assert done.returncode == 3
    assert "short: rows: expected 3 or more, and then a time at which" in done.stderr


@pytest.mark.parametrize("verb", [["predict"], ["stream", "--speed", "max", "--replay"]])
def test_results_never_replace_the_file_that_is_read(
    verb: list[str], plant_server: RunningServer, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "plant.csv", range(10))
    before = path.read_text()
    done = run(*verb, path, "--model", "tiny-outlier", "--out", tmp_path,
               "--server", plant_server.address)  # fmt: skip
    assert done.returncode == 3
    assert "out: expected another folder than that of what is read" in done.stderr
    assert path.read_text() == before


def test_a_missing_minute_of_a_file_is_a_missing_reading(
    plant_server: RunningServer, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "gap.csv", range(10))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:5] + lines[7:]) + "\n")
    done = call("predict", path, "--model", "tiny-outlier", "--server", plant_server.address,
               "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)[0]["estimates"]
    assert [row["flow_system_cause"] for row in rows] == [""] * 4 + ["MISSING"] * 2 + [""] * 4


def test_lines_of_json_may_hold_bare_numbers_and_null(plant_server: RunningServer) -> None:
    lines = [
        {"time": format_time(MONDAY_US + m * 60_000_000), "channels": {"flow": flow, "pressure": 4}}
        for m, flow in enumerate([1.0, None, 3.0, 4.0, 5.0])
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done: subprocess.CompletedProcess[str] = run(
        "stream", "-", "--asset", "lines", "--model", "tiny-outlier", "--json",
        "--server", plant_server.address, stdin=text,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["flow_system_stage"] for row in rows] == [0, 4, 0, 0, 0]
    assert {row["model"] for row in rows} == {OUTLIER.name}


def test_a_model_that_takes_no_missing_reading_says_so(
    server: RunningServer,
) -> None:
    values = [None] + [0.5] * 2559
    line = {
        "time": "2024-05-01T00:00:00Z",
        "channels": {"horizontal": values, "vertical": [0.5] * 2560},
    }
    done = run("stream", "-", "--asset", "hole", "--server", server.address, stdin=json.dumps(line))
    assert done.returncode == 3
    assert "line 1: channels.horizontal: expected a list of numbers, got null" in done.stderr


def test_the_contract_tells_the_step_the_turn_and_the_zone(plant_server: RunningServer) -> None:
    with Client(plant_server.address) as client:
        assert client.models() == [FORECAST, OUTLIER]
