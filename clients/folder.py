"""A PRONOSTIA folder as the source of a live stream: replayed, or followed while it grows."""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from threading import Lock

from wearcast.clients.pace import Pace
from wearcast.signals.errors import InputError
from wearcast.signals.femto import (
    HOP_S,
    SAMPLE_RATE_HZ,
    WINDOW,
    Calendar,
    list_snapshots,
    read_snapshot,
)
from wearcast.signals.series import Block

_TICK_S = 0.2
# A file may come without a change of the folder's time, which counts in steps of up to 2 s.
_TIME_STEP_S = 2.0
# For network file systems, which may keep the folder's old time for a while.
_LIST_AGAIN_S = 10.0

Snapshots = Sequence[tuple[int, Path]]


class Replay:
    """A recorded folder at `speed` times real time, by the hop of 10 s; 0: as fast as possible.

    on_skip: is told, once, of each file that can't be used.
    """

    def __init__(
        self, folder: Path, *, speed: float, on_skip: Callable[[str], None] | None = None
    ) -> None:
        self._folder = folder
        self._pace = Pace(speed=speed, hop_s=HOP_S)
        self._reader = _Reader(on_skip)
        list_snapshots(folder)

    def blocks(self, from_sequence: int) -> Iterator[Block | None]:
        """Blocks from that number on, each when its time has come."""
        snapshots = list_snapshots(self._folder)
        yield from self._reader.begin(snapshots, from_sequence)
        expected = from_sequence
        for number, path in _from(snapshots, from_sequence):
            block = self._reader.read(number, path, expected)
            if block is None:
                continue
            expected = number + 1
            yield from self._pace.wait_for(number)
            yield block

    def release(self, before: int) -> None:
        """Forget when blocks before that number were taken; the folder can be read again."""
        self._reader.release(before)


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
        self._reader = _Reader(on_skip)
        self._listing = _Listing(folder)

    def blocks(self, from_sequence: int) -> Iterator[Block | None]:
        """Blocks from that number on; waits for more at the end."""
        yield from self._reader.begin(self._listing.snapshots(), from_sequence)
        settling = _Settling(self._settle_s)
        newest = from_sequence - 1
        expected = from_sequence
        changed_s = time.monotonic()
        while True:
            waiting = list(_from(self._listing.snapshots(), newest + 1))
            while waiting and (len(waiting) > 1 or settling.has_all_rows(waiting[0][1])):
                newest, path = waiting.pop(0)
                changed_s = time.monotonic()
                block = self._reader.read(newest, path, expected)
                expected = newest + 1 if block is not None else expected
                yield block
            idle_s = time.monotonic() - changed_s
            if self._idle_exit_s is not None and idle_s >= self._idle_exit_s:
                for number, path in waiting:
                    yield self._reader.read(number, path, expected)
                return
            yield None
            time.sleep(min(_TICK_S, self._settle_s))

    def release(self, before: int) -> None:
        """Forget when blocks before that number were taken; the folder can be read again."""
        self._reader.release(before)


class _Listing:
    """The snapshots of a growing folder; lists it only when something may have changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._snapshots: Snapshots = []
        self._changed_ns = -1
        self._quiet_from_s = 0.0
        self._listed_s = 0.0

    def snapshots(self) -> Snapshots:
        changed_ns, now_s = self._folder.stat().st_mtime_ns, time.monotonic()
        if changed_ns != self._changed_ns:
            self._changed_ns, self._quiet_from_s = changed_ns, now_s + _TIME_STEP_S
        if now_s < self._quiet_from_s or now_s > self._listed_s + _LIST_AGAIN_S:
            # A folder whose first file is still to come is nothing wrong here.
            some = any(self._folder.glob("acc_*.csv"))
            self._snapshots = list_snapshots(self._folder) if some else []
            self._listed_s = now_s
        return self._snapshots


class _Reader:
    """Reads snapshots as the whole record would have been read, over broken connections too.

    on_skip is told of each file once, however often it is read again.
    """

    def __init__(self, on_skip: Callable[[str], None] | None) -> None:
        self._on_skip = on_skip
        self._told: set[str] = set()
        # The thread of a connection that broke may be reading its last file still.
        self._lock = Lock()
        self._forget()

    def _forget(self) -> None:
        self._calendar = Calendar()
        self._newest = -1
        self._released = 0
        self._starts_us: dict[int, int] = {}  # of blocks that may be asked for again

    def begin(self, snapshots: Snapshots, from_sequence: int) -> Iterator[None]:
        """Get ready to read from a number on; gives None after each earlier file.

        Midnights are counted in the files that no earlier call has read.
        """
        with self._lock:
            if from_sequence < self._released:
                self._forget()
        for number, path in _from(snapshots, self._newest + 1):
            if number >= from_sequence:
                break
            with suppress(InputError):  # as in a whole read, it counts for nothing
                self._place(number, read_snapshot(path)[0])
            yield None

    def read(self, number: int, path: Path, expected: int) -> Block | None:
        """The block in a file, with a gap before it if it is not the expected one.

        None if the file can't be used.
        """
        try:
            start_us, values = read_snapshot(path)
        except InputError as error:
            self._skip(str(error))
            return None
        placed_us = self._place(number, start_us)
        if placed_us is None:
            self._skip(f"{path.name}: it came after a later file")
            return None
        return Block(number, placed_us, SAMPLE_RATE_HZ, values, number != expected)

    def release(self, before: int) -> None:
        """Told that blocks before that number will not be asked for again."""
        with self._lock:
            for number in [number for number in self._starts_us if number < before]:
                del self._starts_us[number]
            self._released = max(self._released, before)

    def _place(self, number: int, start_us: int) -> int | None:
        """The start with its day, the same each time; None if its turn is over."""
        with self._lock:
            if number > self._newest:
                self._newest = number
                self._starts_us[number] = self._calendar.place(start_us)
            return self._starts_us.get(number)

    def _skip(self, line: str) -> None:
        if line not in self._told and self._on_skip is not None:
            self._on_skip(line)
        self._told.add(line)


def _from(snapshots: Snapshots, number: int) -> Snapshots:
    """The snapshots from a number on."""
    return snapshots[bisect_left(snapshots, number, key=itemgetter(0)) :]


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
        seen, now_s = (path, status.st_size, status.st_mtime_ns), time.monotonic()
        if seen != self._seen:
            self._seen, self._since_s = seen, now_s
        if now_s - self._since_s < self._settle_s:
            return False
        return len(path.read_bytes().splitlines()) >= WINDOW
