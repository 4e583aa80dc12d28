import csv
import json
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from click.testing import CliRunner
from program import call, run, start, write_snapshot
from running import RunningServer
from tiny import wearing_block
from waiting import LONG_S

from wearcast.clients import Client
from wearcast.clients.cli.main import program
from wearcast.signals.clock import format_time


@pytest.fixture(scope="module")
def predicted(
    server: RunningServer, bearing: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("predicted")
    done = run("predict", bearing, "--server", server.address, "--out", out)
    assert (done.returncode, done.stderr) == (
        0,
        "Bearing9_1: skipped acc_00021.csv: rows: expected 2560, got 2559\n",
    )
    return out


def _rows(out: Path, name: str = "Bearing9_1") -> list[dict[str, object]]:
    return json.loads((out / f"{name}.json").read_text())["estimates"]


def test_predict_answers_each_full_window_with_its_own_last_sample(predicted: Path) -> None:
    rows = _rows(predicted)
    # Three blocks make a window, and windows start afresh behind the file that was skipped.
    assert [row["sequence"] for row in rows] == [*range(2, 20), *range(23, 40)]
    assert rows[0]["window_end"] == "2012-01-01T09:00:30.099961Z"
    assert [row["sequence"] for row in rows if row["quality"]] == [23]
    assert rows[18]["quality"] == "AFTER_GAP"
    assert rows[-1]["life_fraction"] == pytest.approx((38 + 39 + 40) / 3 / 40, abs=1e-3)


def test_csv_holds_the_same_rows_and_values_as_json(predicted: Path) -> None:
    with (predicted / "Bearing9_1.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    rows = _rows(predicted)
    assert len(table) == len(rows) == 35
    for cells, row in zip(table, rows, strict=True):
        assert cells == {name: "" if value is None else str(value) for name, value in row.items()}


def test_picture_shows_as_many_estimates_as_there_are_rows(predicted: Path) -> None:
    picture = (predicted / "Bearing9_1.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert b"Description\x0035 estimates" in picture


def test_json_text_has_no_values_outside_json(predicted: Path) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    json.loads((predicted / "Bearing9_1.json").read_text(), parse_constant=refuse)


def test_local_prediction_equals_the_servers(
    predicted: Path, models: Path, bearing: Path, tmp_path: Path
) -> None:
    done = call("predict", bearing, "--local", models, "--out", tmp_path)
    skipped = "Bearing9_1: skipped acc_00021.csv: rows: expected 2560, got 2559\n"
    assert (done.returncode, done.stderr) == (0, skipped)
    _assert_equal(_rows(tmp_path), _rows(predicted))


def test_replay_equals_prediction(
    predicted: Path, server: RunningServer, bearing: Path, tmp_path: Path
) -> None:
    done = run(
        "stream", "--replay", bearing, "--speed", "max", "--asset", "replayed",
        "--server", server.address, "--out", tmp_path, "--json",
    )  # fmt: skip
    assert done.returncode == 0
    _assert_equal(_rows(tmp_path, "replayed"), _rows(predicted))
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row.pop("asset") for row in printed} == {"replayed"}
    _assert_equal(printed, _rows(predicted))
    assert "skipped acc_00021.csv: rows: expected 2560, got 2559" in done.stderr
    # The first estimate whose line is at 0.9 or over.
    first_alarm = next(row["sequence"] for row in printed if row["alarm"])
    assert f"replayed: block {first_alarm}: life used" in done.stderr


def test_skipped_files_are_told_and_declared_alike_everywhere(
    server: RunningServer, models: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "Bearing9_2"
    bad = [1, 2, 8, 14, 15, 17, 24]  # the first, two together, two around one that is good
    for number in range(1, 25):
        write_snapshot(folder, number, rows=2560 + 10 * (number % 2 * 2 - 1) * (number in bad))
    verbs = {
        "local": ["predict", folder, "--local", models],
        "predict": ["predict", folder, "--server", server.address],
        "replay": ["stream", "--replay", folder, "--speed", "max", "--server", server.address],
        "follow": [
            "stream", "--follow", folder, "--idle-exit", 2, "--asset", "followed",
            "--server", server.address,
        ],
    }  # fmt: skip
    told = {}
    rows = []
    for name, verb in verbs.items():
        done = run(*verb, "--out", tmp_path / name)
        assert done.returncode == 0
        told[name] = [line.partition(": ")[2] for line in done.stderr.splitlines()]
        got = _rows(tmp_path / name, "followed" if name == "follow" else "Bearing9_2")
        rows = rows or got
        _assert_equal(got, rows)
        assert [line for line in told[name] if line.startswith("skipped")] == told["local"]
    assert [row["sequence"] for row in rows] == [*range(4, 7), *range(10, 13), *range(19, 23)]
    assert [row["sequence"] for row in rows if row["quality"] == "AFTER_GAP"] == [4, 10, 19]
    assert [line.split()[1] for line in told["local"]] == [f"acc_{n:05d}.csv:" for n in bad]
    gaps = [line.split(":")[0] for line in told["replay"] if "are lost" in line]
    assert gaps == ["block 2", "block 8", "block 15", "block 17"]
    assert [line for line in told["follow"] if "are lost" in line] == [
        line for line in told["replay"] if "are lost" in line
    ]


def _assert_equal(rows: list[dict[str, object]], expected: list[dict[str, object]]) -> None:
    keys = [(row["sequence"], row["window_end"], row["quality"]) for row in rows]
    assert keys == [(row["sequence"], row["window_end"], row["quality"]) for row in expected]
    for name in ("life_fraction", "rul_s", "rul_low_s", "rul_high_s", "p_fail_10min"):
        np.testing.assert_allclose(
            [row[name] for row in rows], [row[name] for row in expected], rtol=1e-5, atol=1e-5
        )


def test_folder_above_several_bearings_scores_all(
    server: RunningServer, bearing: Path, tmp_path: Path
) -> None:
    for parent, name in (("Test_set", "Bearing1_4"), ("Full", "Bearing1_4"), ("Full", "B2")):
        for number in (1, 2, 3, 4):
            folder = tmp_path / parent / name
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(bearing / f"acc_{number:05d}.csv", folder)
    done = call("predict", tmp_path, "--server", server.address)
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        ["B2", "2"],
        ["Full-Bearing1_4", "2"],
        ["Test_set-Bearing1_4", "2"],
    ]


def test_chosen_snapshot_files_keep_their_numbers(server: RunningServer, bearing: Path) -> None:
    files = [bearing / f"acc_{number:05d}.csv" for number in (30, 31, 32, 33)]
    done = call("predict", *files, "--server", server.address, "--json")
    (result,) = json.loads(done.stdout)
    assert result["name"] == "Bearing9_1"
    assert [row["sequence"] for row in result["estimates"]] == [31, 32]
    assert result["estimates"][0]["age_s"] == 320.0


def test_age_at_start_counts(server: RunningServer, bearing: Path) -> None:
    files = [bearing / f"acc_{number:05d}.csv" for number in (1, 2, 3)]
    done = call("predict", *files, "--age-at-start", 500, "--server", server.address, "--json")
    assert json.loads(done.stdout)[0]["estimates"][0]["age_s"] == 530.0


def test_recording_shorter_than_a_window_gives_no_rows(
    server: RunningServer, tmp_path: Path
) -> None:
    write_snapshot(tmp_path / "short", 1)
    out = tmp_path / "out"
    done = call("predict", tmp_path / "short", "--server", server.address, "--out", out)
    assert done.returncode == 0
    assert _rows(out, "short") == []
    assert (out / "short.csv").read_text() == "sequence\n"
    assert b"Description\x000 estimates" in (out / "short.png").read_bytes()


def test_unreachable_server_is_named(bearing: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        verbs = (["models"], ["predict", bearing], ["stream", "--follow", bearing])
        started = [start(*verb, "--server", address, stderr=subprocess.PIPE) for verb in verbs]
        for process in started:
            _, errors = process.communicate(timeout=LONG_S)
            assert process.returncode == 4
            assert f"no server answers at {address}" in errors


def test_server_of_something_else_is_named(bearing: Path) -> None:
    other = grpc.server(ThreadPoolExecutor(1))
    address = f"127.0.0.1:{other.add_insecure_port('127.0.0.1:0')}"
    other.start()
    for verb in (["models"], ["predict", bearing], ["stream", "--replay", bearing]):
        done = run(*verb, "--server", address)
        expected = f"wearcast: server {address}: it is not wearcast's, or older: Method not found!"
        assert (done.returncode, done.stderr) == (4, expected + "\n")
    other.stop(None)


def test_folder_that_can_not_be_written_is_named_before_the_work(
    server: RunningServer, models: Path, bearing: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "out"
    for verb in (
        ["predict", bearing, "--local", models],
        ["stream", "--replay", bearing, "--speed", "max", "--server", server.address],
        ["simulate", "bearing"],
        ["demo"],
    ):
        done = run(*verb, "--out", out)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.count("\n") == 1
        assert "Not a directory" in done.stderr
        assert str(out) in done.stderr


def test_unknown_model_is_a_mismatch(server: RunningServer, models: Path, bearing: Path) -> None:
    for where in (["--server", server.address], ["--local", models]):
        done = call("predict", bearing, "--model", "nobody", *where)
        assert done.returncode == 5
        assert done.stderr == (
            "wearcast: model: expected one of bearing-rul/1, got nobody/newest\n"
        )


def test_model_of_other_blocks_is_a_mismatch(tiny_server: RunningServer, bearing: Path) -> None:
    done = call("predict", bearing, "--model", "tiny", "--server", tiny_server.address)
    assert done.returncode == 5
    assert "expected 2 x 64 samples" in done.stderr
    assert "got 2560 samples a channel" in done.stderr


def test_bad_input_is_named(server: RunningServer, tmp_path: Path) -> None:
    done = call("predict", tmp_path, "--server", server.address)
    assert done.returncode == 3
    assert "expected a bearing folder" in done.stderr
    write_snapshot(tmp_path / "bad", 1, rows=10)
    done = call("predict", tmp_path / "bad", "--server", server.address)
    assert (done.returncode, done.stdout) == (3, "")
    assert "acc_00001.csv: rows: expected 2560, got 10" in done.stderr
    table = tmp_path / "bad.csv"
    table.write_text("time,horizontal\n2012-01-01T00:00:00Z,1\n")
    done = call("predict", table, "--server", server.address)
    assert done.returncode == 3
    assert "vertical" in done.stderr


def test_plain_csv_file_is_a_whole_recording(tiny_server: RunningServer, tmp_path: Path) -> None:
    blocks = [wearing_block(number, 8) for number in range(8)]
    rows = ["time,h,v"]
    for block in blocks:
        for sample, (h, v) in enumerate(block.values.T.tolist()):
            rows.append(f"{format_time(block.start_us + round(sample * 1e6 / 25600))},{h},{v}")
    path = tmp_path / "pump.csv"
    path.write_text("\n".join(rows))
    done = call("predict", path, "--model", "tiny", "--server", tiny_server.address, "--json")
    (result,) = json.loads(done.stdout)
    with Client(tiny_server.address) as client:
        expected = list(client.predict(blocks, model="tiny"))
    assert result["name"] == "pump"
    assert [row["life_fraction"] for row in result["estimates"]] == pytest.approx(
        [estimate.remaining_life.life_fraction for estimate in expected], abs=1e-5
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict"],
        ["predict", "no/such/folder"],
        ["predict", ".", "--age-at-start", "-1"],
        ["stream"],
        ["stream", "-"],
        ["stream", "-", "--asset", "a", "--replay", "."],
        ["stream", "--replay", ".", "--speed", "fast"],
        ["stream", "--replay", ".", "--speed", "-2"],
        ["stream", "--replay", ".", "--speed", "0"],
        ["models", "--nonsense"],
        ["models", "--server", ""],
        ["models", "--server", "127.0.0.1"],
        ["nonsense"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(program, arguments).exit_code == 2
