"""A CSV file that something else appends to, followed like `tail -F`, from its first row on.

What was read is known by its content, not by the file's number: a checksum of the last bytes read.
So a file that was cut, rewritten or replaced is read from its start, and a longer copy of the same
file is read on. A file that was renamed is read to its end before the new one. A row is one line;
half a line waits for its end.
"""

import csv
import os
import threading
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from io import FileIO
from pathlib import Path
from typing import Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from wearcast.clients.edge.readings import Batch, Reading
from wearcast.clients.edge.sources.live import LiveSource, check_channels
from wearcast.clients.edge.sources.times import TimeReader
from wearcast.clients.edge.sources.values import GARBLED, read_text
from wearcast.signals.errors import InputError

_POLL_S = 0.5
_CHUNK_BYTES = 1 << 14
_SEEN_BYTES = 1 << 10


class CsvSettings(BaseModel):
    """A CSV file that grows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["csv"]
    name: str = "csv"
    """Unique among the sources."""
    path: Path
    """The file; what it was renamed to is looked for in the same folder."""
    time: str = "time"
    """Column of the times."""
    columns: dict[str, str] = {}
    """Channel of each column; empty: the columns that have a channel's name."""
    delimiter: str = Field(",", min_length=1, max_length=1)
    """What parts cells."""
    decimal: Literal[".", ","] = "."
    """What parts whole from fraction."""
    encoding: Literal["utf-8", "cp949"] = "utf-8"
    """Of the header; digits are alike in both."""
    time_zone: str = "UTC"
    """Of times without an offset, by its name in the IANA database."""
    follow: bool = True
    """Wait for more at the end; false: the source ends there."""


class _Place(msgspec.Struct):
    """Where reading goes on: behind `offset` bytes, the last `seen` of which have this checksum.

    inode: finds the file again under another name. newest_us: the newest time so far.
    """

    offset: int = 0
    seen: int = 0
    checksum: int = 0
    inode: int = 0
    newest_us: int = 0


class CsvSource(LiveSource):
    """Follows a CSV file.

    Raises:
        InputError: a column is mapped to something that is no channel; no such time zone.
    """

    def __init__(
        self,
        settings: CsvSettings,
        channels: Sequence[str],
        now_us: Callable[[], int],  # noqa: ARG002 - each row has its time
    ) -> None:
        super().__init__(settings.name)
        check_channels(f"sources.{self.name}.columns", settings.columns.values(), channels)
        self._settings = settings
        columns = settings.columns or {channel: channel for channel in channels}
        self._columns = {_normalize(name): channel for name, channel in columns.items()}
        self._times = TimeReader(settings.time_zone)
        self._place = _Place()
        self._file: FileIO | None = None
        self._over = False
        """Nothing more will be written into the open file."""
        self._seen = b""
        self._lacking = ""
        self._width = 0
        self._time_cell = 0
        self._cells: list[tuple[int, str]] = []

    def run(self, position: object, put: Callable[[Batch], None], stop: threading.Event) -> None:
        """See `readings.Source`."""
        if position is not None:
            self._place = msgspec.convert(position, _Place)
            self._times.newest_us = self._place.newest_us
        try:
            while not (stop.is_set() or self.ended):
                try:
                    lines, is_all = self._take_lines()
                    readings = self._read_rows(lines) if lines else []
                except (OSError, InputError) as error:
                    self._close()
                    self._pause(self._explain(error), stop)
                    continue
                if lines:
                    self._place.newest_us = self._times.newest_us
                    put(Batch(self.name, readings, msgspec.to_builtins(self._place)))
                if is_all:
                    self.caught_up = True
                    stop.wait(_POLL_S)
        finally:
            self._close()

    def _take_lines(self) -> tuple[bytes, bool]:
        """Whole lines behind the place, which moves behind them; whether that is all for now."""
        file = self._file or self._open()
        data = self._read_on(file)
        end = data.rfind(b"\n") + 1
        # No line is as long as a chunk; what is behind the last end of a line is a line at last.
        if not end and (len(data) == _CHUNK_BYTES or self._over):
            end = len(data)
        if end:
            if not self._place.offset:
                begin = data.find(b"\n", 0, end) + 1 or end
                self._read_header(data[:begin])
            else:
                begin = 0
            self._move(data[:end])
            return data[begin:end], len(data) < _CHUNK_BYTES and not self._over
        if not self._over:
            self._over = not self._settings.follow or self._is_replaced(file)
            return b"", not self._over
        self.ended = not self._settings.follow
        self.caught_up = self.ended
        self._close()
        self._place.inode = 0
        return b"", False

    def _open(self) -> FileIO:
        """The file that was read last, wherever it is now; else that at the path."""
        path, place = self._settings.path, self._place
        file = path.open("rb", buffering=0) if path.exists() else None
        if place.offset and (file is None or self._read_behind(file) is None):
            moved = self._find_moved()
            if moved is not None:
                if file is not None:
                    file.close()
                file = moved
        if file is None:
            raise InputError("path", "a file", f"nothing at {path}")
        self._file, self._over = file, False
        place.inode = os.fstat(file.fileno()).st_ino
        if place.offset and self._read_behind(file) is not None:
            file.seek(0)
            self._read_header(file.read(_CHUNK_BYTES).partition(b"\n")[0])
        return file

    def _find_moved(self) -> FileIO | None:
        """The file that was read last, under another name."""
        path = self._settings.path
        with os.scandir(path.parent) as entries:
            same = [
                Path(entry.path)
                for entry in entries
                if entry.inode() == self._place.inode and entry.name != path.name
            ]
        for found in same:
            file = found.open("rb", buffering=0)
            if self._read_behind(file) is not None:
                return file
            file.close()
        return None

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_behind(self, file: FileIO) -> bytes | None:
        """A chunk of what is behind the place; None: before it is not what was read."""
        place = self._place
        file.seek(place.offset - place.seen)
        data = file.read(place.seen + _CHUNK_BYTES)
        self._seen = data[: place.seen]
        if len(self._seen) < place.seen or zlib.crc32(self._seen) != place.checksum:
            return None
        return data[place.seen :]

    def _read_on(self, file: FileIO) -> bytes:
        data = self._read_behind(file)
        if data is not None:
            return data
        self.caught_up = False
        self._place = _Place(inode=self._place.inode, newest_us=self._place.newest_us)
        return self._read_behind(file) or b""

    def _move(self, data: bytes) -> None:
        place = self._place
        seen = (self._seen + data)[-_SEEN_BYTES:]
        place.offset += len(data)
        place.seen, place.checksum = len(seen), zlib.crc32(seen)

    def _is_replaced(self, file: FileIO) -> bool:
        """Whether another file is at the path now."""
        try:
            there = self._settings.path.stat()
        except FileNotFoundError:
            self._tell(f"path: expected a file, got nothing at {self._settings.path}")
            return False
        if self.problem.startswith("path"):
            self._settle()
        return not os.path.samestat(there, os.fstat(file.fileno()))

    def _read_header(self, line: bytes) -> None:
        text = line.decode(self._settings.encoding, "replace").removeprefix("\ufeff")
        names = [_normalize(cell) for cell in self._split(text.rstrip("\r\n"))]
        got = ", ".join(names)
        wanted = _normalize(self._settings.time)
        found = {name: channel for name, channel in self._columns.items() if name in names}
        if wanted not in names or not found:
            missing = ", ".join(self._columns) if wanted in names else wanted
            raise InputError("columns", f"{missing} in the header", got)
        self._width = len(names)
        self._time_cell = names.index(wanted)
        self._cells = [(names.index(name), channel) for name, channel in found.items()]
        self._lacking = ""
        if self._settings.columns and len(found) < len(self._columns):
            missing = ", ".join(name for name in self._columns if name not in found)
            self._lacking = f"columns: expected {missing} in the header, got {got}"
        self._settle()

    def _settle(self) -> None:
        """Nothing else is wrong than what the header lacks."""
        if self._lacking:
            self._tell(self._lacking)
        else:
            self._recover()

    def _split(self, line: str) -> list[str]:
        if '"' not in line:
            return line.split(self._settings.delimiter)
        try:
            return next(csv.reader([line], delimiter=self._settings.delimiter))
        except csv.Error:
            return []

    def _read_rows(self, lines: bytes) -> list[Reading]:
        readings: list[Reading] = []
        skipped = self.skipped
        comma = self._settings.decimal == ","
        for line in lines.decode(self._settings.encoding, "replace").split("\n"):
            if not line or line.isspace():
                continue
            cells = self._split(line.rstrip("\r"))
            try:
                time_us = self._times.read(cells[self._time_cell].strip())
            except (ValueError, IndexError):
                self._skip(f"{self._settings.time}: expected a time, got {line[:80]!r}")
                continue
            whole = len(cells) == self._width or (
                len(cells) > self._width and not any(cells[self._width :])
            )
            for cell, channel in self._cells:
                text = cells[cell] if whole else ""
                value, quality = (
                    read_text(text.replace(",", ".") if comma else text) if whole else GARBLED
                )
                readings.append(Reading(time_us, channel, value, quality))
        if readings and self.skipped == skipped:
            self._settle()
        return readings

    def _explain(self, error: OSError | InputError) -> str:
        if isinstance(error, InputError):
            return str(error)
        return f"path: expected a readable file, got {error.strerror} at {self._settings.path}"


def _normalize(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip())
