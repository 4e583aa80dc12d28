"""Readings at even steps of time: what plant files become, and what plant models are trained on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """One row each `step_us` from `start_us` on, microseconds since 1970-01-01 UTC.

    channels: their names. values: float64 (N, channels); NaN where a reading is missing.
    """

    channels: tuple[str, ...]
    start_us: int
    step_us: int
    values: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.values)

    @property
    def times_us(self) -> NDArray[np.int64]:
        """Time of each row, int64 (N,)."""
        return self.start_us + self.step_us * np.arange(len(self), dtype=np.int64)

    def column(self, channel: str) -> NDArray[np.float64]:
        """Readings of one channel, float64 (N,)."""
        return self.values[:, self.channels.index(channel)]

    def between(self, first: int, end: int) -> "Rows":
        """Rows first to end - 1."""
        start_us = self.start_us + first * self.step_us
        return Rows(self.channels, start_us, self.step_us, self.values[first:end])
