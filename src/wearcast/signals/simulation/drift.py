"""What varies slowly by chance, such as speed and load."""

import math

import numpy as np
from numpy.typing import NDArray

# Points a time constant between which is a straight line. Chosen: finer makes no difference.
_KNOTS = 10


def draw_drift(
    random: np.random.Generator, times_s: NDArray[np.float64], constant_s: float
) -> NDArray[np.float64]:
    """An Ornstein-Uhlenbeck process of mean 0 and standard deviation 1 at the times.

    times_s: float64 (samples,), rising. constant_s: after this time, in seconds, 37% of a deviation
    is left. The source of its exact steps is Gillespie, Exact numerical simulation of the
    Ornstein-Uhlenbeck process and its integral, Phys. Rev. E 54 (1996).
    """
    step_s = constant_s / _KNOTS
    knots_s = np.arange(times_s[0], times_s[-1] + 2 * step_s, step_s)
    kept = math.exp(-step_s / constant_s)
    shocks = random.standard_normal(len(knots_s)).tolist()
    values = [shocks[0]]
    for shock in shocks[1:]:
        values.append(kept * values[-1] + math.sqrt(1 - kept**2) * shock)
    drift: NDArray[np.float64] = np.interp(times_s, knots_s, values)
    return drift
