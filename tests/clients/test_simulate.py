import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from wearcast.clients.cli.main import program
from wearcast.signals.errors import InputError
from wearcast.signals.femto import read_bearing
from wearcast.signals.simulation.bearing import BearingLife, simulate_snapshot


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(program, ["simulate", "bearing", *map(str, arguments)])


def test_it_writes_a_bearing_folder(tmp_path: Path) -> None:
    result = run("--out", tmp_path, "--name", "Bearing3_9", "--condition", 3, "--life-s", 55)
    assert result.exit_code == 0
    assert result.stdout == (
        f"{tmp_path}/Bearing3_9: 5 snapshots of a simulated bearing, life 55 s\n"
    )
    recording = read_bearing(tmp_path / "Bearing3_9", strict=True)
    assert len(recording) == 5
    life = BearingLife(condition=3, life_s=55.0)
    np.testing.assert_allclose(recording.values[4], simulate_snapshot(life, 4), atol=0.000501)
    names = sorted(path.name for path in (tmp_path / "Bearing3_9").iterdir())
    assert names == [f"acc_{number:05d}.csv" for number in range(1, 6)]


def test_json_says_that_it_is_simulated(tmp_path: Path) -> None:
    result = run("--out", tmp_path, "--life-s", 100, "--stop-at", 0.5, "--json")
    assert json.loads(result.stdout) == {
        "folder": str(tmp_path / "Bearing1_9"),
        "snapshots": 5,
        "life_s": 100.0,
        "simulated": True,
    }


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run("--out", tmp_path, "--name", name, "--life-s", 20, "--seed", seed, "--defect", "inner")
    texts = [(tmp_path / name / "acc_00002.csv").read_bytes() for name in "abc"]
    assert texts[0] == texts[1] != texts[2]


def test_a_bearing_that_is_there_is_not_mixed_with_another(tmp_path: Path) -> None:
    run("--out", tmp_path, "--life-s", 50)
    result = run("--out", tmp_path, "--life-s", 20)
    assert isinstance(result.exception, InputError)
    assert "name: expected a bearing that is not there yet" in str(result.exception)
    assert len(list((tmp_path / "Bearing1_9").iterdir())) == 5


def test_a_recording_without_a_snapshot_leaves_nothing_behind(tmp_path: Path) -> None:
    result = run("--out", tmp_path, "--life-s", 20, "--stop-at", 0.01)
    assert isinstance(result.exception, InputError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--condition", "4"],
        ["--life-s", "5"],
        ["--stop-at", "0"],
        ["--stop-at", "1.5"],
        ["--seed", "-1"],
        ["--defect", "cage"],
    ],
)
def test_a_bad_option_is_a_usage_error(tmp_path: Path, arguments: list[str]) -> None:
    assert run("--out", tmp_path, *arguments).exit_code == 2


def test_help_starts_with_an_example_and_says_simulated() -> None:
    text = run("--help").stdout
    assert text.index("Example") < text.index("Options:")
    assert "simulated" in text
