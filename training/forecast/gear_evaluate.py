"""The gear forecaster on rows it has not seen, beside persistence and a linear map of the past."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wearcast.training.forecast.baselines import persist
from wearcast.training.forecast.evaluate import Score, measure_interval, score
from wearcast.training.forecast.gear import FITTING
from wearcast.training.forecast.gear_block import SEQUENCE, TARGET, GearRows
from wearcast.training.forecast.gear_train import ARCHITECTURE, HIDDEN, TrainedGear, train_gear
from wearcast.training.forecast.model import predict_windows
from wearcast.training.forecast.windows import Array
from wearcast.training.loss import MemberEpoch

AUTOREGRESSION = f"AR({SEQUENCE})"


@dataclass(frozen=True, eq=False)
class GearResult:
    """What a block's test part came to.

    scores: by way, in the target's unit. spread: highest less lowest reading of the target in the
    training part; an error over it is the scaled one. coverage, width: of the outer quantiles,
    the width in the target's unit. seconds: of training and answering.
    """

    trained: TrainedGear
    scores: dict[str, Score]
    spread: float
    coverage: float
    width: float
    seconds: float


def evaluate_gear(
    blocks: Mapping[int, GearRows],
    *,
    hidden: int = HIDDEN,
    epochs: int = FITTING.epochs,
    seed: int = 0,
    on_epoch: Callable[[MemberEpoch], None] = lambda _: None,
) -> list[GearResult]:
    """A model for each block, each scored on its block's test part; blocks: by number.

    Where Ctrl-C cuts a block's training short, the blocks after it are left out.
    """
    results = []
    for number, block in blocks.items():
        began = time.perf_counter()
        trained = train_gear(
            block, hidden=hidden, epochs=epochs, number=number, seed=seed, on_epoch=on_epoch
        )
        results.append(score_gear(trained, began))
        if trained.interrupted:
            break
    return results


def score_gear(trained: TrainedGear, began: float) -> GearResult:
    """Score a trained model on its block's test part; `began`: by `time.perf_counter`.

    The model's point is its median, as it is served.
    """
    test = trained.windows.test
    answers = predict_windows(trained.model, test)[:, 0, 0].astype(np.float64)
    column = trained.block.rows.column(TARGET)
    actual = column[test.ends + 1]
    ways = {
        ARCHITECTURE: answers[:, trained.model.config.middle],
        "persistence": persist(test)[:, 0, 0],
        AUTOREGRESSION: autoregress(column, trained.block.parts.training, test.ends),
    }
    coverage, width = measure_interval(actual, answers[:, 0], answers[:, -1])
    return GearResult(
        trained=trained,
        scores={name: score(actual, said) for name, said in ways.items()},
        spread=float(trained.model.target_spread),
        coverage=coverage,
        width=width,
        seconds=time.perf_counter() - began,
    )


def autoregress(column: Array, training: range, ends: NDArray[np.int64]) -> Array:
    """The row after each of `ends`, float64 (n,), as a linear map of the seven rows up to it.

    column: float64 (N,). The map, with a constant, is fitted by least squares to all windows of the
    rows of `training`.
    """
    taught = np.arange(training.start + SEQUENCE - 1, training.stop - 1)
    # What is fitted stays small about a middle, so that little is lost to rounding.
    middle = column[training.start : training.stop].mean()
    inputs = _list_past(column - middle, taught)
    weights = np.linalg.lstsq(inputs, column[taught + 1] - middle, rcond=None)[0]
    said: Array = _list_past(column - middle, ends) @ weights + middle
    return said


def _list_past(column: Array, ends: NDArray[np.int64]) -> Array:
    """Seven readings up to each end and a 1, float64 (n, 8)."""
    past = column[ends[:, None] + np.arange(1 - SEQUENCE, 1)]
    return np.concatenate([past, np.ones((len(ends), 1))], axis=1)
