"""From readings as they stood in a file to one row at each step of time.

In this order: rows are sorted; rows of the same time become one, or all rows of a step their mean
if the step is longer than the file's; steps without a row are inserted; empty rows are cut off at
both ends; readings outside bounds count as missing; gaps are filled. All of it is told in a report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.cleaning.gaps import Filled, fill_gaps
from wearcast.signals.cleaning.merging import Duplicates, merge_rows
from wearcast.signals.cleaning.plant_file import read_plant_file
from wearcast.signals.cleaning.raw_table import RawTable
from wearcast.signals.cleaning.report import ChannelReport, Report
from wearcast.signals.cleaning.time_grid import Grid, make_grid
from wearcast.signals.clock import format_time
from wearcast.signals.errors import FieldError, InputError
from wearcast.signals.rows import Rows

Bounds = Mapping[str, tuple[float, float]]

# Tukey's fences: Exploratory Data Analysis, 1977.
_FENCE = 1.5


@dataclass(frozen=True)
class Cleaned:
    """Rows at even steps; `filled` bool (N, channels) says which cells were filled."""

    rows: Rows
    filled: NDArray[np.bool_]
    report: Report


def load_rows(
    path: Path,
    channels: Sequence[str] | None = None,
    *,
    step_s: float | None = None,
    time: str | None = None,
    time_zone: str = "UTC",
    gap_limit: int = 0,
) -> Cleaned:
    """Read a plant file and clean it: what training and prediction see.

    Nothing is filled unless `gap_limit` says so, because a value between two readings knows the
    later one. The parameters are those of `read_plant_file` and `clean`.

    Raises:
        InputError: as `read_plant_file` and `clean`.
        MismatchError: the rows of the file are further apart than `step_s`.
    """
    raw = read_plant_file(path, channels, time=time, time_zone=time_zone)
    try:
        return clean(raw, step_s=step_s, gap_limit=gap_limit)
    except FieldError as error:
        error.args = (f"{path.name}: {error}",)  # it may be one of many files
        raise


def clean(
    raw: RawTable,
    *,
    step_s: float | None = None,
    gap_limit: int = 60,
    forward_limit: int = 3,
    duplicates: Duplicates = "mean",
    bounds: Bounds | None = None,
) -> Cleaned:
    """Bring readings to even steps of time; `raw` is left as it is.

    step_s: seconds between rows; None: the file's own step (see `measure_step`). If it is longer,
    a row is the mean of the readings from its time on and before the next row's.
    gap_limit: rows of the longest gap that is filled; 0 fills nothing. forward_limit: rows of the
    longest gap that takes the reading before it; longer ones are filled on a line (see
    `fill_gaps`).
    duplicates: the reading of a channel where several rows have the same time. "mean" by default:
    it depends on no order, leaves rows alone that were merely sent twice, and favours none of two
    that differ. "first" and "last" are by time, then by the order of the file, empty cells aside.
    bounds: lowest and highest reading of a channel that counts, at the step of the result; what
    lies outside is missing. Fit them with `fit_bounds`.

    Raises:
        InputError: no rows or no reading at all; a step that is not above 0, or none and the file
            has one time only; times so far apart that nearly all rows would be empty; a limit below
            0; bounds of an unknown channel.
        MismatchError: the rows of the file are further apart than `step_s`.
    """
    _check(raw, gap_limit, forward_limit, bounds or {})
    times_us, order = _sort(raw.times_us)
    grid = make_grid(times_us, step_s, raw.time_zone)
    columns = merge_rows(raw.values, order, grid, duplicates)
    first, end = _find_ends(columns)
    columns = columns[:, first:end]
    outside = _drop_outside(columns, raw.names, bounds or {})
    filled = np.zeros(columns.shape, bool)
    gaps = [
        fill_gaps(column, flags, gap_limit=gap_limit, forward_limit=forward_limit)
        for column, flags in zip(columns, filled, strict=True)
    ]
    rows = Rows(raw.names, grid.start_us + first * grid.step_us, grid.step_us, columns.T)
    return Cleaned(rows, filled.T, _report(raw, grid, rows, outside, gaps))


def fit_bounds(values: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """Lowest and highest reading of each channel that is no outlier: 1.5 IQR beyond the quartiles.

    values: float64 (N, channels), NaN where missing. Of the training part only: bounds that have
    seen the test part have seen the answers. They are stored with the model.

    A channel that is constant between its quartiles, like a valve that is mostly shut, has no
    spread to judge by, and one without readings has none either: theirs are -inf and inf.

    >>> fit_bounds(np.array([[1.0], [2.0], [3.0], [4.0], [5.0]]))
    ((-1.0, 7.0),)
    """
    bounds = []
    for column in values.T:
        readings = column[~np.isnan(column)]
        low, high = np.quantile(readings, (0.25, 0.75)).tolist() if len(readings) else (0.0, 0.0)
        reach = _FENCE * (high - low)
        bounds.append((low - reach, high + reach) if reach > 0 else (-np.inf, np.inf))
    return tuple(bounds)


def _check(raw: RawTable, gap_limit: int, forward_limit: int, bounds: Bounds) -> None:
    if not len(raw):
        raise InputError("rows", "1 or more", 0)
    for field, limit in (("gap_limit", gap_limit), ("forward_limit", forward_limit)):
        if limit < 0:
            raise InputError(field, "0 rows or more", limit)
    for name, (low, high) in bounds.items():
        if name not in raw.names:
            raise InputError("bounds", f"channels among {', '.join(raw.names)}", repr(name))
        if not low <= high:
            raise InputError(f"bounds: {name}", "a low and a high one", f"{low:g} and {high:g}")


def _sort(times_us: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Rising times, and the places they came from if they did not rise."""
    if (times_us[1:] >= times_us[:-1]).all():
        return times_us, None
    order = np.argsort(times_us, kind="stable")
    return times_us[order], order


def _drop_outside(
    columns: NDArray[np.float64], names: tuple[str, ...], bounds: Bounds
) -> dict[str, int]:
    """Set readings outside the bounds missing; gives their number by channel."""
    dropped = {}
    for name, (low, high) in bounds.items():
        column = columns[names.index(name)]
        outside = (column < low) | (column > high)
        column[outside] = np.nan
        dropped[name] = int(np.count_nonzero(outside))
    return dropped


def _find_ends(columns: NDArray[np.float64]) -> tuple[int, int]:
    """First row with a reading, and the row after the last.

    Raises:
        InputError: there is no reading.
    """
    rows = columns.shape[1]
    first = min(_count_empty(column) for column in columns)
    if first == rows:
        raise InputError("readings", "1 or more", "empty cells alone")
    return first, rows - min(_count_empty(column[::-1]) for column in columns)


def _count_empty(column: NDArray[np.float64]) -> int:
    """Rows before the first reading; mostly few, so the rest is not looked at."""
    size = 64
    while True:
        present = ~np.isnan(column[:size])
        if present.any():
            return int(present.argmax())
        if size >= len(column):
            return len(column)
        size *= 16


def _report(
    raw: RawTable, grid: Grid, rows: Rows, outside: Mapping[str, int], gaps: list[Filled]
) -> Report:
    first = (rows.start_us - grid.start_us) // grid.step_us
    begin, end = np.searchsorted(grid.cells, (first, first + len(rows)))
    own = end - begin - _count_repeats(grid.cells[begin:end])
    on_time = grid.times_us == grid.start_us + grid.cells * grid.step_us
    return Report(
        read=len(raw),
        kept=len(rows),
        start=format_time(rows.start_us),
        end=format_time(rows.start_us + (len(rows) - 1) * rows.step_us),
        step_s=grid.step_us / 1e6,
        file_step_s=None if grid.file_step_us is None else grid.file_step_us / 1e6,
        resampled=grid.resampled,
        unsorted=int(np.count_nonzero(raw.times_us < np.maximum.accumulate(raw.times_us))),
        duplicates=_count_repeats(grid.times_us if grid.resampled else grid.cells),
        moved=0 if grid.resampled else len(raw) - int(np.count_nonzero(on_time)),
        inserted=len(rows) - int(own),
        trimmed=grid.size - len(rows),
        untimed=raw.untimed,
        broken=raw.broken,
        left_out=raw.left_out,
        channels=tuple(
            _report_channel(raw, name, rows, outside.get(name, 0), gap)
            for name, gap in zip(raw.names, gaps, strict=True)
        ),
    )


def _count_repeats(rising: NDArray[np.int64]) -> int:
    return int(np.count_nonzero(rising[1:] == rising[:-1]))


def _report_channel(
    raw: RawTable, name: str, rows: Rows, outside: int, gaps: Filled
) -> ChannelReport:
    report = ChannelReport(name, raw.texts.get(name), outside, gaps.forward, gaps.linear)
    if not len(gaps.lengths):
        return report
    longest = int(gaps.lengths.argmax())
    return replace(
        report,
        empty=int(gaps.lengths.sum()),
        longest=int(gaps.lengths[longest]),
        longest_start=format_time(rows.start_us + int(gaps.starts[longest]) * rows.step_us),
    )
