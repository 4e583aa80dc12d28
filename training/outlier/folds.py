"""Errors on data that was not fitted to: each fifth of the training rows is held out in turn."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wearcast.training.outlier.table import Array, Places, fit_table

FOLDS = 5


def held_out(rows: int, reach: int) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """For each fold which windows teach and which are held out, both bool (rows,).

    A window is named by its last row and reaches over `reach` rows. Folds are stretches of time,
    not random rows, because neighbours resemble each other; windows that share a row with a window
    held out do not teach.
    """
    place = np.arange(rows)
    edges = np.linspace(0, rows, FOLDS + 1).astype(int)
    for first, end in pairwise(edges):
        out = (place >= first) & (place < end)
        near = (place > first - reach) & (place < end + reach)
        yield ~near, out


def standardise_held_out(
    values: Array, places: Places, days: Places, groups: list[Places], reach: int
) -> Array:
    """Readings float64 (N, channels), each standardised by a table that was not fitted to it.

    So they scatter as those of coming weeks will, around a mean that is known from a few only.
    """
    z = np.full(values.shape, np.nan)
    for teaches, out in held_out(len(values), reach):
        mean, sd = fit_table(values[teaches], places[teaches], days[teaches], groups)
        z[out] = (values[out] - mean[places[out]]) / sd[places[out]]
    return z
