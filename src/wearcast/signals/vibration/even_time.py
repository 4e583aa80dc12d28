"""Checks that times are those of an even sampling, and finds its step."""

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError

# Times are often rounded: 0.1 us on a step of 5 us is 2%.
_TOLERANCE = 0.02


def find_step(file: str, times_s: NDArray[np.float64], first_row: int = 1) -> float:
    """The step of times in seconds (n,), from their whole span.

    file, first_row: where they come from, for the error's text.

    >>> round(find_step("a.csv", np.array([0.0, 0.1, 0.2001, 0.3])), 9)
    0.1

    Raises:
        InputError: there are fewer than two, a time is not later than the one before, or a step is
            over 2% from the middle one.
    """
    if len(times_s) < 2:  # noqa: PLR2004
        raise InputError(f"{file}: rows", "2 or more", len(times_s))
    steps_s = np.diff(times_s)
    back = np.flatnonzero(~(steps_s > 0))
    if len(back):
        row = int(back[0])
        raise InputError(
            f"{file}: row {row + 1 + first_row}: time",
            f"over {times_s[row]:.9g}",
            f"{times_s[row + 1]:.9g}",
        )
    middle_s = float(np.median(steps_s))
    uneven = np.flatnonzero(np.abs(steps_s - middle_s) > _TOLERANCE * middle_s)
    if len(uneven):
        row = int(uneven[0])
        raise InputError(
            f"{file}: row {row + 1 + first_row}: time",
            f"{middle_s:.6g} s after the row before, within {_TOLERANCE:.0%}",
            f"{steps_s[row]:.6g} s",
        )
    return float((times_s[-1] - times_s[0]) / (len(times_s) - 1))


def check_step(file: str, step_s: float, expected_s: float) -> None:
    """Check that a step is the one expected, within 2%.

    Raises:
        InputError: it is another; the rate is wrong.
    """
    if abs(step_s / expected_s - 1) > _TOLERANCE:
        expected = f"{expected_s:g} s ({1 / expected_s:.6g} Hz)"
        raise InputError(f"{file}: step", expected, f"{step_s:.6g} s ({1 / step_s:.6g} Hz)")
