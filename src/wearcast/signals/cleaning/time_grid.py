"""Times of a file onto a grid of even steps."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.clock import format_time, local_us
from wearcast.signals.errors import InputError, MismatchError

_SECOND_US, _MINUTE_US = 1_000_000, 60_000_000
_DRIFT = 1.05
# Two years of minutes are always allowed; beyond, a wrong time is likelier than so few rows.
_FREE_ROWS, _MOST_EMPTY = 1 << 20, 4


class Grid(NamedTuple):
    """Rows each `step_us` from `start_us` on, for times of a file.

    times_us: the times, rising, int64 (N,). cells: the row of each, int64 (N,). file_step_us: the
    step between the times; None of one time.
    """

    start_us: int
    step_us: int
    file_step_us: int | None
    times_us: NDArray[np.int64]
    cells: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of rows."""
        return int(self.cells[-1]) + 1

    @property
    def resampled(self) -> bool:
        """Whether rows stand for several steps of the file."""
        return is_coarser(self.step_us, self.file_step_us)


def measure_step(times_us: NDArray[np.int64]) -> int | None:
    """The median step between rising times, snapped to whole minutes or seconds; None of one time.

    Snapped where that changes it by 1% at most: 59.9 s is a minute, 90 s stays.

    >>> measure_step(np.array([0, 59_900_000, 120_000_000, 180_000_000]))
    60000000
    """
    steps = np.diff(times_us)
    steps = steps[steps > 0]
    if not len(steps):
        return None
    # The lower of the two in the middle: their mean need not be a step at all.
    middle = (len(steps) - 1) // 2
    step_us = int(steps[middle])
    # What more than half of them are needs no sorting.
    if 2 * np.count_nonzero(steps == step_us) <= len(steps):
        step_us = int(np.partition(steps, middle)[middle])
    for unit_us in (_MINUTE_US, _SECOND_US):
        snapped_us = round(step_us / unit_us) * unit_us
        if snapped_us and abs(snapped_us - step_us) * 100 <= step_us:
            return snapped_us
    return step_us


def choose_step(file_step_us: int | None, step_s: float | None) -> int:
    """The step of the result, in microseconds.

    Raises:
        InputError: no step is wanted and the file has none; or it is not above 0.
        MismatchError: it is shorter than the file's, whose rows can't be taken apart.
    """
    if step_s is None:
        if file_step_us is None:
            raise InputError("step", "a duration, as the file has one time only", "none")
        return file_step_us
    step_us = round(step_s * _SECOND_US) if 0 < step_s < 1e9 else 0  # noqa: PLR2004 - 31 years
    if step_us < 1:
        raise InputError("step", "a duration above 0 s", f"{step_s:g} s")
    if file_step_us is not None and is_coarser(file_step_us, step_us):
        got = f"rows each {file_step_us / _SECOND_US:g} s in the file"
        raise MismatchError("step", f"rows each {step_s:g} s or closer", got)
    return step_us


def make_grid(times_us: NDArray[np.int64], step_s: float | None, zone: str) -> Grid:
    """The row of each of rising times; see `choose_step` for the step.

    Rows stand at whole multiples of the step since 1970-01-01 0:00 by the clock of the zone, with
    the offset of the first time: days begin at midnight, and keep their 24 hours when the clock is
    changed. A time belongs to the row nearest to it, the later one if two are; if rows stand for
    several steps of the file, to the last row that is not after it.

    Raises:
        InputError: as `choose_step`; the times lie so far apart that nearly all rows were empty.
        MismatchError: as `choose_step`.
    """
    file_step_us = measure_step(times_us)
    step_us = choose_step(file_step_us, step_s)
    ahead_us = 0 if is_coarser(step_us, file_step_us) else step_us // 2
    offset_us = int(local_us(times_us[:1], zone)[0] - times_us[0])
    cells = (times_us + (offset_us + ahead_us)) // step_us
    first = int(cells[0])
    cells -= first
    grid = Grid(first * step_us - offset_us, step_us, file_step_us, times_us, cells)
    if grid.size > max(_FREE_ROWS, _MOST_EMPTY * len(times_us)):
        widest = int(np.diff(times_us).argmax())
        raise InputError(
            "time",
            f"rows for a quarter of the time or more, each {step_us / _SECOND_US:g} s",
            f"{len(times_us):,} rows for {grid.size:,} steps: none between "
            f"{format_time(int(times_us[widest]))} and {format_time(int(times_us[widest + 1]))}",
        )
    return grid


def is_coarser(step_us: int, than_us: int | None) -> bool:
    """Whether one step is longer than the other; by 5% and less they differ as clocks drift.

    >>> is_coarser(61, 60), is_coarser(120, 60)
    (False, True)
    """
    return than_us is not None and step_us > _DRIFT * than_us
