"""From life fractions to remaining life: the robust line, the prior, and their combination."""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import RulCalibration
from wearcast.signals.estimate import Band, Crossing, CrossingState, LifeLine, RemainingLife

_GRID_S = np.geomspace(1.0, 1e7, 321)
_SHORTEST_S = 10.0


def fit_line(
    ages_s: NDArray[np.float64], fractions: NDArray[np.float64]
) -> tuple[float, float] | None:
    """Theil-Sen line: slope a second and value at the last age; None below 2 points.

    Source: Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968).

    >>> slope, value = fit_line(np.array([0.0, 10.0, 20.0]), np.array([0.0, 0.1, 0.2]))
    >>> round(slope, 6), round(value, 6)
    (0.01, 0.2)
    """
    if len(ages_s) < 2:
        return None
    first, second = np.triu_indices(len(ages_s), 1)
    slopes = (fractions[second] - fractions[first]) / (ages_s[second] - ages_s[first])
    slope = float(np.median(slopes))
    value = float(np.median(fractions - slope * (ages_s - ages_s[-1])))
    return slope, value


def normal_tail(z: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Probability that a standard normal variable exceeds z."""
    return np.array([0.5 * math.erfc(x / math.sqrt(2)) for x in np.atleast_1d(z)])


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
        c = self._calibration
        self._points.append((age_s, life_fraction))
        line = self._line()
        value = life_fraction if line.value is None else line.value
        band = [*Band][int(np.searchsorted(c.thresholds[:3], value, side="right"))]
        self._alarm = self._alarm or band is Band.ALARM
        cdf = self._prior_cdf(age_s)
        crossing = line.crossings[-1] if line.crossings else None
        if crossing is not None and crossing.state is not CrossingState.NO_CROSSING:
            center = math.log(max(crossing.remaining_s or 0.0, _SHORTEST_S)) + c.line_log_bias
            line_cdf = 1 - normal_tail((np.log(_GRID_S) - center) / c.line_log_sd)
            cdf = (1 - c.line_weight) * cdf + c.line_weight * line_cdf
        tail = (1 - c.interval_probability) / 2
        low, median, high = np.interp([tail, 0.5, 1 - tail], cdf, _GRID_S)
        horizons = np.interp(c.horizons_s, _GRID_S, cdf)
        return RemainingLife(
            life_fraction=life_fraction,
            age_s=age_s,
            rul_s=float(median),
            rul_low_s=float(low),
            rul_high_s=float(high),
            interval_probability=c.interval_probability,
            failure_probabilities=tuple(zip(c.horizons_s, map(float, horizons), strict=True)),
            line=line,
            band=band,
            alarm=self._alarm,
        )

    def _line(self) -> LifeLine:
        points = np.array(self._points)
        fitted = fit_line(points[:, 0], points[:, 1])
        if fitted is None:
            return LifeLine(len(points), None, None, ())
        slope, value = fitted
        return LifeLine(
            len(points),
            value,
            slope,
            tuple(_crossing(level, slope, value) for level in self._calibration.thresholds[2:]),
        )

    def _prior_cdf(self, age_s: float) -> NDArray[np.float64]:
        c = self._calibration
        now = (math.log(max(age_s, 1.0)) - c.prior_log_mean) / c.prior_log_sd
        then = (np.log(age_s + _GRID_S) - c.prior_log_mean) / c.prior_log_sd
        alive = float(normal_tail(now)[0])
        return np.asarray(1 - normal_tail(then) / max(alive, 1e-300))


def _crossing(level: float, slope_per_s: float, value: float) -> Crossing:
    if value >= level:
        return Crossing(level, CrossingState.ALREADY_CROSSED)
    if slope_per_s <= 0:
        return Crossing(level, CrossingState.NO_CROSSING)
    return Crossing(level, CrossingState.AHEAD, (level - value) / slope_per_s)
