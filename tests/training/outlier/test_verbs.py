"""`train outlier` and `evaluate outlier` as a user runs them, and what export makes of it."""

import json
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from wearcast.clients.cli.evaluate_outlier import outlier as evaluate
from wearcast.clients.cli.train_outlier import outlier as train
from wearcast.export.model_folder import export_checkpoint
from wearcast.serving.session import open_session
from wearcast.signals.simulation.plant_faults import NO_FAULTS
from wearcast.signals.simulation.plant_log import write_plant
from wearcast.signals.simulation.plant_simulation import Plant, leak_day, simulate_plant
from wearcast.training.checkpoint import load_checkpoint
from wearcast.training.outlier.ranking import stage_shares
from wearcast.training.outlier.score import score_rows

DAYS = 90


def call(verb: click.Command, *arguments: object) -> Result:
    return CliRunner().invoke(verb, [*map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quarter of a year before the leak of `leak_day`, with leaks and faults of its own."""
    folder = tmp_path_factory.mktemp("plant")
    write_plant(folder / "plant.csv", simulate_plant(Plant(start="2021-03-17", days=DAYS)))
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    path = folder / "outlier.pth"
    units = ("--unit", "flow_rate=m3/h", "--unit", "pressure=bar")
    result = call(train, "--data", folder / "plant.csv", "--out", path, *units)
    assert result.exit_code == 0, result.output
    return path


def test_a_trained_checkpoint_is_exported_and_opened(trained: Path, tmp_path: Path) -> None:
    """Export compares torch, TorchScript and ONNX on hard cases at each batch."""
    exported = export_checkpoint(trained, "flow-outlier", tmp_path, (1, 32))
    session = open_session(exported.folder)
    assert session.contract.outlier == load_checkpoint(trained).outlier
    assert (session.contract.missing, session.contract.partial) == (True, True)
    assert session.contract.time_zone == "UTC"


def test_a_leak_stands_out_of_two_quiet_days(trained: Path) -> None:
    """The burst of `leak_day`, on the second day from 11:00 to 17:00."""
    scores = score_rows(load_checkpoint(trained), simulate_plant(leak_day()).measured)
    minute = np.arange(len(scores.stage))
    leak = (minute >= 1440 + 660) & (minute < 1440 + 1020)
    calm = minute < 1440 + 660
    flow, together = scores.points("actual")[0], scores.points("multivariate")[0]
    assert stage_shares(scores.stage[leak, flow])[2] > 0.7
    assert stage_shares(scores.stage[leak, together])[2] > 0.5
    assert stage_shares(scores.stage[calm, flow])[2] < 0.05
    assert stage_shares(scores.stage[calm, together])[2] < 0.05


def test_normal_minutes_of_another_plant_alarm_as_rarely_as_the_stages_say(trained: Path) -> None:
    plant = Plant(start="2021-04-01", days=30, seed=5, rates=NO_FAULTS)
    scores = score_rows(load_checkpoint(trained), simulate_plant(plant).measured)
    for place, point in enumerate(scores.part.points):
        if point.detector != "night" or point.channel == "flow_rate":
            assert stage_shares(scores.stage[:, place])[2] < 0.04, point


def test_a_plant_with_labels_is_judged_after_its_training_part(
    folder: Path, trained: Path, tmp_path: Path
) -> None:
    known = ("--labels", folder / "plant.labels.csv", "--checkpoint", trained)
    arguments = ("--plant", folder / "plant.csv", *known, "--out", tmp_path / "table.md")
    result = call(evaluate, *arguments, "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.output)
    assert 0 < facts["normal_days"] < DAYS - round(0.7 * DAYS) + 1
    jumps = [
        item for item in facts["kinds"] if (item["kind"], item["detector"]) == ("jump", "system")
    ]
    assert jumps[0]["severe"] > jumps[0]["events"] / 2
    assert "## What was noticed" in (tmp_path / "table.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--channel", "flow"), "channels: expected one column 'flow', got none among"),
        (("--night", "22:05-04:50"), "night: expected two times HH:MM-HH:MM"),
        (("--side", "flow_rate=left"), "side of flow_rate: expected upper or lower or both"),
        (("--unit", "flow=m3/h"), "unit: expected one of flow_rate, pressure, got flow"),
        (("--range", "pressure=5:1"), "range of pressure: expected LOW below HIGH, got 5:1"),
        (("--time-zone", "Mars"), "time_zone: expected a zone of the IANA database"),
        (("--train-share", "0.001"), "rows to fit to: expected 240 or more, got 130"),
    ],
)
def test_what_does_not_fit_is_named_by_the_verb(
    folder: Path, tmp_path: Path, arguments: tuple[str, str], message: str
) -> None:
    path = tmp_path / "outlier.pth"
    result = call(train, "--data", folder / "plant.csv", "--out", path, *arguments)
    assert message in str(result.exception)
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "\0\1 no table", "time,flow_rate,pressure\n"])
def test_a_file_without_rows_is_named(tmp_path: Path, text: str) -> None:
    data = tmp_path / "plant.csv"
    data.write_text(text)
    result = call(train, "--data", data, "--out", tmp_path / "outlier.pth")
    assert str(result.exception).startswith(("plant.csv: ", str(data)))


@pytest.mark.parametrize(
    ("option", "text"), [("--side", "flow_rate"), ("--range", "pressure=1"), ("--unit", "=bar")]
)
def test_a_pair_that_is_none_is_a_usage_error(folder: Path, option: str, text: str) -> None:
    result = call(train, "--data", folder / "plant.csv", "--out", folder / "no.pth", option, text)
    assert result.exit_code == 2
    assert "expected NAME=" in result.output


def test_help_has_an_example_and_evaluation_says_what_it_takes() -> None:
    assert "wearcast train outlier --data" in call(train, "--help").output
    result = call(evaluate)
    assert result.exit_code == 2
    assert "expected --data alone, or --plant, --labels and --checkpoint" in result.output
