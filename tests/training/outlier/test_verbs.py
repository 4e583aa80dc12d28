"""`wearcast train outlier` and `wearcast evaluate outlier`, and what comes of them."""

import json
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from plant_rows import make_rows

from wearcast.clients.cli.evaluate_outlier import outlier as evaluate
from wearcast.clients.cli.train_outlier import outlier as train
from wearcast.export.model_folder import export_checkpoint
from wearcast.signals.clock import format_time
from wearcast.signals.errors import InputError
from wearcast.training.checkpoint import load_checkpoint

LEAK = slice(25 * 1440 + 600, 25 * 1440 + 700)


def call(command: click.Command, *arguments: object) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments)])


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four weeks with a leak on the 26th day; its label lies beside it."""
    rows = make_rows(28, missing=0.01)
    rows.values[LEAK, 0] += 30
    path = tmp_path_factory.mktemp("plant") / "plant.csv"
    stamps = [format_time(int(time)) for time in rows.times_us]
    lines = [
        ",".join([stamp, *("" if np.isnan(cell) else f"{cell:.3f}" for cell in cells)])
        for stamp, cells in zip(stamps, rows.values, strict=True)
    ]
    path.write_text("\n".join(["time,flow_rate,pressure", *lines]) + "\n")
    span = f"{stamps[LEAK.start]},{stamps[LEAK.stop]}"
    path.with_suffix(".labels.csv").write_text(f"start,end,kind,channel\n{span},leak,\n")
    return path


@pytest.fixture(scope="module")
def trained(plant: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("trained") / "outlier.pth"
    done = call(
        train, "--data", plant, "--out", out, "--unit", "flow_rate=m3/h", "--unit", "pressure=bar",
        "--range", "pressure=0:10", "--side", "pressure=lower", "--baseline", "hour", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return out, json.loads(done.stdout)


def test_training_writes_the_checkpoint_and_says_so(trained: tuple[Path, dict]) -> None:
    out, facts = trained
    checkpoint = load_checkpoint(out)
    assert facts["checkpoint"] == str(out)
    assert facts["training"] == json.loads(json.dumps(checkpoint.training))
    assert facts["training"]["rows"] == round(0.7 * 28 * 1440)
    assert facts["training"]["limits"]["pressure"]["high"] == 10
    assert [point["detector"] for point in facts["outlier"]["points"]] == [
        *["system", "actual", "predicted", "night"] * 2,
        "multivariate",
    ]
    assert [cost["step"] for cost in facts["costs"]] == ["read", "train", "write"]
    assert checkpoint.channels == (("flow_rate", "m3/h"), ("pressure", "bar"))
    assert tuple(checkpoint.config["sides"]) == ("upper", "lower")


def test_what_was_trained_is_exported(trained: tuple[Path, dict], tmp_path: Path) -> None:
    """Export refuses what ONNX and TorchScript do not answer as the model does."""
    exported = export_checkpoint(trained[0], "plant", tmp_path, (4,))
    contract = exported.contract
    assert (contract.kind, contract.time_zone) == ("outlier", "UTC")
    assert (contract.missing, contract.partial, contract.every_s) == (True, True, None)
    assert [output.name for output in contract.outputs] == [
        "value", "percentile", "stage", "cause",
    ]  # fmt: skip


def test_people_are_told_what_was_fitted(plant: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "outlier.pth"
    done = call(
        train, "--data", plant, "--out", out, "--channel", "pressure", "--step", "10min",
        "--train-share", "0.5", "--no-night",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = 28 * 144 // 2
    assert f"{out}: 1 channel(s), fitted to {rows:,} rows from 2024-01-01T00:00:00" in done.stdout
    assert load_checkpoint(out).hop_s == 600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--unit", "flow_rate"], "expected NAME=VALUE, each channel once, got 'flow_rate'"),
        (["--unit", "a=1", "--unit", "a=2"], "each channel once, got 'a=2'"),
        (["--range", "pressure=0-10"], "expected NAME=LOW:HIGH, got pressure=0-10"),
        (["--step", "quick"], "a duration above 0"),
        (["--train-share", "0"], "0.0 is not in the range"),
    ],
)
def test_a_mistaken_option_is_a_usage_error(
    arguments: list[str], message: str, plant: Path, tmp_path: Path
) -> None:
    done = call(train, "--data", plant, "--out", tmp_path / "out.pth", *arguments)
    assert done.exit_code == 2
    assert message in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--channel", "level"], "level"),
        (["--side", "pressure=up"], "side of pressure: expected upper or lower or both, got 'up'"),
        (["--range", "level=0:1"], "range: expected some of flow_rate, pressure, got level"),
        (["--night", "22:00"], "night: expected two times"),
    ],
)
def test_what_does_not_fit_is_bad_input(
    arguments: list[str], message: str, plant: Path, tmp_path: Path
) -> None:
    done = call(train, "--data", plant, "--out", tmp_path / "out.pth", *arguments)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_a_plant_is_judged_behind_what_was_fitted(
    plant: Path, trained: tuple[Path, dict], tmp_path: Path
) -> None:
    out = tmp_path / "new" / "table.md"
    done = call(
        evaluate, "--plant", plant, "--labels", plant.with_suffix(".labels.csv"),
        "--checkpoint", trained[0], "--out", out, "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["normal_days"] == pytest.approx(0.3 * 28 - (100 + 120) / 1440, abs=1e-3)
    (actual,) = [item for item in facts["kinds"] if item["detector"] == "actual"]
    assert (actual["kind"], actual["events"], actual["held"]) == ("leak", 1, 1)
    assert "| leak | actual | 1 of 1 | 1 of 1 | 9 |" in out.read_text()


def test_a_checkpoint_that_saw_all_of_a_plant_is_refused(plant: Path, tmp_path: Path) -> None:
    out = tmp_path / "outlier.pth"
    call(train, "--data", plant, "--out", out, "--train-share", "1")
    done = call(
        evaluate, "--plant", plant, "--labels", plant.with_suffix(".labels.csv"),
        "--checkpoint", out,
    )  # fmt: skip
    assert isinstance(done.exception, InputError)
    assert "expected rows after those that were fitted to, got none" in str(done.exception)


def test_what_to_judge_must_be_said(plant: Path, tmp_path: Path) -> None:
    for arguments in ([], ["--plant", plant], ["--data", tmp_path, "--plant", plant]):
        done = call(evaluate, *arguments)
        assert done.exit_code == 2
        assert "expected --data alone, or --plant, --labels and --checkpoint" in done.output
