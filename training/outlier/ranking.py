"""How well scores tell unusual rows from others, and how often they raise an alarm."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.stages import SEVERE
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.curve import area_under_curve
from wearcast.training.outlier.config import ACTUAL, MULTIVARIATE, PREDICTED
from wearcast.training.outlier.score import Scores

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Way:
    """What one way says of each row: a score float64 (N,), high is unusual, and an alarm bool."""

    score: Array
    alarm: Mask

    def at(self, rows: Mask) -> "Way":
        """Of some rows, bool (N,)."""
        return Way(self.score[rows], self.alarm[rows])


@dataclass(frozen=True)
class Rates:
    """Alarms against labels, by rows. false_share: of normal rows; missed_share: of others."""

    f1: float
    false_share: float
    missed_share: float


def detector_ways(checkpoint: Checkpoint, scores: Scores) -> dict[str, Way]:
    """The detectors that judge values, each over all channels: the most unusual one counts.

    For a model with a global baseline in which both high and low readings are unusual. The score is
    the distance or the largest |z| that the percentile is made of, as many rows are at 100. An
    alarm is stage 4; of many channels one is there more often than 1% of the time.
    """
    fitted = {name: tensor.numpy() for name, tensor in checkpoint.state_dict.items()}
    ways = {}
    for detector in (MULTIVARIATE, ACTUAL, PREDICTED):
        points = scores.points(detector)
        if not len(points):
            continue
        value, stage = scores.value[:, points], scores.stage[:, points]
        if detector == ACTUAL:
            value = (value - fitted["table.mean"]) / fitted["table.sd"]
        elif detector == PREDICTED:
            value = value / fitted["table.sd"] - fitted["predicted.table.mean"]
            value = value / fitted["predicted.table.sd"]
        score = np.where(stage < 0, 0.0, np.abs(value)).max(axis=1)
        ways[detector] = Way(score, np.asarray((stage >= SEVERE).any(axis=1)))
    return ways


def auroc(way: Way, unusual: Mask) -> float:
    """Probability that an unusual row scores higher than a normal one, ties counted half."""
    return area_under_curve(way.score, unusual, np.ones(len(unusual)))


def average_precision(way: Way, unusual: Mask) -> float:
    """Mean precision over the unusual rows, each at its own score; NaN without any.

    A score that tells nothing has the share of unusual rows.

    >>> way = Way(np.array([3.0, 2.0, 1.0]), np.zeros(3, dtype=bool))
    >>> average_precision(way, np.array([True, False, True]))
    0.8333333333333333
    """
    if not unusual.any():
        return float("nan")
    _, group = np.unique(-way.score, return_inverse=True)
    hits = np.cumsum(np.bincount(group, unusual))
    count = np.cumsum(np.bincount(group))
    return float(np.sum(np.diff(hits, prepend=0) * hits / count) / hits[-1])


def alarm_rates(alarm: Mask, unusual: Mask) -> Rates:
    """F1 and the two kinds of error, by rows pooled."""
    hits = int((alarm & unusual).sum())
    return Rates(
        f1=2 * hits / max(int(alarm.sum() + unusual.sum()), 1),
        false_share=float((alarm & ~unusual).sum() / max((~unusual).sum(), 1)),
        missed_share=float(1 - hits / max(unusual.sum(), 1)),
    )


def count_raised(alarm: Mask) -> int:
    """How often an alarm is raised: rows with one after a row without.

    >>> count_raised(np.array([True, True, False, True]))
    2
    """
    return int((alarm & ~np.concatenate([[False], alarm[:-1]])).sum())


def stage_shares(stage: NDArray[np.float32]) -> Array:
    """Shares of rows at stage 1, 2, 3 and 4 or over, float64 (4,), of those that a stage is for."""
    applies = stage >= 0
    if not applies.any():
        return np.full(SEVERE, np.nan)
    return np.array([np.mean(stage[applies] >= least) for least in range(1, SEVERE + 1)])
