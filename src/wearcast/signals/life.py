"""From life fractions to remaining life.

A model that errs says less than the truth near the end and more near the start, so the line through
its life fractions is first corrected: on machines held out from training it was a + b (true life
fraction) on average, and (line - a) / b is what is shown and compared with thresholds.

Let T be the whole life of an asset of age t, and v the corrected line's value now. What is known
of T is

    p(T | t, v)  ~  lognormal(T) for T > t,  times  exp(-w (v - t/T)^2 / (2 s^2))

The first factor is the prior of such machines' lives given that this one has lived until now; the
second is what the vibration says: s is the spread of the corrected line's errors on machines held
out, and w is the weight that their lives speak for. The remaining life is T - t. Last, its
distribution function F is corrected to G(F), where G is the distribution that F(true remaining
life) had on the machines held out, so that the intervals hold what they say.
"""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import RulCalibration
from wearcast.signals.estimate import Band, Crossing, CrossingState, LifeLine, RemainingLife

# Remaining lives in seconds at which distributions are computed, from a second to a century.
GRID_S = np.geomspace(1.0, 3.155e9, 506)
_LOG_GRID = np.log(GRID_S)


def fit_line(
    ages_s: NDArray[np.float64], fractions: NDArray[np.float64]
) -> tuple[float, float] | None:
    """Theil-Sen line: slope a second and value at the last age; None below 2 points.

    Source: Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968).

    >>> slope, value = fit_line(np.array([0.0, 10.0, 20.0]), np.array([0.0, 0.1, 0.2]))
    >>> round(slope, 6), round(value, 6)
    (0.01, 0.2)
    """
    if len(ages_s) < 2:  # noqa: PLR2004 a line needs two points
        return None
    first, second = np.triu_indices(len(ages_s), 1)
    slopes = (fractions[second] - fractions[first]) / (ages_s[second] - ages_s[first])
    slope = float(np.median(slopes))
    value = float(np.median(fractions - slope * (ages_s - ages_s[-1])))
    return slope, value


def remaining_cdf(
    calibration: RulCalibration,
    age_s: float,
    value: float,
    used_between: tuple[float, float] = (0.0, 1.0),
) -> NDArray[np.float64]:
    """Distribution function of the remaining life at `GRID_S`, float64, rising to 1.

    age_s: operating time so far; value: of the corrected line now; used_between: range of the
    true life fraction, where it is known from elsewhere.
    """
    c = calibration
    life_s = age_s + GRID_S
    used = age_s / life_s
    log_density = -0.5 * ((np.log(life_s) - c.prior_log_mean) / c.prior_log_sd) ** 2
    log_density += _LOG_GRID - np.log(life_s)
    log_density -= c.fraction_weight * 0.5 * ((value - used) / c.fraction_sd) ** 2
    inside = (used >= used_between[0]) & (used <= used_between[1])
    if inside.any():
        log_density = np.where(inside, log_density, -np.inf)
    density = np.exp(log_density - log_density.max())
    total = np.cumsum(density)
    cdf = (total - 0.5 * density) / total[-1]  # a sum in another order could give more than 1
    if c.levels:
        cdf = np.interp(cdf, c.levels, np.linspace(0.0, 1.0, len(c.levels)))
    return np.asarray(cdf)


def quantile_s(cdf: NDArray[np.float64], probability: float) -> float:
    """Remaining seconds that a distribution function at `GRID_S` reaches a probability at."""
    return float(np.exp(np.interp(probability, cdf, _LOG_GRID)))


class LifeTracker:
    """Remembers recent life fractions of one asset and answers with its remaining life."""

    def __init__(self, calibration: RulCalibration) -> None:
        self._calibration = calibration
        self._points: deque[tuple[float, float]] = deque(maxlen=calibration.line_points)
        self._alarm = False

    @property
    def memory(self) -> int:
        """How many earlier answers the next one hangs on."""
        return self._calibration.line_points

    def restore(self, answer: RemainingLife) -> None:
        """Remember an answer given earlier."""
        self._points.append((answer.age_s, answer.life_fraction))
        self._alarm = answer.alarm

    def update(self, age_s: float, life_fraction: float) -> RemainingLife:
        """The remaining life at an age, given the newest life fraction."""
        c = self._calibration
        self._points.append((age_s, life_fraction))
        line = self._line()
        value = self.correct(life_fraction) if line.value is None else line.value
        band = [*Band][int(np.searchsorted(c.thresholds[:3], value, side="right"))]
        self._alarm = self._alarm or band is Band.ALARM
        cdf = remaining_cdf(c, age_s, value)
        tail = (1 - c.interval_probability) / 2
        soon = np.interp(np.log(c.horizons_s), _LOG_GRID, cdf)
        return RemainingLife(
            life_fraction=life_fraction,
            age_s=age_s,
            rul_s=quantile_s(cdf, 0.5),
            rul_low_s=quantile_s(cdf, tail),
            rul_high_s=quantile_s(cdf, 1 - tail),
            interval_probability=c.interval_probability,
            failure_probabilities=tuple(zip(c.horizons_s, map(float, soon), strict=True)),
            line=line,
            band=band,
            alarm=self._alarm,
        )

    def correct(self, fraction: float) -> float:
        """The life fraction that such a value stands for on average."""
        c = self._calibration
        return (fraction - c.fraction_intercept) / c.fraction_slope

    def _line(self) -> LifeLine:
        points = np.array(self._points)
        fitted = fit_line(points[:, 0], points[:, 1])
        if fitted is None:
            return LifeLine(len(points), None, None, ())
        slope, value = fitted[0] / self._calibration.fraction_slope, self.correct(fitted[1])
        levels = self._calibration.thresholds[2:]
        crossings = tuple(_crossing(level, slope, value) for level in levels)
        return LifeLine(len(points), value, slope, crossings)


def _crossing(level: float, slope_per_s: float, value: float) -> Crossing:
    if value >= level:
        return Crossing(level, CrossingState.ALREADY_CROSSED)
    if slope_per_s <= 0 or not math.isfinite(slope_per_s):
        return Crossing(level, CrossingState.NO_CROSSING)
    return Crossing(level, CrossingState.AHEAD, (level - value) / slope_per_s)
