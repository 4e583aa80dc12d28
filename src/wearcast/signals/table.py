"""Reader of one CSV file that holds a whole recording: a `time` column and one column a channel.

    time,horizontal,vertical
    2012-01-01T08:00:00.000000Z,0.552,-0.146
    2012-01-01T08:00:00.000039Z,0.501,-0.480

Columns are found by name and stand apart by `,` or `;`; others are left out. Times are ISO 8601
(UTC where no offset is given) or seconds since 1970.
"""

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.clock import format_time, parse_time
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.recording import Recording

TIME = "time"
# Times are often rounded; a thousandth of a second on a 10 Hz signal is 1%.
_RATE_TOLERANCE = 0.02
_DATE_DASHES = 2
# The year 5138: whatever is later is no time in seconds but, say, in milliseconds.
_LAST_S = 1e11


def read_table(path: Path, contract: Contract) -> Recording:
    """The recording in a CSV file, cut into the contract's blocks.

    Rows one sample period apart make a run. A run as long as the contract's window is one block; in
    a longer one, blocks start a hop apart. What is too short for a block is named in `skipped`. A
    block's number is the time since the first run, in hops, so missing blocks show as gaps.

    Raises:
        InputError: no header, a column is missing, a cell is no finite number or no time, times
            don't rise, two blocks in one hop, or no whole block.
        MismatchError: the sample rate is not the contract's.
    """
    names = [channel.name for channel in contract.channels]
    times_us, values = _read_columns(path, names)
    bounds = _find_runs(path, times_us, contract)
    numbers: list[int] = []
    firsts: list[int] = []
    skipped: list[str] = []
    for begin, end in bounds:
        run_firsts = _cut(end - begin, contract)
        if not run_firsts:
            rows = f"{path.name}: rows {begin + 2} to {end + 1}"
            skipped.append(str(InputError(rows, f"{contract.window} or more", end - begin)))
        run_number = _count_hops(int(times_us[begin] - times_us[0]), contract)
        for count, first in enumerate(run_firsts):
            if numbers and run_number + count <= numbers[-1]:
                raise InputError(
                    f"{path.name}: row {begin + first + 2}: {TIME}",
                    f"blocks {contract.hop_s:g} s apart",
                    format_time(int(times_us[begin + first])),
                )
            numbers.append(run_number + count)
            firsts.append(begin + first)
    if not numbers:
        raise InputError(
            path.name, f"{contract.window} rows or more in a run", f"{len(times_us)} rows"
        )
    return Recording(
        name=path.stem,
        sample_rate_hz=contract.sample_rate_hz,
        numbers=np.array(numbers, dtype=np.int64),
        starts_us=times_us[firsts],
        values=np.stack([values[:, first : first + contract.window] for first in firsts]),
        skipped=tuple(skipped),
    )


def _read_columns(path: Path, names: list[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Times in microseconds (rows,) and values (channels, rows)."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
            delimiter = ";" if ";" in header else ","
            columns = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
            wanted = [_find_column(path, columns, name) for name in (TIME, *names)]
            rows = file.readlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path.name, "a readable text file", error) from error
    if not rows:
        raise InputError(f"{path.name}: rows", "1 or more", 0)
    try:
        values = np.loadtxt(
            rows, np.float32, None, delimiter, usecols=wanted[1:], ndmin=2, quotechar='"'
        ).T
        # Bytes, as text would take four times the memory; 40 hold the longest time.
        times = np.loadtxt(rows, "S40", None, delimiter, usecols=wanted[0], ndmin=1, quotechar='"')
    except (ValueError, IndexError) as error:
        raise _find_fault(path, rows, delimiter, columns, wanted) from error
    if not np.isfinite(values).all():
        raise _find_fault(path, rows, delimiter, columns, wanted)
    return _read_times(path, times), np.ascontiguousarray(values)


def _find_column(path: Path, columns: list[str], name: str) -> int:
    if columns.count(name) != 1:
        raise InputError(
            f"{path.name}: header", f"one column {name!r}", ", ".join(columns) or "none"
        )
    return columns.index(name)


def _find_fault(
    path: Path, rows: list[str], delimiter: str, columns: list[str], wanted: list[int]
) -> InputError:
    for number, cells in enumerate(csv.reader(rows, delimiter=delimiter), 2):
        if not cells:
            continue
        if len(cells) <= max(wanted):
            return InputError(f"{path.name}: row {number}: columns", len(columns), len(cells))
        for column in wanted[1:]:
            try:
                finite = np.isfinite(float(cells[column]))
            except ValueError:
                finite = False
            if not finite:
                field = f"{path.name}: row {number}: {columns[column]}"
                return InputError(field, "a finite number", repr(cells[column]))
    return InputError(path.name, "rows of finite numbers", "something else")


def _read_times(path: Path, cells: NDArray[np.bytes_]) -> NDArray[np.int64]:
    try:
        seconds = cells.astype(np.float64)
    except ValueError:
        return _read_dates(path, cells)
    wrong = np.flatnonzero(~(np.abs(seconds) < _LAST_S))
    if len(wrong):
        raise _bad_time(path, cells, int(wrong[0]))
    return np.rint(seconds * 1e6).astype(np.int64)


def _read_dates(path: Path, cells: NDArray[np.bytes_]) -> NDArray[np.int64]:
    # NumPy reads a million a second, but no offsets; what it doesn't read is read one by one.
    has_offset = (np.char.find(cells, b"+") >= 0) | (np.char.count(cells, b"-") > _DATE_DASHES)
    if not has_offset.any():
        try:
            times = np.char.rstrip(cells, b"Z").astype("datetime64[us]")
        except ValueError:
            pass
        else:
            if not np.isnat(times).any():
                return times.astype(np.int64)
    return np.array([_read_date(path, cells, row) for row in range(len(cells))], np.int64)


def _read_date(path: Path, cells: NDArray[np.bytes_], row: int) -> int:
    try:
        return parse_time(cells[row].decode().strip())
    except ValueError:
        raise _bad_time(path, cells, row) from None


def _bad_time(path: Path, cells: NDArray[np.bytes_], row: int) -> InputError:
    field = f"{path.name}: row {row + 2}: {TIME}"
    return InputError(field, "ISO 8601 or seconds since 1970", repr(cells[row].decode()))


def _find_runs(
    path: Path, times_us: NDArray[np.int64], contract: Contract
) -> list[tuple[int, int]]:
    """First row and end of each run of rows that are one sample period apart."""
    period_us = 1e6 / contract.sample_rate_hz
    steps_us = np.diff(times_us)
    back = np.flatnonzero(steps_us <= 0)
    if len(back):
        row = int(back[0]) + 1
        raise InputError(
            f"{path.name}: row {row + 2}: {TIME}",
            f"later than {format_time(int(times_us[row - 1]))}",
            format_time(int(times_us[row])),
        )
    breaks = np.flatnonzero(steps_us > 1.5 * period_us) + 1
    bounds = [0, *breaks.tolist(), len(times_us)]
    runs = list(pairwise(bounds))
    begin, end = max(runs, key=lambda run: run[1] - run[0])
    if end - begin > 1:
        rate_hz = (end - begin - 1) / (times_us[end - 1] - times_us[begin]) * 1e6
    elif len(times_us) > 1:
        rate_hz = 1e6 / float(np.median(steps_us))
    else:
        return runs
    if abs(rate_hz / contract.sample_rate_hz - 1) > _RATE_TOLERANCE:
        raise MismatchError(
            "sample_rate_hz", contract.sample_rate_hz, f"{rate_hz:.6g}", reason="RATE"
        )
    return runs


def _cut(rows: int, contract: Contract) -> list[int]:
    """First row of each block in a run of so many rows."""
    hop = contract.hop_s * contract.sample_rate_hz
    count = int((rows - contract.window) / hop + 1e-9) + 1 if rows >= contract.window else 0
    return [round(number * hop) for number in range(count)]


def _count_hops(since_us: int, contract: Contract) -> int:
    return round(since_us / (contract.hop_s * 1e6))
