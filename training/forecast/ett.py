"""The ETT benchmark: seven channels of two transformers, forecast up to 720 rows ahead.

12, 4 and 4 months of 30 days to fit to, to choose by, and to score; scaled by what is fitted to; a
window for each row; mean squared error of the scaled values over all windows, channels and rows.

Source: Zhou et al., Informer, AAAI (2021), for data and split; Qiu et al., TFB, PVLDB 17 (2024),
for scoring the last incomplete batch too.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wearcast.signals.errors import InputError
from wearcast.training.forecast.fit import fit_by_gradient, network_targets, squared_error
from wearcast.training.forecast.hybrid import FITTING, Hybrid, HybridConfig
from wearcast.training.forecast.linear import (
    PENALTIES,
    Linear,
    LinearConfig,
    RidgeMap,
)
from wearcast.training.forecast.model import Forecaster, predict_windows
from wearcast.training.forecast.moments import Moments, MomentSums
from wearcast.training.forecast.report import make_table
from wearcast.training.forecast.windows import Lessons, Record, Windows
from wearcast.training.resources import StepCost

# Files of the benchmark, and rows an hour.
FILES = {"ETTh1": ("ETTh1.csv", 1), "ETTm1": ("ETTm1.csv.gz", 4)}
HORIZONS = (96, 192, 336, 720)
MODELS = ("linear", "hybrid")
# What a ridge regression of others reaches, by horizon.
RIDGE = {"ETTh1": (0.370, 0.403, 0.428, 0.429), "ETTm1": (0.301, 0.336, 0.370, 0.414)}
# Rows of a window; the validation part chooses.
WINDOWS = (336, 720)
_MONTHS = (12, 16, 20)
_CHANNELS = 7


@dataclass(frozen=True)
class EttResult:
    """One model on one file at one horizon; errors of scaled values, seconds of all its steps.

    validation: mean squared error on the part to choose by; all channels share their weights.
    """

    data: str
    model: str
    horizon: int
    window: int
    windows: int
    validation: float
    mse: float
    mae: float
    seconds: float

    @property
    def ridge(self) -> float:
        """Mean squared error of the ridge regression of others."""
        return RIDGE[self.data][HORIZONS.index(self.horizon)]


def read_ett(path: Path) -> NDArray[np.float64]:
    """Readings float64 (N, 7) of a file of the benchmark, plain or compressed.

    Raises:
        InputError: no such file, or not seven numbers in each row.
    """
    try:
        values = np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(1, _CHANNELS + 1))
    except (OSError, ValueError) as error:
        raise InputError(path.name, "rows of a time and seven numbers", error) from error
    return values


def evaluate_ett(
    directory: Path,
    data: str,
    horizon: int,
    model: str = "linear",
    *,
    seed: int = 0,
) -> EttResult:
    """Fit a model to the first 12 months and score it on the last 4.

    Raises:
        InputError: no such file, model or horizon, or too few rows.
    """
    if model not in MODELS:
        raise InputError("model", " or ".join(MODELS), model)
    name, rate = FILES[data]
    values = read_ett(directory / name)
    edges = [months * 30 * 24 * rate for months in _MONTHS]
    if len(values) < edges[-1]:
        raise InputError(name, f"{edges[-1]} rows or more", len(values))
    began = time.perf_counter()
    readings = values[: edges[-1]]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        tried = [_fit(readings, edges, horizon, "linear", rows, seed=seed) for rows in WINDOWS]
        validation, fitted, test = min(tried, key=lambda item: item[0])
        window = fitted.config.sequence
        if model != "linear":
            validation, fitted, test = _fit(readings, edges, horizon, model, window, seed=seed)
        mse, mae = _score(fitted, test)
    finally:
        torch.set_num_threads(threads)
    return EttResult(
        data=data, model=model, horizon=horizon, window=window, windows=len(test),
        validation=validation, mse=mse, mae=mae, seconds=time.perf_counter() - began,
    )  # fmt: skip


def _fit(
    readings: NDArray[np.float64],
    edges: list[int],
    horizon: int,
    model: str,
    window: int,
    *,
    seed: int,
) -> tuple[float, Forecaster, Windows]:
    """Validation error, the model fitted, and the windows to score."""
    sizes: dict[str, Any] = {
        "channels": _CHANNELS,
        "targets": tuple(range(_CHANNELS)),
        "sequence": window,
        "horizons": tuple(range(1, horizon + 1)),
        "quantiles": (0.5,),
        "inputs": "shared",
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        hybrid = model == "hybrid"
        fitted: Linear | Hybrid = (
            Hybrid(HybridConfig(**sizes)) if hybrid else Linear(LinearConfig(**sizes))
        )
        record = Record(
            readings=torch.from_numpy(readings.astype(np.float32)),
            means=readings,
            minutes=torch.zeros(len(readings)),
            due=np.ones(len(readings), np.bool_),
        )
        bounds = (
            (0, edges[0], window - 1),
            (edges[0], edges[1], edges[0] - 1),
            (edges[1], edges[2], edges[1] - 1),
        )
        fit, choose, test = (
            Windows(record, fitted.config, np.arange(first, end - horizon), range(start, end))
            for start, end, first in bounds
        )
        seen = readings[: edges[0]]
        fitted.fit_scaling(seen, seen, np.zeros(len(seen)))
        fitted.eval()
        with torch.no_grad():
            loss = _fit_ridge(fitted, fitted.ridge, fit, choose)
        if isinstance(fitted, Hybrid):
            lessons = Lessons(fit=fit, choose=choose, learn=fit)
            fit_by_gradient(
                fitted, [fitted.correction], _mean_loss, lessons,
                FITTING.for_sequence(window), seed=seed, on_epoch=lambda _: None,
            )  # fmt: skip
            loss = _score(fitted, choose)[0]
    return loss, fitted, test


def _fit_ridge(model: Forecaster, ridge: RidgeMap, fit: Windows, choose: Windows) -> float:
    """Fit the weights with the penalty that does best on `choose`; its mean squared error there.

    Each window is seen from its last value, whatever the validation part would choose: its months
    lie near the year's mean, and those after it do not.
    """
    losses = []
    for group, (fitted, judged) in enumerate(
        zip(_sum_moments(model, ridge, fit), _sum_moments(model, ridge, choose), strict=True)
    ):
        values, vectors = torch.linalg.eigh(fitted.inputs)
        turned = vectors.T @ fitted.cross
        tried = [
            vectors @ (turned / (values.clamp(min=0) + penalty)[:, None]) for penalty in PENALTIES
        ]
        loss, best = min(
            ((judged.loss(weight), weight) for weight in tried), key=lambda pair: pair[0]
        )
        # On raw inputs: the last value is taken off all of them, and put back.
        best[-1] += 1 - best.sum(dim=0)
        ridge.weight[group] = best.T.float()
        losses.append(loss)
    return float(np.mean(losses))


def _sum_moments(model: Forecaster, ridge: RidgeMap, windows: Windows) -> list[Moments]:
    """Moments of each group, each window less its last value."""
    groups, ahead, width = ridge.weight.shape
    sums = MomentSums(groups, groups, width, ahead)
    for ends in windows.parts():
        inputs = ridge.inputs(model.prepare(windows.blocks(ends), None)).transpose(0, 1)
        outputs = network_targets(model, windows, ends).transpose(0, 1)
        last = inputs[..., -1:]
        inputs, outputs = inputs - last, outputs - last
        if groups == 1:
            inputs, outputs = inputs.reshape(1, -1, width), outputs.reshape(1, -1, ahead)
        sums.add(inputs, outputs)
    return list(sums.means())


def _mean_loss(said: Tensor, followed: Tensor) -> Tensor:
    """One loss of all channels, (1,)."""
    return squared_error(said, followed).mean()[None]


def _score(model: Forecaster, windows: Windows) -> tuple[float, float]:
    """Mean squared and mean absolute error of scaled values."""
    spread = model.target_scale(None)[1].numpy()
    squares = sizes = 0.0
    for ends in windows.parts():
        part = Windows(windows.record, windows.config, ends, windows.part)
        errors = (predict_windows(model, part)[..., 0] - windows.targets(ends).numpy()) / spread
        squares += float(np.square(errors, dtype=np.float64).mean(axis=(1, 2)).sum())
        sizes += float(np.abs(errors, dtype=np.float64).mean(axis=(1, 2)).sum())
    return squares / len(windows), sizes / len(windows)


def evaluate_all(
    directory: Path,
    models: tuple[str, ...] = ("linear",),
    *,
    seed: int = 0,
    on_done: Callable[[], None] = lambda: None,
) -> list[EttResult]:
    """All files that the folder has, at all horizons.

    Raises:
        InputError: it has none.
    """
    names = [data for data, (name, _) in FILES.items() if (directory / name).exists()]
    if not names:
        expected = " or ".join(name for name, _ in FILES.values())
        raise InputError(str(directory), expected, "neither")
    results = []
    for data in names:
        for model in models:
            for horizon in HORIZONS:
                results.append(evaluate_ett(directory, data, horizon, model, seed=seed))
                on_done()
    return results


def report_ett(results: list[EttResult], costs: list[StepCost]) -> list[str]:
    """Tables in Markdown."""
    rows = []
    for item in results:
        gain = item.mse - item.ridge
        rows.append(
            [
                item.data, str(item.horizon), item.model, str(item.window),
                 f"{item.windows:,}",
                f"{item.mse:.4f}", f"{item.ridge:.3f}", f"{gain:+.4f}", f"{item.mae:.4f}",
                f"{item.seconds:.1f}",
            ]
        )  # fmt: skip
    header = [
        "data", "horizon", "model", "window", "test windows", "MSE", "ridge of others",
        "difference", "MAE", "s",
    ]  # fmt: skip
    means = []
    for data, model in dict.fromkeys((item.data, item.model) for item in results):
        mine = [item for item in results if (item.data, item.model) == (data, model)]
        mse, ridge = (
            float(np.mean([getattr(item, name) for item in mine])) for name in ("mse", "ridge")
        )
        means.append([data, model, f"{mse:.4f}", f"{ridge:.4f}", f"{mse - ridge:+.4f}"])
    return [
        (
            "12, 4 and 4 months of 30 days to fit to, to choose by and to score; a window a row, "
            "the last incomplete batch kept; errors of scaled values, mean over seven channels."
        ),
        make_table(header, rows),
        "Means over the horizons:",
        make_table(["data", "model", "MSE", "ridge of others", "difference"], means),
        *map(str, costs),
    ]
