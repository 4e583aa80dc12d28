"""Several readings of one row to one: duplicates, and rows that stand for several of the file."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.cleaning.time_grid import Grid

Duplicates = Literal["mean", "first", "last"]


def merge_rows(
    values: NDArray[np.float64],
    order: NDArray[np.int64] | None,
    grid: Grid,
    rule: Duplicates,
) -> NDArray[np.float64]:
    """Readings of each row of the grid, float64 (channels, rows), NaN where there is none.

    values: float64 (N, channels), in the order of the file. order: the places of the rows in it by
    rising time; None where they are in that order already.
    """
    cells = grid.cells
    columns = np.full((values.shape[1], grid.size), np.nan)
    again = cells[1:] == cells[:-1]
    shared = np.zeros(len(cells), bool)
    shared[1:] |= again
    shared[:-1] |= again
    several = cells[shared]
    for column, out in zip(values.T, columns, strict=True):
        readings = column if order is None else column[order]
        if grid.resampled:
            _average(readings, cells, out)
            continue
        if grid.size == len(cells) and not len(several):
            out[:] = readings
        else:
            out[cells] = readings
        if len(several):
            out[several] = np.nan
            _choose(readings[shared], several, out, rule)
    return columns


def _choose(
    readings: NDArray[np.float64],
    cells: NDArray[np.int64],
    out: NDArray[np.float64],
    rule: Duplicates,
) -> None:
    """One reading of several for the cells that have several."""
    if rule == "mean":
        rows, groups = np.unique(cells, return_inverse=True)
        merged = np.empty(len(rows))
        _average(readings, groups, merged)
        out[rows] = merged
        return
    present = np.flatnonzero(~np.isnan(readings))
    # Of equal places the last assignment stays.
    places = present if rule == "last" else present[::-1]
    out[cells[places]] = readings[places]


def _average(
    readings: NDArray[np.float64], cells: NDArray[np.int64], out: NDArray[np.float64]
) -> None:
    present = ~np.isnan(readings)
    counts = np.bincount(cells[present], minlength=len(out))
    sums = np.bincount(cells[present], readings[present], minlength=len(out))
    out.fill(np.nan)
    np.divide(sums, counts, out=out, where=counts > 0)
