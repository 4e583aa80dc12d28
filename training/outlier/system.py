"""The system detector: is the sensor itself at fault, whatever the plant does?"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wearcast.training.outlier.config import CAUSES
from wearcast.training.outlier.verdict import Verdict

Array = NDArray[np.float64]
# The newest reading is compared with the one before it; up to three missing ones are bridged, as
# the cleaning of plant files does.
BRIDGED = 4
# A jump: twice as far as all but one in a thousand steps went in training.
_STEP_QUANTILE = 0.999
_JUMP = 2.0
# Physical range, where none is given: what all but two in a thousand readings spanned, and as much
# again on either side.
_RANGE_QUANTILES = (0.001, 0.999)
# Equal readings: twice as many as in all but the longest runs, which hold so small a share of the
# training data that they may be faults themselves; and never fewer than LEAST_STUCK.
_STUCK_SHARE = 0.02
_STUCK = 2
LEAST_STUCK = 10


@dataclass(frozen=True)
class Limits:
    """What a sensor of one channel can do.

    low, high: its physical range. jump: the farthest step from one reading to the next.
    stuck_rows: so many equal readings in a row mean that it is stuck; None: never.
    """

    low: float
    high: float
    jump: float
    stuck_rows: int | None


class SystemDetector(nn.Module):
    """MISSING, STUCK, out of physical RANGE, or a JUMP: percentile 100, else 0; always applies."""

    low: Tensor
    high: Tensor
    jump: Tensor
    stuck_rows: Tensor
    lags: Tensor

    def __init__(self, channels: int, sequence: int) -> None:
        super().__init__()
        for name in ("low", "high", "jump", "stuck_rows"):
            self.register_buffer(name, torch.zeros(channels))
        lags = torch.arange(sequence - 1, -1, -1, dtype=torch.float32).unsqueeze(1)
        self.register_buffer("lags", lags, persistent=False)

    def forward(self, readings: Tensor, known: Tensor) -> Verdict:
        """Judge the newest of readings float32 (B, S, channels), 0 where bool `known` is false."""
        newest, is_known = readings[:, -1], known[:, -1]
        before, has_before = torch.zeros_like(newest), torch.zeros_like(is_known)
        for lag in range(min(BRIDGED, readings.shape[1] - 1), 0, -1):
            there = known[:, -1 - lag]
            before = torch.where(there, readings[:, -1 - lag], before)
            has_before = has_before | there
        equal = known & (readings == newest.unsqueeze(1))
        older = self.lags >= self.stuck_rows
        stuck = (equal | older).all(dim=1) & (self.stuck_rows > 0)
        faults = (
            ~is_known,
            stuck,
            (newest < self.low) | (newest > self.high),
            has_before & ((newest - before).abs() > self.jump),
        )
        cause = torch.zeros_like(newest)
        for number in range(len(CAUSES), 0, -1):
            cause = torch.where(faults[number - 1], torch.full_like(cause, number), cause)
        percentile = torch.where(cause > 0, 100.0, 0.0)
        return Verdict(newest, percentile, torch.ones_like(is_known), cause)

    def load(self, limits: list[Limits]) -> None:
        """Take on fitted limits, one a channel."""
        for channel, item in enumerate(limits):
            self.low[channel] = item.low
            self.high[channel] = item.high
            self.jump[channel] = item.jump
            self.stuck_rows[channel] = item.stuck_rows or 0


def fit_limits(values: Array, sequence: int, physical: tuple[float, float] | None) -> Limits:
    """Limits of one channel from its readings float64 (N,), NaN where missing.

    physical: the range that is known. Readings outside of it teach nothing else.
    """
    values = values.astype(np.float32).astype(np.float64)  # equal as the graph sees it
    if physical is not None:
        values = np.where((values >= physical[0]) & (values <= physical[1]), values, np.nan)
    known = values[~np.isnan(values)]
    low, high = np.quantile(known, _RANGE_QUANTILES)
    span = high - low
    if physical is None:
        least = 1e-3 * (1.0 + np.abs(known).max())
        physical = (float(low - max(span, least)), float(high + max(span, least)))
    steps = np.abs(np.diff(values))
    steps = steps[~np.isnan(steps)]
    # A channel that hardly ever moves still may: to anywhere where it was seen.
    usual = np.quantile(steps, _STEP_QUANTILE) if len(steps) else 0.0
    jump = _JUMP * float(usual) if usual else float(np.ptp(known)) or physical[1] - physical[0]
    stuck_rows = max(LEAST_STUCK, _STUCK * _longest_usual_run(values))
    return Limits(*physical, jump, stuck_rows if stuck_rows <= sequence else None)


def _longest_usual_run(values: Array) -> int:
    """Length of the longest run of equal readings, but for those of a small share of all."""
    starts = np.concatenate([[True], values[1:] != values[:-1]])
    runs = np.bincount(np.cumsum(starts) - 1, ~np.isnan(values)).astype(np.int64)
    held = np.bincount(runs, runs.astype(np.float64))
    held[0] = 0.0
    beyond = held.sum() - np.cumsum(held)
    return int(np.argmax(beyond <= _STUCK_SHARE * held.sum()))
