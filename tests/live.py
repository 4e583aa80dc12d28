"""A source that runs in a thread, and the batches that it puts."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from waiting import LONG_S, wait_until

from wearcast.clients.edge.readings import Batch, Reading, Source


class Running:
    def __init__(self, source: Source, position: object) -> None:
        self.source = source
        self.stop = threading.Event()
        self.batches: queue.Queue[Batch] = queue.Queue(4)
        self.position = position
        self._failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def take(self, count: int, *, acknowledge: bool = True) -> list[Reading]:
        """Waits until that many readings have come; there must not be more in their batches."""
        readings: list[Reading] = []
        while len(readings) < count:
            batch = self.next_batch()
            assert batch.source == self.source.name
            readings += batch.readings
            self.position = batch.position
            if acknowledge:
                batch.acknowledge()
        assert len(readings) == count, readings
        return readings

    def hold(self, count: int) -> list[Batch]:
        """Waits until that many readings have come, and acknowledges none of them."""
        batches: list[Batch] = []
        while sum(len(batch.readings) for batch in batches) < count:
            batches.append(self.next_batch())
        return batches

    def next_batch(self) -> Batch:
        return self.batches.get(timeout=LONG_S)

    def wait_for(self, condition: Callable[[Source], bool]) -> None:
        """Waits until the source is in some state; there is no event for each."""
        wait_until(lambda: condition(self.source), told=lambda: f"problem {self.source.problem!r}")

    def end(self) -> None:
        self.stop.set()
        while self.thread.is_alive():
            try:  # it may wait with a batch that nobody has taken
                self.batches.get(timeout=0.01)
            except queue.Empty:
                continue
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self.source.run(self.position, self.batches.put, self.stop)
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            self._failure = error


@contextmanager
def running(source: Source, position: object = None) -> Iterator[Running]:
    run = Running(source, position)
    try:
        yield run
    finally:
        run.end()


def pairs(readings: Sequence[Reading]) -> list[tuple[str, float | None]]:
    return [(reading.channel, reading.value) for reading in readings]
