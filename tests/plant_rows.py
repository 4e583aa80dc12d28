"""Readings of a made-up plant: flow and pressure that follow the hour and each other."""

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.clock import parse_time
from wearcast.signals.rows import Rows

START_US = parse_time("2024-01-01T00:00:00Z")  # a Monday
MINUTE_US = 60_000_000
CHANNELS = ("flow_rate", "pressure")


def make_rows(days: int, *, seed: int = 0, step_min: int = 1, missing: float = 0.0) -> Rows:
    """One row each `step_min` minutes; a share of the readings is missing.

    What people draw is strongest at noon and least at 3:00; it wanders with a memory of half an
    hour. Pressure falls as flow rises. Both are rounded as a sensor does.
    """
    random = np.random.default_rng(seed)
    count = days * 1440 // step_min
    hour = np.arange(count) * step_min / 60
    drawn = 40 - 20 * np.cos(2 * np.pi * (hour - 3) / 24)
    keeps = np.exp(-step_min / 30)
    wander = random.standard_normal(count) * np.sqrt(1 - keeps**2)
    for row in range(1, count):
        wander[row] += keeps * wander[row - 1]
    flow = drawn * (1 + 0.05 * wander) + 0.3 * random.standard_normal(count)
    pressure = 5 - 0.02 * flow + 0.01 * random.standard_normal(count)
    values: NDArray[np.float64] = np.stack([flow.round(2), pressure.round(3)], axis=1)
    values[random.uniform(size=values.shape) < missing] = np.nan
    return Rows(CHANNELS, START_US, step_min * MINUTE_US, values)
