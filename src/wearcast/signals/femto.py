"""Reader of the PRONOSTIA layout: `BearingX_Y/acc_NNNNN.csv`, one snapshot a file.

Each file has no header and 2,560 rows: hour, minute, second, microsecond, horizontal g, vertical g;
0.1 s at 25.6 kHz, one file each 10 s. Columns stand apart by `,` or `;`; microseconds come as
`65664` or `4.2504e+05`. `temp_*.csv` lies beside them and is left out. A file that is not like that
is never cut to size: it is skipped and named, or refused with `strict`.

Source: Nectoux et al., PRONOSTIA: an experimental platform for bearings accelerated degradation
tests, IEEE PHM 2012.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.decimals import parse_decimals
from wearcast.signals.errors import InputError
from wearcast.signals.recording import Recording, gather
from wearcast.signals.series import Block

SAMPLE_RATE_HZ = 25_600.0
WINDOW = 2_560
HOP_S = 10.0
CHANNELS = ("horizontal", "vertical")
COLUMNS = ("hour", "minute", "second", "microsecond", *CHANNELS)

# The files hold a time of day and no date. The year is the challenge's, the day stands for none.
DAY = date(2012, 1, 1)
_DAY_US = 86_400_000_000

_ROW = "%d,%d,%d,%d,%.3f,%.3f\n"
_NAME = re.compile(r"acc_(\d+)\.csv")


class Fault(NamedTuple):
    """Why a file can't be used."""

    field: str
    expected: str
    got: str

    def error(self) -> InputError:
        """The same as an error."""
        return InputError(*self)


class Calendar:
    """Gives start times their day: each fall by more than half a day is a midnight passed.

    Smaller jumps of the clock, either way, stay as they were read.

    >>> calendar = Calendar()
    >>> [calendar.place(hours * 3_600_000_000) // 3_600_000_000 for hours in (23, 1, 0, 2)]
    [23, 25, 24, 26]
    """

    def __init__(self) -> None:
        self._midnights = 0
        self._previous_us: int | None = None

    def place(self, start_us: int) -> int:
        """The start of the next snapshot, given its start if all were taken on one day."""
        if self._previous_us is not None and self._previous_us - start_us > _DAY_US // 2:
            self._midnights += 1
        self._previous_us = start_us
        return start_us + self._midnights * _DAY_US


def find_bearings(path: Path) -> list[Path]:
    """Bearing folders at `path` or up to two folders below it, sorted.

    Raises:
        InputError: there are none.
    """
    found: list[Path] = []
    level = [path] if path.is_dir() else []
    for _ in range(3):
        below: list[Path] = []
        for folder in level:
            if _holds_snapshots(folder):
                found.append(folder)
            else:
                below += [child for child in folder.iterdir() if child.is_dir()]
        level = below
    if not found:
        raise _no_bearing(path)
    return sorted(found)


def list_snapshots(folder: Path) -> list[tuple[int, Path]]:
    """Pairs (sequence number, file) of a bearing folder by rising number: acc_00001.csv is 0.

    Raises:
        InputError: no such file there, or two of one number.
    """
    files = list(folder.iterdir()) if folder.is_dir() else []
    matches = ((_NAME.fullmatch(file.name), file) for file in files)
    snapshots = sorted((int(found[1]) - 1, file) for found, file in matches if found)
    if not snapshots:
        raise _no_bearing(folder)
    for (number, path), (next_number, next_path) in pairwise(snapshots):
        if number == next_number:
            raise InputError(str(folder), "one file a number", f"{path.name} and {next_path.name}")
    if snapshots[0][0] < 0:
        raise InputError(str(folder), "file numbers from 1 up", snapshots[0][1].name)
    return snapshots


def read_snapshot(path: Path, day: date = DAY) -> tuple[int, NDArray[np.float32]]:
    """Start on that day in microseconds since 1970, and values float32 (2, 2560) in g.

    Raises:
        InputError: the file is not a snapshot of 2,560 rows of six finite numbers.
    """
    parsed = _parse(path)
    if isinstance(parsed, Fault):
        raise parsed.error()
    time_of_day_us, values = parsed
    return _midnight_us(day) + time_of_day_us, values


def iterate_bearing(
    path: Path,
    *,
    day: date = DAY,
    strict: bool = False,
    on_skip: Callable[[str], None] | None = None,
) -> Iterator[Block]:
    """Blocks of a bearing folder in order, each as soon as its file is read.

    on_skip: is told of each file that was skipped.

    Raises:
        InputError: no snapshot there that can be read; with `strict`, one that can't be.
    """
    snapshots = list_snapshots(path)
    return iterate_snapshots(snapshots, day=day, strict=strict, on_skip=on_skip)


def iterate_snapshots(
    snapshots: Sequence[tuple[int, Path]],
    *,
    day: date = DAY,
    strict: bool = False,
    on_skip: Callable[[str], None] | None = None,
) -> Iterator[Block]:
    """As `iterate_bearing`, of given pairs (sequence number, file) by rising number."""
    midnight_us = _midnight_us(day)
    calendar = Calendar()
    expected = 0
    fault: Fault | None = None
    for number, path in snapshots:
        parsed = _parse(path)
        if isinstance(parsed, Fault):
            fault = parsed
            if strict:
                raise fault.error()
            if on_skip is not None:
                on_skip(str(fault.error()))
            continue
        time_of_day_us, values = parsed
        yield Block(
            sequence=number,
            start_us=calendar.place(midnight_us + time_of_day_us),
            sample_rate_hz=SAMPLE_RATE_HZ,
            values=values,
            after_gap=number != expected,
        )
        expected = number + 1
    if expected == 0 and fault is not None:
        raise fault.error()


def read_bearing(
    path: Path,
    *,
    day: date = DAY,
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Recording:
    """All of a bearing folder; see `iterate_bearing`. progress: is called with (done, all)."""
    return read_snapshots(
        list_snapshots(path),
        path.resolve().name,
        day=day,
        strict=strict,
        progress=progress,
    )


def read_snapshots(
    snapshots: Sequence[tuple[int, Path]],
    name: str,
    *,
    day: date = DAY,
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Recording:
    """As `read_bearing`, of given pairs (sequence number, file) by rising number."""
    skipped: list[str] = []
    blocks = iterate_snapshots(snapshots, day=day, strict=strict, on_skip=skipped.append)

    def watched() -> Iterator[Block]:
        for done, block in enumerate(blocks, 1):
            if progress is not None:
                progress(done + len(skipped), len(snapshots))
            yield block

    return gather(watched(), name, skipped)


def write_snapshot(path: Path, start_us: int, values: NDArray[np.float32]) -> None:
    """Write values float32 (2, 2560) in g, to 0.001 g, in the layout that `read_snapshot` reads."""
    offsets_us = np.arange(WINDOW) * 1e6 / SAMPLE_RATE_HZ
    seconds, microseconds = np.divmod(start_us + offsets_us.astype(np.int64), 1_000_000)
    minutes, second = np.divmod(seconds, 60)
    hours, minute = np.divmod(minutes, 60)
    columns = (hours % 24, minute, second, microseconds, *values)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    # Renamed when whole, so that whoever follows the folder never sees half a file.
    part = path.with_suffix(".part")
    part.write_text("".join([_ROW % row for row in rows]), encoding="ascii")
    part.replace(path)


def _parse(path: Path) -> tuple[int, NDArray[np.float32]] | Fault:
    """Time of day of the first row in microseconds and the values, or what is wrong."""
    try:
        text = path.read_bytes()
        text.decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        return Fault(path.name, "a readable text file", str(error))
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    if text and not text.endswith(b"\n"):
        text += b"\n"
    first_row = text.partition(b"\n")[0].decode()
    delimiter = _delimiter(first_row)
    values = _parse_regular(text, delimiter)
    if values is None:
        rows = text.decode().splitlines()
        fault = _find_fault(path, rows, delimiter)
        if fault is not None:
            return fault
        values = np.loadtxt(rows, np.float32, None, delimiter, usecols=(4, 5), unpack=True)
    time_of_day_us = _read_time(first_row.split(delimiter))
    if time_of_day_us is None:
        return _bad_time(path, first_row)
    return time_of_day_us, values


def _parse_regular(text: bytes, delimiter: str) -> NDArray[np.float32] | None:
    """Values of a file as nearly all are: 2,560 full rows of plain numbers; None for others."""
    characters = np.frombuffer(text, np.uint8)
    is_end = characters == ord("\n")
    all_ends = np.flatnonzero(is_end | (characters == ord(delimiter)))
    if len(all_ends) != WINDOW * len(COLUMNS):
        return None
    ends = all_ends.reshape(WINDOW, len(COLUMNS))
    if not is_end[ends[:, -1]].all() or np.count_nonzero(is_end) != WINDOW:
        return None
    starts = (ends[:, 3:5] + 1).T.ravel()
    numbers = parse_decimals(text, starts, ends[:, 4:6].T.ravel())
    return None if numbers is None else numbers.astype(np.float32).reshape(len(CHANNELS), WINDOW)


def _find_fault(path: Path, rows: list[str], delimiter: str) -> Fault | None:
    if len(rows) != WINDOW:
        return Fault(f"{path.name}: rows", str(WINDOW), str(len(rows)))
    for number, row in enumerate(rows, 1):
        cells = row.split(delimiter)
        if len(cells) != len(COLUMNS):
            return Fault(f"{path.name}: row {number}: columns", str(len(COLUMNS)), str(len(cells)))
        for name, cell in zip(CHANNELS, cells[4:], strict=True):
            if not np.isfinite(_number(cell)):
                return Fault(f"{path.name}: row {number}: {name}", "a finite number", repr(cell))
    return None


def _read_time(cells: list[str]) -> int | None:
    """Time of day in microseconds; None if it is none.

    >>> _read_time(["8", "8", "0", "4.2504e+05", "0.065", "-0.058"])
    29280425040
    """
    limits = (24, 60, 60, 1_000_000)
    numbers = [_number(cell) for cell in cells[: len(limits)]]
    if len(cells) != len(COLUMNS) or not all(
        0 <= number < limit for number, limit in zip(numbers, limits, strict=True)
    ):
        return None
    hour, minute, second, microsecond = numbers
    return round((hour * 3600 + minute * 60 + second) * 1_000_000 + microsecond)


def _bad_time(path: Path, row: str) -> Fault:
    expected = "hour below 24, minute and second below 60, microsecond below 1000000"
    return Fault(f"{path.name}: row 1: time", expected, repr(row.strip()[:80]))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _delimiter(row: str) -> str:
    return ";" if ";" in row else ","


def _midnight_us(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def _holds_snapshots(folder: Path) -> bool:
    return any(_NAME.fullmatch(file.name) for file in folder.iterdir())


def _no_bearing(path: Path) -> InputError:
    got = "no such folder" if not path.is_dir() else "a folder without such files"
    return InputError(str(path), "a bearing folder with acc_00001.csv ..., or a folder above", got)
