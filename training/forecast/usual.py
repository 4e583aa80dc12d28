"""What is usual at each minute of a day or a week: a line through knots, fitted by least squares.

Source: a linear spline on a circle; de Boor, A Practical Guide to Splines, Springer (1978).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# How long the clock takes to come round, in minutes; with no calendar there is one minute only.
PERIOD_MIN = {"none": 1, "day": 1_440, "week": 10_080}
# Between knots: short enough for the morning's rise, long enough to have many readings in each.
KNOT_MIN = 30
SPREAD_KNOT_MIN = 60
# A knot counts as if it had seen the mean so often: those that have no reading take it.
_PRIOR = 1e-3
# No reading is more exact than this share of its channel's spread.
_LEAST_SHARE = 0.05


def fit_usual(values: Array, minutes: Array, period_min: int, knot_min: float) -> Array:
    """Usual value at each minute of the period, float64 (period_min,).

    values: float64 (N,), NaN where missing. minutes: float64 (N,), of the week. Without any value
    it is 0 throughout.

    >>> fit_usual(np.array([1.0, 3.0, np.nan]), np.zeros(3), 1, 30.0)
    array([2.])
    """
    present = np.isfinite(values)
    mean = float(values[present].mean()) if present.any() else 0.0
    knots = int(period_min // knot_min)
    if knots < 2:  # noqa: PLR2004 a line needs two
        return np.full(period_min, mean)
    spacing = period_min / knots
    place, share = _split(minutes[present], spacing, knots)
    after = (place + 1) % knots
    rest = values[present] - mean
    diagonal = np.bincount(place, (1 - share) ** 2, knots) + np.bincount(after, share**2, knots)
    beside = np.bincount(place, share * (1 - share), knots)
    right = np.bincount(place, (1 - share) * rest, knots) + np.bincount(after, share * rest, knots)
    normal = np.diag(diagonal + _PRIOR)
    here = np.arange(knots)
    np.add.at(normal, (here, (here + 1) % knots), beside)
    np.add.at(normal, ((here + 1) % knots, here), beside)
    heights = np.linalg.solve(normal, right)
    place, share = _split(np.arange(period_min, dtype=np.float64), spacing, knots)
    usual: Array = mean + (1 - share) * heights[place] + share * heights[(place + 1) % knots]
    return usual


def fit_spread(deviations: Array, minutes: Array, period_min: int, knot_min: float) -> Array:
    """Usual size of a deviation at each minute, its root mean square, float64 (period_min,).

    Always above 0: 1 where nothing ever deviates.
    """
    squares = fit_usual(deviations**2, minutes, period_min, knot_min)
    present = np.isfinite(deviations)
    whole = float(np.sqrt(np.mean(deviations[present] ** 2))) if present.any() else 0.0
    if whole == 0:
        return np.ones(period_min)
    spread: Array = np.sqrt(np.maximum(squares, (_LEAST_SHARE * whole) ** 2))
    return spread


def _split(minutes: Array, spacing: float, knots: int) -> tuple[NDArray[np.int64], Array]:
    """The knot at or before each minute, and how far it is on the way to the next, 0 to 1."""
    position = minutes / spacing
    whole = np.floor(position)
    return whole.astype(np.int64) % knots, position - whole
