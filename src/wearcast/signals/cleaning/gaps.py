"""Gaps in a column of readings: where they are, and filling them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Filled(NamedTuple):
    """How many cells were filled, and the gaps that are left: first row and length, int64 each."""

    forward: int
    linear: int
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


def find_gaps(missing: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row and length of each run of missing rows, int64.

    >>> starts, lengths = find_gaps(np.array([True, False, True, True]))
    >>> starts.tolist(), lengths.tolist()
    ([0, 2], [1, 2])
    """
    places = np.flatnonzero(missing)
    if not len(places):
        return places, places
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    bounds = np.concatenate([[0], breaks, [len(places)]])
    return places[bounds[:-1]], np.diff(bounds)


def fill_gaps(
    column: NDArray[np.float64], filled: NDArray[np.bool_], *, gap_limit: int, forward_limit: int
) -> Filled:
    """Fill gaps of a column (N,) in place and mark the cells in `filled` (N,).

    Up to `forward_limit` rows take the reading before them; longer gaps a line between the readings
    before and after. A gap beyond `gap_limit` rows stays as a whole, and so does one that lacks a
    reading to fill it from.

    >>> column, filled = np.array([1.0, np.nan, 3.0]), np.zeros(3, bool)
    >>> _ = fill_gaps(column, filled, gap_limit=60, forward_limit=3)
    >>> column.tolist()
    [1.0, 1.0, 3.0]
    """
    starts, lengths = find_gaps(np.isnan(column))
    short = (starts > 0) & (lengths <= gap_limit)
    forward = short & (lengths <= forward_limit)
    linear = short & ~forward & (starts + lengths < len(column))

    places = _spread(starts[forward], lengths[forward])
    column[places] = np.repeat(column[starts[forward] - 1], lengths[forward])
    filled[places] = True

    begin, size = starts[linear], lengths[linear]
    before, after = column[begin - 1], column[begin + size]
    places_between = _spread(begin, size)
    share = (places_between - np.repeat(begin, size) + 1) / np.repeat(size + 1, size)
    column[places_between] = np.repeat(before, size) + np.repeat(after - before, size) * share
    filled[places_between] = True

    left = ~(forward | linear)
    return Filled(len(places), len(places_between), starts[left], lengths[left])


def _spread(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """All rows of runs."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - ends + lengths, lengths) + np.arange(lengths.sum())
