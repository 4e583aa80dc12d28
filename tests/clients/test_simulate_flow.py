import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wearcast.clients.cli.main import program
from wearcast.signals.errors import InputError
from wearcast.signals.simulation.plant_log import write_plant
from wearcast.signals.simulation.plant_simulation import Plant, simulate_plant


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(program, ["simulate", "flow", *map(str, arguments)])


def test_it_writes_the_plant_and_its_labels(tmp_path: Path) -> None:
    result = run("--out", tmp_path / "data", "--name", "east", "--days", 40, "--seed", 3)
    assert result.exit_code == 0
    path = tmp_path / "data" / "east.csv"
    count = write_plant(tmp_path / "same.csv", simulate_plant(Plant(days=40, seed=3)))
    assert path.read_bytes() == (tmp_path / "same.csv").read_bytes()
    labels = path.with_name("east.labels.csv")
    assert labels.read_bytes() == (tmp_path / "same.labels.csv").read_bytes()
    first, second = result.stdout.splitlines()
    assert first == f"{path}: {count} lines of a simulated plant, 40 days"
    gaps = labels.read_text().count(",gap,")
    assert second.startswith(f"{labels}: ")
    assert f"{gaps} gap," in second


def test_a_year_is_the_default(tmp_path: Path) -> None:
    result = run("--out", tmp_path, "--clean", "--json")
    assert json.loads(result.stdout) == {
        "file": str(tmp_path / "plant.csv"),
        "labels": str(tmp_path / "plant.labels.csv"),
        "lines": 527_041,
        "days": 366,
        "events": {},
        "simulated": True,
    }
    lines = (tmp_path / "plant.csv").read_text().splitlines()
    assert lines[0] == "time,flow_rate,pressure"
    assert lines[1].startswith("2020-01-01 00:00:00,")
    assert lines[-1].startswith("2021-01-01 00:00:00,")
    assert len(lines) == 527_042


def test_clean_with_leaks_has_leaks_alone(tmp_path: Path) -> None:
    result = run("--out", tmp_path, "--clean", "--days", 40, "--leaks-per-year", 40, "--json")
    events = json.loads(result.stdout)["events"]
    assert list(events) == ["leak"]
    assert events["leak"] in {4, 5}


def test_without_leaks_other_things_go_wrong(tmp_path: Path) -> None:
    result = run("--out", tmp_path, "--days", 60, "--leaks-per-year", 0, "--json")
    events = json.loads(result.stdout)["events"]
    assert "leak" not in events
    assert events["jump"] >= 18


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run("--out", tmp_path, "--name", name, "--days", 20, "--seed", seed)
    for ending in (".csv", ".labels.csv"):
        texts = [(tmp_path / f"{name}{ending}").read_bytes() for name in "abc"]
        assert texts[0] == texts[1] != texts[2]


def test_the_start_can_be_chosen(tmp_path: Path) -> None:
    run("--out", tmp_path, "--days", 1, "--start", "2024-02-29", "--clean")
    lines = (tmp_path / "plant.csv").read_text().splitlines()
    assert lines[1].startswith("2024-02-29 00:00:00,")
    assert lines[-1].startswith("2024-03-01 00:00:00,")


@pytest.mark.parametrize("there", ["plant.csv", "plant.labels.csv"])
def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    result = run("--out", tmp_path, "--days", 1)
    assert isinstance(result.exception, InputError)
    message = f"name: expected a plant that is not there yet, got {tmp_path / there}"
    assert str(result.exception) == message
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_a_bad_start_leaves_nothing_behind(tmp_path: Path) -> None:
    result = run("--out", tmp_path / "data", "--start", "soon")
    assert isinstance(result.exception, InputError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [["--days", "0"], ["--days", "1.5"], ["--leaks-per-year", "-1"], ["--seed", "-1"]],
)
def test_a_bad_option_is_a_usage_error(tmp_path: Path, arguments: list[str]) -> None:
    assert run("--out", tmp_path, *arguments).exit_code == 2


def test_help_starts_with_an_example_and_says_simulated() -> None:
    text = run("--help").stdout
    assert text.index("wearcast simulate flow --out") < text.index("Options:")
    assert "simulated" in text
