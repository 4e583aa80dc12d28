import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wearcast.clients.cli.main import program
from wearcast.signals.errors import InputError
from wearcast.signals.simulation.gear import draw_rig
from wearcast.signals.simulation.rotor import draw_unit
from wearcast.signals.simulation.vibration_files import write_gear, write_rotor


def run(*arguments: str | Path | float) -> Result:
    return CliRunner().invoke(program, ["simulate", *map(str, arguments)])


def test_it_writes_a_pump(tmp_path: Path) -> None:
    result = run("rotor", "--out", tmp_path / "data", "--unit", "B", "--seed", 2, "--seconds", 2)
    assert result.exit_code == 0
    folder = tmp_path / "data" / "B"
    assert result.stdout == (
        f"{folder}: 4 sensors of a simulated pump, 2 s each\n"
        "faults: normal, unbalance, looseness, unbalance+looseness\n"
    )
    for path in write_rotor(tmp_path / "same", draw_unit(2), seconds=2.0):
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_it_writes_a_rig(tmp_path: Path) -> None:
    result = run("gear", "--out", tmp_path / "data", "--name", "east", "--seed", 4)
    assert result.exit_code == 0
    folder = tmp_path / "data" / "east"
    first, second = result.stdout.splitlines()
    assert first == f"{folder}: 6 files of a simulated gear rig, 6 blocks each"
    assert second.startswith("faults: no fault, eccentricity, missing tooth, root crack, ")
    for path in write_gear(tmp_path / "same", draw_rig(4)):
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_json_says_that_it_is_simulated(tmp_path: Path) -> None:
    rotor = json.loads(run("rotor", "--out", tmp_path, "--seconds", 1, "--json").stdout)
    assert rotor == {
        "folder": str(tmp_path / "A"),
        "files": 4,
        "faults": ["normal", "unbalance", "looseness", "unbalance+looseness"],
        "seconds": 1.0,
        "simulated": True,
    }
    gear = json.loads(run("gear", "--out", tmp_path, "--json").stdout)
    assert gear["folder"] == str(tmp_path / "rig")
    assert (gear["files"], gear["blocks"], gear["simulated"]) == (6, 6, True)


def test_another_seed_is_another_pump(tmp_path: Path) -> None:
    for unit, seed in (("A", 1), ("B", 2)):
        run("rotor", "--out", tmp_path, "--unit", unit, "--seed", seed, "--seconds", 1)
    first, second = ((tmp_path / unit / "sensor1.csv").read_bytes() for unit in "AB")
    assert first != second


def test_what_is_there_is_not_mixed_with_another(tmp_path: Path) -> None:
    run("rotor", "--out", tmp_path, "--seconds", 1)
    before = (tmp_path / "A" / "sensor1.csv").read_bytes()
    result = run("rotor", "--out", tmp_path, "--seconds", 1, "--seed", 3)
    assert isinstance(result.exception, InputError)
    assert "out: expected a folder without such files" in str(result.exception)
    assert (tmp_path / "A" / "sensor1.csv").read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["rotor", "--seconds", "0.5"],
        ["rotor", "--seed", "-1"],
        ["gear", "--seed", "-1"],
    ],
)
def test_a_bad_option_is_a_usage_error(tmp_path: Path, arguments: list[str]) -> None:
    assert run(*arguments, "--out", tmp_path).exit_code == 2


@pytest.mark.parametrize("verb", ["rotor", "gear"])
def test_help_starts_with_an_example_and_says_simulated(verb: str) -> None:
    text = run(verb, "--help").stdout
    assert text.index("Example") < text.index("Options:")
    assert "simulated" in text


@pytest.mark.parametrize("name", ["../A", "", "a/b", "."])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    result = run("rotor", "--out", tmp_path / "data", "--unit", name)
    assert result.exit_code == 2
    assert "expected the name of a folder" in result.output
    assert list(tmp_path.iterdir()) == []
