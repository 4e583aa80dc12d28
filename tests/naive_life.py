"""Brute-force oracles of remaining life: the formulas as they stand, on fine linear grids."""

import math
from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import RulCalibration


def naive_line(ages_s: Sequence[float], fractions: Sequence[float]) -> tuple[float, float]:
    """Theil-Sen: median slope of all pairs, and the median line's value at the last age."""
    points = list(zip(ages_s, fractions, strict=True))
    slope = median(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for place, earlier in enumerate(points)
        for later in points[place + 1 :]
    )
    return slope, median(fraction + slope * (ages_s[-1] - age_s) for age_s, fraction in points)


def naive_cdf(
    calibration: RulCalibration,
    age_s: float,
    value: float,
    at_s: NDArray[np.float64],
    used_between: tuple[float, float],
) -> NDArray[np.float64]:
    """Distribution function of the remaining life at some seconds, without any correction."""
    c = calibration
    step_s = 10.0
    edges = np.arange(0.0, 4e5, step_s)
    middles = edges[:-1] + step_s / 2
    density = []
    for remaining_s in middles:
        life_s = age_s + remaining_s
        prior = math.exp(-(((math.log(life_s) - c.prior_log_mean) / c.prior_log_sd) ** 2) / 2)
        used = age_s / life_s
        heard = math.exp(-c.fraction_weight * ((value - used) / c.fraction_sd) ** 2 / 2)
        told = used_between[0] <= used <= used_between[1]
        density.append(told * prior / life_s * heard)
    total = np.concatenate([[0.0], np.cumsum(density)])
    return np.interp(at_s, edges, total / total[-1])


def naive_area(
    scores: Sequence[float], positive: Sequence[bool], weights: Sequence[float]
) -> float:
    """Weighted share of pairs (positive, negative) in which the positive scores higher."""
    won = total = 0.0
    for score, is_positive, weight in zip(scores, positive, weights, strict=True):
        for other, other_is_positive, other_weight in zip(scores, positive, weights, strict=True):
            if is_positive and not other_is_positive:
                pair = weight * other_weight
                won += pair * ((score > other) + 0.5 * (score == other))
                total += pair
    return won / total if total else float("nan")
