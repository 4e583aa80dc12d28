"""Where the threads of sources leave what they have read, and what they have told of themselves."""

import logging
import queue
import threading
import time
from collections.abc import Sequence

from wearcast.clients.edge.readings import Batch, Source

_LOG = logging.getLogger(__name__)
_WAITING = 64
# Before a source that has failed is begun again.
_PAUSE_S = 10.0
# A source that may have readings of the past is waited for so long; it may be away for days.
_PATIENCE_S = 300.0
# What is stored at once is held in memory once more; a file of the past is handed on in chunks.
_MOST_READINGS = 2_000


class Inbox:
    """Runs sources, each in a thread, and hands on what they read.

    A batch that was taken is held until it is known to be stored: what can't be stored now is
    neither lost nor acknowledged.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = list(sources)
        self._queue: queue.Queue[Batch | None] = queue.Queue(_WAITING)
        self._held: list[Batch] = []
        self._newest_us: dict[str, int] = {}
        self._behind = {source.name for source in sources}
        self._heard_s = {source.name: time.monotonic() for source in sources}
        self._failures: dict[str, str] = {}
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()

    def start(self, positions: dict[str, object]) -> None:
        """Begin to read; positions: of each source by name, where it goes on."""
        for source in self._sources:
            position = positions.get(source.name)
            thread = threading.Thread(
                target=self._run, args=(source, position), name=source.name, daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def take(self, wait_s: float) -> list[Batch]:
        """What waits, after waiting for some; the same again until `stored` is called."""
        # Before the queue is emptied: what a source had put by then is among what is taken.
        behind = {source.name for source in self._sources if self._is_behind(source)}
        try:
            if not self._held:
                self._hold(self._queue.get(timeout=wait_s))
            while len(self._held) < _WAITING and self._count_held() < _MOST_READINGS:
                self._hold(self._queue.get_nowait())
        except queue.Empty:
            self._behind = behind
        return list(self._held)

    def stored(self) -> None:
        """Acknowledge what was taken."""
        held, self._held = self._held, []
        for batch in held:
            self._heard_s[batch.source] = time.monotonic()
            for reading in batch.readings:
                newest_us = self._newest_us.get(batch.source, reading.time_us)
                self._newest_us[batch.source] = max(newest_us, reading.time_us)
            batch.acknowledge()

    def wake(self) -> None:
        """Let `take` return at once."""
        if self._queue.empty():
            self._queue.put(None)

    @property
    def ended(self) -> bool:
        """Whether no further reading will come, and all have been taken."""
        done = all(source.ended for source in self._sources)
        return done and not self._held and self._queue.empty()

    def horizon_us(self, now_us: int | None, step_us: int) -> int | None:
        """Before which time no reading is expected any more; None: none has come yet.

        now_us: by the machine's clock; None: time is that of the newest readings.
        """
        if now_us is not None:
            known = [self._newest_us[name] for name in self._behind if name in self._newest_us]
            return None if len(known) < len(self._behind) else min([now_us, *known])
        if not self._newest_us:
            return None
        if self.ended:
            return max(self._newest_us.values()) + step_us
        newest = [self._newest_us.get(source.name) for source in self._sources if not source.ended]
        known = [time_us for time_us in newest if time_us is not None]
        return None if len(known) < len(newest) else min(known, default=None)

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong, by source."""
        told = {source.name: source.problem for source in self._sources if source.problem}
        return told | self._failures

    def close(self, patience_s: float = 5.0) -> None:
        """Stop reading."""
        self._stop.set()
        end_s = time.monotonic() + patience_s
        while any(thread.is_alive() for thread in self._threads) and time.monotonic() < end_s:
            try:  # a thread may wait for room
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue

    def _count_held(self) -> int:
        return sum(len(batch.readings) for batch in self._held)

    def _hold(self, batch: Batch | None) -> None:
        if batch is not None:
            self._held.append(batch)

    def _is_behind(self, source: Source) -> bool:
        """Whether readings of the past may still come, and soon."""
        if source.caught_up or source.ended:
            return False
        return time.monotonic() - self._heard_s[source.name] < _PATIENCE_S

    def _run(self, source: Source, position: object) -> None:
        newest = [position]

        def put(batch: Batch) -> None:
            self._failures.pop(source.name, None)
            self._queue.put(batch)
            newest[0] = batch.position

        while not self._stop.is_set():
            try:
                source.run(newest[0], put, self._stop)
                break
            except Exception as error:  # noqa: BLE001  # a fault must not end it for good
                self._failures[source.name] = f"{type(error).__name__}: {error}"
                _LOG.exception("source %s: is begun again", source.name)
                self.wake()
                self._stop.wait(_PAUSE_S)
        self.wake()
