"""The predicted value: how far is the newest reading from what was expected an hour before?

A ridge regression tells the newest reading from the oldest ones of the window. It works on readings
standardised by the table of what is usual at their hour, so that it only has to learn how long a
departure from the usual lasts.
"""

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor, nn

from wearcast.training.outlier.config import OutlierConfig
from wearcast.training.outlier.folds import held_out
from wearcast.training.outlier.table import Array, NormalTable
from wearcast.training.outlier.verdict import Percentile, Verdict, judge

# Standardised readings beyond count as this far: a spike must not spoil the forecast an hour later.
_CLIP = 6.0
_LEAST_SHARE = 0.5
# Ridge penalty a window: directions in which the history varies less than this are shrunk away.
_PENALTY = 0.01
_CHUNK = 20_000


class PredictedDetector(nn.Module):
    """Residual against the forecast; applies where enough of the history is known."""

    weights: Tensor

    def __init__(self, config: OutlierConfig, places: int) -> None:
        super().__init__()
        self.history = config.history
        self.register_buffer("weights", torch.zeros(config.history, config.size))
        self.table = NormalTable(places, config.size)
        self.percentile = Percentile(config.sides)

    def forward(self, z: Tensor, known: Tensor, sd: Tensor, places: Tensor) -> Verdict:
        """Judge the newest of standardised readings float32 (B, S, channels).

        z is 0 where bool `known` is false. sd: float32 (B, channels), by which the newest was
        divided. places: int64 (B,), where in the table the newest belongs. The value is the
        residual in the channel's unit.
        """
        there = known[:, : self.history]
        count = there.float().sum(dim=1, keepdim=True)
        past = z[:, : self.history].clamp(-_CLIP, _CLIP)
        typical = past.sum(dim=1, keepdim=True) / count.clamp(min=1)
        # A missing reading counts as the mean of the others.
        filled = torch.where(there, past, typical)
        residual = z[:, -1] - (filled * self.weights).sum(dim=1)
        mean, spread = self.table.at(places)
        enough = count.squeeze(1) >= _LEAST_SHARE * self.history
        percentile = self.percentile((residual - mean) / spread)
        return judge(residual * sd, percentile, enough & known[:, -1])


def fit_weights(z: Array, config: OutlierConfig) -> tuple[Array, Array]:
    """Weights float64 (history, channels), and residuals of rows held out float64 (N, channels).

    z: float64 (N, channels), standardised readings, NaN where missing; the residuals are NaN where
    there is none.
    """
    weights = np.zeros((config.history, config.size))
    residuals = np.full(z.shape, np.nan)
    for channel in range(config.size):
        column = z[:, channel]
        history, usable = _make_history(column, config)
        usable &= ~np.isnan(column)
        target = np.clip(np.nan_to_num(column), -_CLIP, _CLIP)
        weights[:, channel] = _solve(history, target, usable)
        for teaches, out in held_out(len(column), config.sequence):
            rows = np.flatnonzero(out & usable)
            part = _solve(history, target, teaches & usable)
            residuals[rows, channel] = column[rows] - history[rows] @ part
    return weights, residuals


def _make_history(
    column: Array, config: OutlierConfig
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Filled history float32 (N, history) before each row, and whether enough of it is known."""
    lead = config.sequence - config.history
    padded = np.concatenate([np.full(config.sequence - 1, np.nan), column[: len(column) - lead]])
    windows = sliding_window_view(np.clip(padded, -_CLIP, _CLIP), config.history)
    history = np.empty(windows.shape, dtype=np.float32)
    count = np.empty(len(windows), dtype=np.int64)
    # A year is half a million windows: no more than a chunk of them at once in float64.
    for start in range(0, len(windows), _CHUNK):
        part = windows[start : start + _CHUNK]
        known = ~np.isnan(part)
        held = known.sum(axis=1)
        typical = np.where(known, part, 0.0).sum(axis=1) / np.maximum(held, 1)
        history[start : start + _CHUNK] = np.where(known, part, typical[:, None])
        count[start : start + _CHUNK] = held
    return history, count >= _LEAST_SHARE * config.history


def _solve(history: NDArray[np.float32], target: Array, teaches: NDArray[np.bool_]) -> Array:
    """Ridge weights float64 (history,); all 0 where nothing teaches."""
    size = history.shape[1]
    rows = np.flatnonzero(teaches)
    square = torch.zeros(size, size, dtype=torch.float64)
    product = torch.zeros(size, dtype=torch.float64)
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        past = torch.from_numpy(history[part].astype(np.float64))
        square += past.T @ past
        product += past.T @ torch.from_numpy(target[part])
    square += _PENALTY * max(len(rows), 1) * torch.eye(size, dtype=torch.float64)
    return np.asarray(torch.linalg.solve(square, product).numpy(), dtype=np.float64)
