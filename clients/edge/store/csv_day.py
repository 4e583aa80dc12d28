"""One CSV file of the plant's table: the rows of a UTC day."""

import csv
import io
import logging
import math
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wearcast.signals.clock import format_time, parse_time
from wearcast.signals.plant_table import Columns, PlantRow

_LOG = logging.getLogger(__name__)


class Day(NamedTuple):
    """What is in a file: names of its columns, and the cells of each time, times rising.

    end: of its last whole line, in bytes from the start.
    """

    header: list[str]
    lines: dict[int, list[str]]
    end: int = 0


def read_day(path: Path, header: Sequence[str] = (), begin: int = 0) -> Day:
    """Read a file, or what stands in it from a byte on; then `header` says what its columns are.

    The last line of a time counts, a torn last line does not. A file that is not there has nothing
    in it. Lines that are no row are logged.
    """
    try:
        with path.open("rb") as file:
            file.seek(begin)
            content = file.read()
    except FileNotFoundError:
        content = b""
    whole = content.rfind(b"\n") + 1
    # Python's csv reads no NUL, which a power cut may leave.
    text = content[:whole].decode(errors="replace").replace("\0", "?")
    reader = csv.reader(text.splitlines())
    names = list(header) or next(reader, [])
    lines = {}
    for cells in reader:
        try:
            time_us = parse_time(cells[0])
        except (ValueError, IndexError):
            time_us = -1
        if time_us < 0 or len(cells) != len(names):
            _LOG.warning("%s, byte %d, line %d: left out", path, begin, reader.line_num)
        else:
            lines[time_us] = cells
    return Day(names, dict(sorted(lines.items())), begin + whole)


def replace_day(path: Path, day: Day) -> None:
    """Write a file anew, so that it has what it had or what it gets, also after a power cut."""
    unfinished = path.with_suffix(".unfinished")
    try:
        with unfinished.open("wb") as file:
            file.write(_make_text([day.header, *day.lines.values()]))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    flush_folder(path.parent)


def append_lines(path: Path, header: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """Add lines, behind a header where there is no file yet, and flush them to disk.

    Raises:
        OSError: they can't be written; the file is as it was.
    """
    with path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        left = memoryview(_make_text([*([] if before else [header]), *lines]))
        try:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.truncate(before)
            raise
    if not before:
        flush_folder(path.parent)


def drop_torn_line(path: Path) -> None:
    """Cut off what stands behind the last whole line."""
    with suppress(FileNotFoundError), path.open("rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
            os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make sure that the names of new files are on disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def make_cells(row: PlantRow) -> list[object]:
    """Cells of a row, in the order of `Columns.names`."""
    return [
        format_time(row.time_us),
        *row.readings,
        *row.predictions,
        *row.stages,
        " ".join(row.quality),
    ]


def make_rows(day: Day, columns: Columns, path: Path) -> list[PlantRow]:
    """Rows of these columns, times rising; None where a file has no such column."""
    places = {name: place for place, name in enumerate(day.header)}
    # The last cell is an empty one for columns that the file has not.
    wanted = [places.get(name, -1) for name in columns.names[1:]]
    channels = len(columns.channels)
    rows = []
    for time_us, cells in day.lines.items():
        extended = [*cells, ""]
        *found, quality = [extended[place] for place in wanted]
        try:
            rows.append(
                PlantRow(
                    time_us,
                    tuple(map(_read_number, found[:channels])),
                    tuple(map(_read_number, found[channels : 2 * channels])),
                    tuple(int(cell) if cell else None for cell in found[2 * channels :]),
                    tuple(quality.split()),
                )
            )
        except ValueError as error:
            _LOG.warning("%s, %s: left out: %s", path, cells[0], error)
    return rows


def _read_number(cell: str) -> float | None:
    if not cell:
        return None
    number = float(cell)
    return None if math.isnan(number) else number


def _make_text(lines: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()
