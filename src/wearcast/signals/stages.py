"""Outlier stages: from how unusual a reading is to a stage of 0 to 4, and the slots of the night.

A percentile says how much of what is normal is less unusual than the reading, by the normal
distribution. The stages are those of plant operators, and half-open: 95 is stage 2, not 1.

    0 normal  below 90 | 1 interest  from 90 | 2 caution  from 95 | 3 alert  from 98
    4 severe  from 99
"""

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wearcast.signals.errors import InputError

# Percentiles where the stages 1 to 4 begin.
THRESHOLDS = (90.0, 95.0, 98.0, 99.0)
SEVERE = len(THRESHOLDS)
NOT_APPLICABLE = -1
Side = Literal["upper", "lower", "both"]
DAY_MIN = 1440
# A reading each minute makes ten-minute means; the night has 42, the first from 22:00, the last
# from 04:50 on.
SLOT_MIN = 10
NIGHT = "22:00-04:50"
_erf = np.frompyfunc(math.erf, 1, 1)


def find_stages(percentiles: ArrayLike) -> NDArray[np.int64]:
    """Stages int64, 0 to 4, of percentiles of any shape, 0 to 100.

    >>> find_stages([89.99, 90, 95, 98, 99, 100])
    array([0, 1, 2, 3, 4, 4])
    """
    return np.searchsorted(THRESHOLDS, np.asarray(percentiles, dtype=np.float64), side="right")


def normal_percentiles(z: ArrayLike, side: Side) -> NDArray[np.float64]:
    """Percentiles float64, 0 to 100, high is unusual, of standardised readings of any shape.

    side: which readings are unusual: "upper" high ones (the share of a standard normal below z),
    "lower" low ones, "both" those far from 0 (the share nearer to 0 than z).

    >>> normal_percentiles([1.2816, 1.6449], "upper").round(2)
    array([90., 95.])
    >>> normal_percentiles([-1.6449, 1.9600], "both").round(2)
    array([90., 95.])

    Raises:
        InputError: no such side.
    """
    ratio = np.asarray(z, dtype=np.float64) / math.sqrt(2)
    if check_side("side", side) == "both":
        return np.asarray(100.0 * _erf(np.abs(ratio)), dtype=np.float64)
    signed = ratio if side == "upper" else -ratio
    return np.asarray(50.0 * (1.0 + _erf(signed)), dtype=np.float64)


def check_side(field: str, side: str) -> Side:
    """The side, if it is one.

    Raises:
        InputError: it is none.
    """
    sides: tuple[Side, ...] = get_args(Side)
    for known in sides:
        if side == known:
            return known
    raise InputError(field, " or ".join(sides), repr(side))


def parse_night(text: str) -> tuple[int, int]:
    """Where the night begins, minutes since 0:00, and how many ten-minute slots it has.

    text: the clock times where its first and last slot begin.

    >>> parse_night("22:00-04:50")
    (1320, 42)

    Raises:
        InputError: not two clock times, or not whole ten minutes.
    """
    expected = f"two times HH:MM-HH:MM in steps of {SLOT_MIN} minutes, such as {NIGHT}"
    try:
        first, last = (_parse_clock(part) for part in text.split("-"))
    except ValueError as error:
        raise InputError("night", expected, repr(text)) from error
    if first % SLOT_MIN or last % SLOT_MIN:
        raise InputError("night", expected, repr(text))
    return first, (last - first) % DAY_MIN // SLOT_MIN + 1


def _parse_clock(text: str) -> int:
    hours, minutes = text.split(":")
    if not (hours.isdecimal() and minutes.isdecimal()):
        raise ValueError(text)
    clock = int(hours) * 60 + int(minutes)
    if int(minutes) >= 60 or clock >= DAY_MIN:  # noqa: PLR2004 minutes in an hour
        raise ValueError(text)
    return clock


def night_slots(
    minutes_of_week: NDArray[np.float32], step_s: float, start_min: int, slots: int
) -> NDArray[np.int64]:
    """Slot of the night that was complete last at each reading, int64; -1 outside the night.

    minutes_of_week: float32, since Monday, 0:00. A slot holds the readings from its begin to before
    its end, and is complete with the last of them: with readings each minute, the slot from 22:00
    is complete at 22:09 and is the newest complete one until 22:18.

    >>> night_slots(np.float32([1328, 1329, 1338, 1339, 308, 309]), 60.0, 1320, 42)
    array([-1,  0,  0,  1, 41, -1])
    """
    # Whole seconds: float32 holds those of a week exactly, but not sixths of a minute.
    seconds = np.round(minutes_of_week.astype(np.float64) * 60.0) + step_s
    begin_min = (seconds // (SLOT_MIN * 60) - 1) * SLOT_MIN
    places = ((begin_min - start_min) % DAY_MIN // SLOT_MIN).astype(np.int64)
    return np.where(places < slots, places, NOT_APPLICABLE)
