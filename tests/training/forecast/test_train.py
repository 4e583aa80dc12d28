import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from plant_rows import make_rows
from program import run
from torch import Tensor

from wearcast.export.model_folder import export_checkpoint
from wearcast.serving.session import open_session
from wearcast.signals.cleaning.plant_writing import write_csv
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.training.checkpoint import load_checkpoint, save_checkpoint
from wearcast.training.forecast.model import predict_windows
from wearcast.training.forecast.train import ForecastSettings, Trained, train_forecast
from wearcast.training.forecast.windows import list_windows

ARCHITECTURES = ("linear", "lstm", "hybrid")
# Ten minutes a row, so that there is little to fit: six rows are an hour.
ROWS = make_rows(18, step_min=10, missing=0.01)
SETTINGS = ForecastSettings(window=12, horizons_s=(21_600.0, 43_200.0), epochs=1)
TARGETS = ("flow_rate", "pressure")


def train(
    architecture: str = "linear", rows: Rows = ROWS, *, recursive: bool = False, seed: int = 0
) -> Trained:
    settings = replace(SETTINGS, recursive=recursive)
    return train_forecast(rows, architecture, targets=TARGETS, settings=settings, seed=seed)


def same_weights(one: Trained, other: Trained) -> bool:
    pairs = zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_seed_gives_the_same_weights_and_the_test_part_changes_none(architecture: str) -> None:
    first = train(architecture)
    values = ROWS.values.copy()
    values[first.parts.test.start :] *= 3
    changed = Rows(ROWS.channels, ROWS.start_us, ROWS.step_us, values)
    assert same_weights(first, train(architecture, changed))
    assert first.checkpoint.training == train(architecture).checkpoint.training


def test_another_seed_gives_other_weights() -> None:
    assert not same_weights(train("lstm"), train("lstm", seed=1))


def test_the_callers_random_numbers_are_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train("hybrid")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("architecture", "recursive", "lstm_nodes"),
    # Two layers, two channels, and two steps to the second horizon.
    [("linear", False, 0), ("hybrid", False, 0), ("lstm", True, 8)],
)
def test_exported_graphs_are_served(
    architecture: str, *, recursive: bool, lstm_nodes: int, tmp_path: Path
) -> None:
    trained = train(architecture, recursive=recursive)
    path = tmp_path / "forecast.pth"
    save_checkpoint(path, trained.checkpoint)
    folder = export_checkpoint(path, "plant", tmp_path / "models", [2]).folder
    nodes = [node.op_type for node in onnx.load(folder / "batch-2.onnx").graph.node]
    assert nodes.count("LSTM") == lstm_nodes
    session = open_session(folder)
    windows = list_windows(trained.record, trained.model.config, trained.parts.test, due=True)
    minutes = windows.minutes(windows.ends)
    got = session.run(
        windows.blocks(windows.ends).numpy(), None if minutes is None else minutes.numpy()
    )
    expected = predict_windows(trained.model, windows)
    for place, output in enumerate(session.contract.outputs):
        assert np.allclose(got[output.name], expected[:, place], atol=output.tolerance, rtol=1e-5)


def test_calibration_covers_what_it_was_fitted_on() -> None:
    coverage = train().checkpoint.training["calibration_coverage"]
    assert coverage == pytest.approx({"0.1": 0.1, "0.5": 0.5, "0.9": 0.9}, abs=0.05)


def test_a_course_that_comes_again_is_forecast_at_its_time() -> None:
    """Penalties flatten it a little, but moved by a row or more it fits worse."""
    values = 50 + 20 * np.sin(2 * np.pi * np.arange(len(ROWS)) / 144)
    rows = Rows(("flow_rate",), ROWS.start_us, ROWS.step_us, values[:, None])
    settings = replace(SETTINGS, calendar="none")
    trained = train_forecast(rows, targets=["flow_rate"], settings=settings)
    windows = list_windows(trained.record, trained.model.config, trained.parts.test, due=True)
    said = predict_windows(trained.model, windows)[:, 0, :, 1]
    for column, horizon in zip(said.T, (36, 72), strict=True):
        rms = {}
        for moved in range(-6, 7):
            places = windows.ends[:, None] + horizon + moved - np.arange(6)
            followed = 50 + 20 * np.sin(2 * np.pi * places / 144)
            rms[moved] = np.sqrt(np.mean((column - followed.mean(axis=1)) ** 2))
        assert min(rms, key=lambda moved: rms[moved]) == 0
        assert rms[0] < 1


def answer_missing(trained: Trained) -> tuple[Tensor, ...]:
    blocks = torch.full((2, 12, 2, 1), torch.nan)
    answers: tuple[Tensor, ...] = trained.model(blocks, torch.tensor([0.0, 5000.0]))
    return answers


def test_windows_without_readings_have_a_finite_answer() -> None:
    for recursive in (False, True):
        for answer in answer_missing(train(recursive=recursive)):
            assert torch.isfinite(answer).all()
            assert (answer.diff(dim=-1) >= 0).all()


def test_what_does_not_fit_is_refused() -> None:
    def refuse(
        match: str, rows: Rows = ROWS, targets: tuple[str, ...] = TARGETS, **changes: object
    ) -> None:
        with pytest.raises(InputError, match=match):
            train_forecast(rows, targets=targets, settings=replace(SETTINGS, **changes))

    refuse("^rows: expected", rows=ROWS.between(0, 300))
    refuse("^targets: expected one or more of flow_rate, pressure", targets=("level",))
    refuse("^horizons: expected whole steps of 600 s, got 90 s", horizons_s=(90.0,))
    refuse("^mean: expected whole steps", mean_s=90.0)
    refuse("quantiles: expected rising, 0.5 among them", quantiles=(0.1, 0.9))
    refuse("whole multiples of 36 rows", horizons_s=(21_600.0, 28_800.0), recursive=True)
    empty = ROWS.values.copy()
    empty[:, 1] = np.nan
    refuse("^pressure: expected readings", rows=replace(ROWS, values=empty))


def test_the_verb_writes_a_checkpoint_and_the_course_of_the_losses(tmp_path: Path) -> None:
    data, out = tmp_path / "plant.csv", tmp_path / "forecast.pth"
    write_csv(data, ROWS, None)
    done = run(
        "train", "forecast", "--data", data, "--target", "flow_rate", "--channel", "pressure",
        "--unit", "flow_rate=m3/h", "--step", "10min", "--window", "2h", "--horizon", "12h",
        "--horizon", "6h", "--time-zone", "Asia/Seoul", "--out", out, "--json",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts["forecast"]["horizons_s"] == [21_600.0, 43_200.0]
    checkpoint = load_checkpoint(out)
    assert (checkpoint.sequence, checkpoint.time_zone) == (12, "Asia/Seoul")
    assert checkpoint.channels == (("flow_rate", "m3/h"), ("pressure", ""))
    assert out.with_suffix(".loss.csv").read_text().startswith("member,epoch,")
