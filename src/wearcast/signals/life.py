"""From life fractions to remaining life: the robust line, the prior, and their combination."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import RulCalibration
from wearcast.signals.estimate import Band, Crossing, CrossingState, LifeLine, RemainingLife


def fit_line(
    ages_s: NDArray[np.float64], fractions: NDArray[np.float64]
) -> tuple[float, float] | None:
    """Theil-Sen line: slope a second and value at the last age; None below 2 different ages.

    Source: Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968).

    >>> slope, value = fit_line(np.array([0.0, 10.0, 20.0]), np.array([0.0, 0.1, 0.2]))
    >>> round(slope, 6), round(value, 6)
    (0.01, 0.2)
    """
    if len(ages_s) < 2:
        return None
    first, second = np.triu_indices(len(ages_s), 1)
    slope = float(np.median((fractions[second] - fractions[first]) / (ages_s[second] - ages_s[first])))
    value = float(np.median(fractions - slope * (ages_s - ages_s[-1])))
    return slope, value


class LifeTracker:
    """Remembers recent life fractions of one asset and answers with its remaining life."""

    def __init__(self, calibration: RulCalibration) -> None:
        self._calibration = calibration
        self._points: deque[tuple[float, float]] = deque(maxlen=calibration.line_points)
        self._alarm = False

    def restore(self, answer: RemainingLife) -> None:
        """Remember an answer given earlier."""
        self._points.append((answer.age_s, answer.life_fraction))
        self._alarm = answer.alarm

    def update(self, age_s: float, life_fraction: float) -> RemainingLife:
        """The remaining life at an age, given the newest life fraction."""
        raise NotImplementedError
