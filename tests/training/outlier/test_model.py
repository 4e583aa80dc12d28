"""The graph as a whole: against the oracle, its stages, its batches, and as ONNX."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_outlier import naive_outlier, naive_stage
from numpy.typing import NDArray
from plant_rows import make_rows

from wearcast.export.graph import load_torchscript, write_onnx, write_torchscript
from wearcast.signals.rows import Rows
from wearcast.signals.stages import THRESHOLDS
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.outlier.model import OutlierModel
from wearcast.training.outlier.train import OutlierSettings, train_outlier
from wearcast.training.outlier.verdict import find_stage

OUTPUTS = ["value", "percentile", "stage", "cause"]
# Of float32 against the oracle's float64.
TOLERANCES = {"value": 1e-3, "percentile": 2e-3}
MODELS = {
    "by hour of the week": (1, OutlierSettings()),
    "by hour": (1, OutlierSettings(baseline="hour", sequence=60, history=20, smoothing=5)),
    "by weekday": (2, OutlierSettings(baseline="weekday", night="02:00-03:50")),
    "global, with a night": (5, OutlierSettings(baseline="global", night="00:00-23:50")),
    "without a clock": (1, OutlierSettings(baseline="global", night=None)),
    "steps longer than a slot": (15, OutlierSettings(sequence=24, history=12)),
}  # fmt: skip


def make_windows(rows: Rows, sequence: int, count: int, seed: int) -> tuple[NDArray, NDArray]:
    """Windows float32 (count, sequence, channels) at random places, and minutes of the week.

    Some have missing readings, equal ones, spikes, or nothing before a certain row.
    """
    random = np.random.default_rng(seed)
    ends = random.integers(sequence, len(rows), count)
    windows = np.stack([rows.values[end - sequence : end] for end in ends]).astype(np.float32)
    for number, window in enumerate(windows):
        kind = number % 8
        if kind == 1:
            window[random.uniform(size=window.shape) < 0.4] = np.nan
        elif kind == 2:
            window[-random.integers(2, sequence) :, 0] = window[-1, 0]
        elif kind == 3:
            window[-1] *= random.uniform(0.5, 2.0)
        elif kind == 4:
            window[: random.integers(0, sequence)] = np.nan
        elif kind == 5:
            window[-random.integers(1, 6) :, 1] = np.nan
        elif kind == 6:
            window[: sequence // 3, 0] *= 50.0
    minutes = (ends - 1) * rows.step_us / 60e6 % 10_080
    return windows, minutes.astype(np.float32)


def answer(
    model: OutlierModel, windows: NDArray, minutes: NDArray
) -> dict[str, NDArray[np.float32]]:
    inputs = [torch.from_numpy(windows[..., None])]
    if model.config.clock:
        inputs.append(torch.from_numpy(minutes))
    with torch.inference_mode():
        said = model(*inputs)
    return {name: part.numpy() for name, part in zip(OUTPUTS, said, strict=True)}


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_equals_the_oracle(name: str) -> None:
    step_min, chosen = MODELS[name]
    rows = make_rows(28, step_min=step_min, missing=0.02)
    zone = "UTC" if name != "without a clock" else None
    model = train_outlier(rows, units={}, time_zone=zone, settings=chosen).build_model()
    assert isinstance(model, OutlierModel)
    windows, minutes = make_windows(rows, model.config.sequence, 160, seed=1)
    said = answer(model, windows, minutes)
    applied = set()
    for row, window in enumerate(windows):
        expected = naive_outlier(model, window, minutes[row] if model.config.clock else None)
        for point, (value, percentile, stage, cause) in enumerate(expected):
            got = {output: part[row, point] for output, part in said.items()}
            assert got["value"] == pytest.approx(value, abs=1e-3, rel=1e-5), (row, point)
            assert got["percentile"] == pytest.approx(percentile, abs=2e-3), (row, point)
            assert got["cause"] == cause, (row, point)
            if min(abs(percentile - threshold) for threshold in THRESHOLDS) > 0.01:
                assert got["stage"] == stage, (row, point)
            if stage >= 0:
                applied.add(point)
    # Nothing is equal only because nothing ever applied.
    never = {3, 7} if name == "steps longer than a slot" else {7}
    points = len(expected)
    assert applied == set(range(points)) - (never if model.config.night_slots else set())


@given(st.floats(0, 100, width=32))
def test_stages_of_the_graph_are_those_of_the_table(percentile: float) -> None:
    given_ = torch.tensor([percentile])
    assert find_stage(given_, torch.tensor([True])).item() == naive_stage(percentile)
    assert find_stage(given_, torch.tensor([False])).item() == -1


@pytest.mark.parametrize(
    ("percentile", "stage"), [(89.99, 0), (90, 1), (95, 2), (98, 3), (99, 4), (100, 4)]
)
def test_a_stage_of_the_graph_begins_at_its_threshold(percentile: float, stage: int) -> None:
    assert find_stage(torch.tensor([percentile]), torch.tensor([True])).item() == stage


def test_windows_of_a_batch_do_not_influence_each_other(checkpoint: Checkpoint, rows: Rows) -> None:
    model = checkpoint.build_model()
    windows, minutes = make_windows(rows, checkpoint.sequence, 16, seed=2)
    together = answer(model, windows, minutes)
    windows[::2] = np.nan
    apart = answer(model, windows, minutes)
    for name in OUTPUTS:
        assert (together[name][1::2] == apart[name][1::2]).all()


def test_nothing_at_all_is_missing_and_not_applicable(checkpoint: Checkpoint) -> None:
    windows = np.full((3, checkpoint.sequence, 2), np.nan, dtype=np.float32)
    said = answer(checkpoint.build_model(), windows, np.float32([0, 1339, 10_079]))
    for row in range(3):
        assert said["stage"][row].tolist() == [4, -1, -1, -1, 4, -1, -1, -1, -1]
        assert said["cause"][row].tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 0]
        assert said["percentile"][row].tolist() == [100, 0, 0, 0, 100, 0, 0, 0, 0]
        assert said["value"][row].tolist() == [0] * 9


@settings(max_examples=60)
@given(
    readings=st.lists(
        st.floats(width=32, allow_nan=True, allow_infinity=True), min_size=1, max_size=12
    ),
    minute=st.floats(0, 10_079, width=32),
)
def test_every_output_is_finite(
    checkpoint: Checkpoint, readings: list[float], minute: float
) -> None:
    windows = np.resize(np.float32(readings), (1, checkpoint.sequence, 2))
    for part in answer(checkpoint.build_model(), windows, np.float32([minute])).values():
        assert np.isfinite(part).all()


def test_a_clock_that_is_not_there_is_an_error(checkpoint: Checkpoint) -> None:
    with pytest.raises(ValueError, match="minute_of_week: expected with a clock"):
        checkpoint.build_model()(torch.zeros(1, checkpoint.sequence, 2, 1))


@pytest.mark.parametrize("batch", [1, 8])
def test_exported_graphs_answer_as_the_model_does(
    checkpoint: Checkpoint, rows: Rows, tmp_path: Path, batch: int
) -> None:
    model = checkpoint.build_model()
    windows, minutes = make_windows(rows, checkpoint.sequence, batch, seed=3)
    inputs = (torch.from_numpy(windows[..., None]), torch.from_numpy(minutes))
    write_onnx(model, inputs, tmp_path / "graph.onnx", outputs=OUTPUTS, metadata={})
    write_torchscript(model, inputs, tmp_path / "graph.torchscript")
    session = onnxruntime.InferenceSession(tmp_path / "graph.onnx")
    script = load_torchscript(tmp_path / "graph.torchscript")
    for seed in range(4, 12):
        windows, minutes = make_windows(rows, checkpoint.sequence, 8, seed=seed)
        for start in range(0, 8, batch):
            part = windows[start : start + batch, ..., None], minutes[start : start + batch]
            expected = answer(model, part[0][..., 0], part[1])
            onnx = session.run(None, dict(zip(("blocks", "minute_of_week"), part, strict=True)))
            scripted = [item.numpy() for item in script(*map(torch.from_numpy, part))]
            for got in (onnx, scripted):
                for name, item in zip(OUTPUTS, got, strict=True):
                    bar = TOLERANCES.get(name, 0.0)
                    assert item == pytest.approx(expected[name], abs=bar, rel=1e-5)
