"""The bundled model on real bearings, from their CSV files: file by file, live, and broken off."""

import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from femto_data import unpack_bearing
from program import call, run, start
from running import RunningServer, running_server

from wearcast.serving.models import BUNDLED

# The three test bearings are strangers to the bundled model.
BEARINGS = [
    ("Learning_set", "Bearing3_1", 515),
    ("Test_set", "Bearing3_3", 352),
    # More of the same, and the longest.
    pytest.param("Test_set", "Bearing1_4", 1139, marks=pytest.mark.slow),
    pytest.param("Test_set", "Bearing2_4", 612, marks=pytest.mark.slow),
]
SEQUENCE = 10
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    store = tmp_path_factory.mktemp("store") / "estimates.sqlite"
    with running_server(BUNDLED, "--store", str(store)) as server:
        yield server


def read_rows(out: Path, name: str) -> Rows:
    return json.loads((out / f"{name}.json").read_text())["estimates"]


def last_samples(folder: Path) -> list[str]:
    """Times of the last sample of each file, read in the plainest way."""
    texts = []
    for path in sorted(folder.glob("acc_*.csv")):
        hour, minute, second, micros = path.read_text().split("\n", 1)[0].split(",")[:4]
        moment = datetime(2012, 1, 1, int(hour), int(minute), int(second), tzinfo=UTC)
        moment += timedelta(microseconds=float(micros) + 2559 / 25600 * 1e6)
        texts.append(moment.strftime("%Y-%m-%dT%H:%M:%S"))
    return texts


def assert_same(rows: Rows, others: Rows) -> None:
    for key in ("sequence", "window_end"):
        assert [row[key] for row in rows] == [row[key] for row in others]
    for row, other in zip(rows, others, strict=True):
        assert row["life_fraction"] == pytest.approx(other["life_fraction"], abs=1e-5)
        assert row["rul_s"] == pytest.approx(other["rul_s"], rel=1e-3)


@pytest.mark.parametrize(("group", "name", "count"), BEARINGS)
def test_predict_stream_and_local_say_the_same(
    group: str, name: str, count: int, bundled: RunningServer, tmp_path: Path
) -> None:
    folder = unpack_bearing(group, name)
    replay = ["--replay", folder, "--speed", "max"]
    for done in (
        call("predict", folder, "--server", bundled.address, "--out", tmp_path / "server"),
        call("predict", folder, "--local", BUNDLED, "--out", tmp_path / "local"),
        run("stream", *replay, "--server", bundled.address, "--out", tmp_path / "stream"),
    ):
        assert done.returncode == 0, done.stderr
    rows = read_rows(tmp_path / "server", name)
    assert [row["sequence"] for row in rows] == [*range(SEQUENCE - 1, count)]
    ends = [row["window_end"][:19] for row in rows]
    assert ends == last_samples(folder)[SEQUENCE - 1 :]
    assert all(0 <= row["life_fraction"] <= 1 for row in rows)
    assert all(row["rul_low_s"] <= row["rul_s"] <= row["rul_high_s"] for row in rows)
    assert_same(read_rows(tmp_path / "local", name), rows)
    assert_same(read_rows(tmp_path / "stream", name), rows)


def test_follow_stopped_in_the_middle_and_started_again(
    bundled: RunningServer, tmp_path: Path
) -> None:
    folder = unpack_bearing("Test_set", "Bearing3_3")
    follow = ["stream", "--follow", folder, "--asset", "followed", "--server", bundled.address]
    with start(*follow, "--json", stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if json.loads(line)["sequence"] >= 100:
                break
        process.send_signal(signal.SIGINT)
        assert len(process.stdout.read().splitlines()) < 200
    assert process.returncode == 0
    done = run(*follow, "--idle-exit", 1, "--out", tmp_path / "followed")
    assert done.returncode == 0, done.stderr
    assert call("predict", folder, "--local", BUNDLED, "--out", tmp_path).returncode == 0
    assert_same(read_rows(tmp_path / "followed", "followed"), read_rows(tmp_path, "Bearing3_3"))


def test_a_server_killed_in_the_middle_changes_nothing(tmp_path: Path, own_address: str) -> None:
    folder = unpack_bearing("Test_set", "Bearing3_3")
    flags = ["--store", str(tmp_path / "estimates.sqlite")]
    with running_server(BUNDLED, *flags, listen=own_address) as first:
        command = ["stream", "--replay", folder, "--speed", "2000", "--server", first.address]
        with start(*command, "--json", "--out", tmp_path, stdout=subprocess.PIPE) as process:
            seen = []
            for line in process.stdout:
                seen.append(json.loads(line)["sequence"])
                if seen[-1] == 120:
                    break
            first.kill()
            with running_server(BUNDLED, *flags, listen=own_address):
                seen += [json.loads(line)["sequence"] for line in process.stdout]
                assert process.wait() == 0
    assert seen == [*range(SEQUENCE - 1, 352)]
    assert call("predict", folder, "--local", BUNDLED, "--out", tmp_path / "l").returncode == 0
    assert_same(read_rows(tmp_path, "Bearing3_3"), read_rows(tmp_path / "l", "Bearing3_3"))
