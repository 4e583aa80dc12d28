"""The plant's table as a folder of CSV files, one a UTC day: `2024-05-01.csv`.

Rows are appended and flushed to disk. A time that is there twice counts as its last line; once a
later day begins, the file is written anew with each time once, times rising. A line that a power
cut has torn is dropped: it was never acknowledged.

The header is `Columns.names`; an empty cell stands for "there is none". When columns change, the
file of the day is written anew with them; what is no longer asked for stays in it, behind them, and
is empty in rows that are written again.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from wearcast.clients.edge.store.csv_day import (
    Day,
    append_lines,
    drop_torn_line,
    flush_folder,
    make_cells,
    make_rows,
    read_day,
    replace_day,
)
from wearcast.signals.clock import format_time, parse_time
from wearcast.signals.errors import StoreError
from wearcast.signals.plant_table import Columns, PlantRow

_DAY_US = 86_400_000_000
# Up to here, files are looked for by their names, not in the whole folder.
_FEW_DAYS = 32


@dataclass
class _Kept:
    """The rows of the file that was read last, by time, up to byte `end`."""

    path: Path
    inode: int
    header: list[str]
    end: int
    rows: dict[int, PlantRow]


class CsvTable:
    """See `wearcast.clients.edge.store.tables.Table`. One writer; others may read meanwhile."""

    def __init__(self, folder: Path, columns: Columns) -> None:
        self.columns = columns
        self._folder = folder
        # How many columns the files have behind ours, of those that have been made ready.
        self._besides: dict[Path, int] = {}
        # May hold a time twice, or out of order.
        self._untidy: set[Path] = set()
        self._kept: _Kept | None = None

    def write(self, rows: Sequence[PlantRow]) -> None:
        """Append rows and flush them to disk; see `Table`."""
        days: dict[int, list[PlantRow]] = {}
        for row in rows:
            days.setdefault(row.time_us // _DAY_US, []).append(row)
        with self._told():
            for day in sorted(days):
                self._append(self._find_path(day), days[day])

    def read(self, first_us: int, end_us: int) -> list[PlantRow]:
        """Rows from first to before end; see `Table`."""
        first, end = first_us // _DAY_US, -(-end_us // _DAY_US)
        with self._told():
            if end - first > _FEW_DAYS:
                paths = [path for day, path in self._list_days() if first <= day < end]
            else:
                paths = [self._find_path(day) for day in range(max(0, first), end)]
            found = [list(self._load(path).values()) for path in paths]
        return [row for rows in found for row in rows if first_us <= row.time_us < end_us]

    def purge(self, before_us: int) -> int:
        """Delete files of days before a time, and rows of its own day; see `Table`."""
        count = 0
        with self._told():
            self._kept = None
            for start, path in self._list_days():
                if start * _DAY_US >= before_us:
                    break
                day = read_day(path)
                kept = {time: cells for time, cells in day.lines.items() if time >= before_us}
                count += len(day.lines) - len(kept)
                if not kept:
                    path.unlink(missing_ok=True)
                elif len(kept) < len(day.lines):
                    replace_day(path, Day(day.header, kept))
        return count

    def newest_us(self) -> int | None:
        """Time of the newest row; see `Table`."""
        with self._told():
            for _, path in reversed(self._list_days()):
                if rows := self._load(path):
                    return max(rows)
        return None

    def size_bytes(self) -> int:
        """Bytes on disk."""
        with self._told():
            return sum(path.stat().st_size for _, path in self._list_days())

    def close(self) -> None:
        """Forget what was read."""
        self._kept = None

    def _load(self, path: Path) -> dict[int, PlantRow]:
        """Rows of a file by time, rising; of the file that was read last, only what is new."""
        try:
            status = path.stat()
        except FileNotFoundError:
            return {}
        kept = self._kept
        same = kept is not None and (kept.path, kept.inode) == (path, status.st_ino)
        if kept is None or not same or kept.end > status.st_size:
            kept = _Kept(path, status.st_ino, [], 0, {})
        if kept.end != status.st_size:
            day = read_day(path, kept.header, kept.end)
            rows = {row.time_us: row for row in make_rows(day, self.columns, path)}
            merged = dict(sorted((kept.rows | rows).items()))
            kept = _Kept(path, status.st_ino, day.header, day.end, merged)
        self._kept = kept
        return kept.rows

    def _append(self, path: Path, rows: Sequence[PlantRow]) -> None:
        begins = not path.exists()
        if begins or path not in self._besides:
            self._kept = None
            self._make_ready(path)
        more = [""] * self._besides[path]
        append_lines(path, self.columns.names, ([*make_cells(row), *more] for row in rows))
        if begins:
            self._tidy()
        self._untidy.add(path)

    def _make_ready(self, path: Path) -> None:
        """Mend a file's end, and give it our columns."""
        if not self._folder.exists():
            self._folder.mkdir(parents=True)
            flush_folder(self._folder.parent)
        if not self._untidy:  # a run before this one may have been cut off
            self._untidy.update(file for _, file in self._list_days()[-2:])
        drop_torn_line(path)
        names = self.columns.names
        day = read_day(path)
        besides = [name for name in day.header if name not in names]
        if day.header and day.header != names + besides:
            places = [(*day.header, name).index(name) for name in names + besides]
            lines = {
                time: [[*cells, ""][place] for place in places] for time, cells in day.lines.items()
            }
            replace_day(path, Day(names + besides, lines))
        self._besides[path] = len(besides)

    def _tidy(self) -> None:
        """Write files anew that have times twice; a later day has begun."""
        self._kept = None
        for path in self._untidy:
            with suppress(OSError):  # they can be read as they are
                if (day := read_day(path)).lines:
                    replace_day(path, day)
        self._untidy.clear()

    def _find_path(self, day: int) -> Path:
        return self._folder / f"{format_time(day * _DAY_US)[:10]}.csv"

    def _list_days(self) -> list[tuple[int, Path]]:
        """Days since 1970 and path of each file, oldest first."""
        days = []
        for path in self._folder.glob("????-??-??.csv"):
            with suppress(ValueError):  # somebody else's file
                days.append((parse_time(path.stem) // _DAY_US, path))
        return sorted(days)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            problem = "disk full" if full else os.strerror(error.errno or 0)
            text = f"store: expected a folder to write to, got {self._folder}: {problem}"
            raise StoreError(text) from error
