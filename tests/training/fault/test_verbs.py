"""`train fault` and `evaluate fault` as a user runs them."""

import json
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from machines import FAULTS, make_machines
from PIL import Image

from wearcast.clients.cli.evaluate_fault import fault as evaluate
from wearcast.clients.cli.train_fault import fault as train
from wearcast.signals.errors import InputError
from wearcast.training.checkpoint import load_checkpoint

SHAFT = ("--shaft-rpm", 1500, "--window", 1024)
TOML = """
sample_rate_hz = 1000
channels = [{ name = "s1", unit = "g" }, { name = "s2", unit = "g" }, { name = "s3", unit = "g" }]
[[labels]]
pattern = '(?P<unit>\\w)-(?P<fault>\\w+)\\.csv'
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three units with three faults, and a wearcast.toml that tells which is which."""
    folder = tmp_path_factory.mktemp("machines")
    (folder / "wearcast.toml").write_text(TOML)
    for vibration in make_machines("ABC", channels=3):
        np.savetxt(
            folder / f"{vibration.name}.csv", vibration.values.T, "%.6g", ",",
            header="s1,s2,s3", comments="",
        )  # fmt: skip
    return folder


def call(verb: click.Command, *arguments: object) -> Result:
    return CliRunner().invoke(verb, [*map(str, arguments)])


def test_a_checkpoint_is_trained_with_its_losses_beside_it(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "fault.pth"
    result = call(train, "--data", folder, *SHAFT, "--out", out, "--note", "made up")
    assert result.exit_code == 0, result.output
    assert "spectral" in result.output
    assert "left out by unit" in result.output
    checkpoint = load_checkpoint(out)
    assert checkpoint.fault is not None
    assert sorted(checkpoint.fault.faults) == sorted(FAULTS)
    assert checkpoint.fault.orders["0.5x"] == 0.5
    assert checkpoint.training["data"] == folder.name
    assert checkpoint.training["note"] == "made up"
    losses = (tmp_path / "fault.loss.csv").read_text().splitlines()
    assert len(losses) == 1 + 15
    with Image.open(tmp_path / "fault.loss.png") as picture:
        assert picture.width > 500


def test_instants_say_what_a_later_part_is_worth(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "cnn.pth"
    result = call(train, "--data", folder, "--model", "cnn", "--epochs", 2, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.output)
    assert facts["training"]["epochs"] == 2
    assert 0 <= facts["later_part"]["accuracy"] <= 1
    assert load_checkpoint(out).architecture == "cnn"


def test_an_evaluation_leaves_tables_and_pictures(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = call(
        evaluate, "--data", folder, "--hold-out", "unit", *SHAFT, "--model", "spectral",
        "--model", "dnn", "--epochs", 2, "--leaky", "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert (out / "table.md").read_text() in result.output + "\n"
    assert "means nothing" in result.output
    facts = json.loads((out / "result.json").read_text())
    assert facts["pooled"]["spectral"]["macro_f1"] > 0.9
    assert list(facts["held_out"]["dnn"]) == ["A", "B", "C"]
    for model in ("spectral", "dnn"):
        for picture in ("confusion", "reliability", "loss"):
            with Image.open(out / f"{model}.{picture}.png") as image:
                assert image.width > 500
        assert (out / f"{model}.loss.csv").exists()


def test_only_some_recordings_are_taken(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.pth"
    result = call(train, "--data", folder, *SHAFT, "--where", "unit=A", "--out", out, "--json")
    assert result.exit_code == 0, result.output
    names = json.loads(result.output)["training"]["recordings"]
    assert sorted(names) == sorted(f"A-{fault}" for fault in FAULTS)


def test_a_bearing_is_looked_at_in_the_envelope(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "bearing.pth"
    result = call(train, "--data", folder, *SHAFT, "--bearing", "9:7.94:39.04", "--out", out)
    # The third order is beyond what an envelope of 125 Hz holds.
    assert result.exit_code == 0, result.output
    fault = load_checkpoint(out).fault
    assert fault is not None
    assert fault.orders == pytest.approx({"BPFO": 3.585, "2xBSF": 4.713, "BPFI": 5.415}, abs=1e-3)
    assert load_checkpoint(out).config["look"] == ("envelope",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--where", "unit=X"), "where unit: expected one of A, B, C, got X"),
        (("--bearing", "9:39.04:7.94"), "a ball smaller than the pitch circle"),
        (("--where", "unit=A", "--model", "cnn", "--where", "load=3"), "where load: expected one"),
        (("--order", "1x=1"), "shaft_hz: expected a speed"),
    ],
)
def test_what_can_not_be_done_is_said(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = call(train, "--data", folder, "--out", tmp_path / "x.pth", *arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


@pytest.mark.parametrize("text", ["9", "9:a:b", "9:1:2:3:4"])
def test_a_bearing_that_is_none_is_a_usage_error(folder: Path, tmp_path: Path, text: str) -> None:
    result = call(train, "--data", folder, "--out", tmp_path / "x.pth", "--bearing", text)
    assert result.exit_code == 2
    assert "BALLS:BALL_MM:PITCH_MM" in result.output
