"""A PRONOSTIA folder as the source of a live stream: replayed, or followed while it grows."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wearcast.signals.errors import InputError
from wearcast.signals.femto import (
    HOP_S,
    SAMPLE_RATE_HZ,
    WINDOW,
    Calendar,
    list_snapshots,
    read_snapshot,
    read_start,
)
from wearcast.signals.series import Block

_TICK_S = 0.2


class Replay:
    """A recorded folder at `speed` times real time, by the hop of 10 s; 0: as fast as possible.

    on_skip: is told, once, of each file that can't be used.
    """

    def __init__(
        self, folder: Path, *, speed: float, on_skip: Callable[[str], None] | None = None
    ) -> None:
        self._folder = folder
        self._speed = speed
        self._skips = _Skips(on_skip)
        self._first: tuple[float, int] | None = None
        list_snapshots(folder)

    def blocks(self, from_sequence: int) -> Iterator[Block | None]:
        """Blocks from that number on, each when its time has come."""
        reader = _Reader(list_snapshots(self._folder), from_sequence, self._skips)
        for number, path in reader.wanted:
            block = reader.read(number, path)
            if block is None:
                continue
            yield from self._wait_for(number)
            yield block

    def release(self, before: int) -> None:
        """Nothing to do: the folder can be read again."""

    def _wait_for(self, number: int) -> Iterator[None]:
        if not self._speed:
            return
        if self._first is None:
            self._first = time.monotonic(), number
        # Counted from the first block of all, so that a broken connection does not slow the replay.
        began_s, first_number = self._first
        due_s = began_s + (number - first_number) * HOP_S / self._speed
        while (left_s := due_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _TICK_S))
            yield None


class Follow:
    """A folder that is still being written.

    The newest file is read once its size and time of change have stood still for `settle_s` and it
    has all its rows; any other file is complete, as a newer one exists. What then can't be used is
    skipped, as a gap. idle_exit_s: the record ends when nothing new has come for so long; None:
    never.
    """

    def __init__(
        self,
        folder: Path,
        *,
        idle_exit_s: float | None = None,
        settle_s: float = 1.0,
        on_skip: Callable[[str], None] | None = None,
    ) -> None:
        if not folder.is_dir():
            raise InputError(str(folder), "a folder", "no such folder")
        self._folder = folder
        self._idle_exit_s = idle_exit_s
        self._settle_s = settle_s
        self._skips = _Skips(on_skip)

    def blocks(self, from_sequence: int) -> Iterator[Block | None]:
        """Blocks from that number on; waits for more at the end."""
        reader = _Reader(self._list(), from_sequence, self._skips)
        settling = _Settling(self._settle_s)
        newest = from_sequence - 1
        changed_s = time.monotonic()
        while True:
            waiting = [item for item in self._list() if item[0] > newest]
            while waiting and (len(waiting) > 1 or settling.has_all_rows(waiting[0][1])):
                newest, path = waiting.pop(0)
                changed_s = time.monotonic()
                yield reader.read(newest, path)
            idle_s = time.monotonic() - changed_s
            if self._idle_exit_s is not None and idle_s >= self._idle_exit_s:
                for number, path in waiting:
                    yield reader.read(number, path)
                return
            yield None
            time.sleep(min(_TICK_S, self._settle_s))

    def release(self, before: int) -> None:
        """Nothing to do: the folder can be read again."""

    def _list(self) -> list[tuple[int, Path]]:
        # A folder whose first file is still to come is nothing wrong here.
        return list_snapshots(self._folder) if any(self._folder.glob("acc_*.csv")) else []


class _Skips:
    """Tells of each file once, however often it is read again."""

    def __init__(self, on_skip: Callable[[str], None] | None) -> None:
        self._on_skip = on_skip
        self._told: set[str] = set()

    def tell(self, line: str) -> None:
        if line not in self._told and self._on_skip is not None:
            self._on_skip(line)
        self._told.add(line)


class _Reader:
    """Reads snapshots from a number on as the whole record would have been read."""

    def __init__(
        self, snapshots: list[tuple[int, Path]], from_sequence: int, skips: _Skips
    ) -> None:
        self.wanted = [item for item in snapshots if item[0] >= from_sequence]
        self._expected = from_sequence
        self._skips = skips
        self._calendar = Calendar()
        for number, path in snapshots:
            if number < from_sequence:
                self._count_midnight(path)

    def read(self, number: int, path: Path) -> Block | None:
        try:
            start_us, values = read_snapshot(path)
        except InputError as error:
            self._skips.tell(str(error))
            return None
        after_gap = number != self._expected
        self._expected = number + 1
        start_us = self._calendar.place(start_us)
        return Block(number, start_us, SAMPLE_RATE_HZ, values, after_gap)

    def _count_midnight(self, path: Path) -> None:
        try:
            self._calendar.place(read_start(path))
        except InputError:
            return


class _Settling:
    """Watches whether the newest file is still being written."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._seen: tuple[Path, int, int] | None = None
        self._since_s = 0.0

    def has_all_rows(self, path: Path) -> bool:
        try:
            status = path.stat()
        except OSError:
            return False
        now = (path, status.st_size, status.st_mtime_ns)
        if now != self._seen:
            self._seen, self._since_s = now, time.monotonic()
        if time.monotonic() - self._since_s < self._settle_s:
            return False
        return len(path.read_bytes().splitlines()) >= WINDOW
