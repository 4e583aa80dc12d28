"""Worker threads that run models behind the event loop, and whose turn it is."""

import asyncio
import queue
import threading
import time

import numpy as np
from numpy.typing import NDArray

from wearcast.serving.batcher import Batcher
from wearcast.serving.run import Run
from wearcast.serving.scheduling import stand_back

# Runs made before a worker is free, so that none waits for the event loop between two.
_AHEAD = 1


class Workers:
    """Runs what batchers have waiting on `count` threads.

    The models share the threads' time evenly: of those that have something to run, the one that has
    used least has its turn. A model that had nothing to run for a while does not save up for it.
    """

    def __init__(self, count: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._runs: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._free = count
        self._running: set[Run] = set()
        self._batchers: set[Batcher] = set()
        self._used_s = 0.0
        self._is_due = False
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"model-{number}")
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def call(self, batcher: Batcher) -> None:
        """A batcher has something to run."""
        if batcher not in self._batchers:
            self._batchers.add(batcher)
            batcher.used_s = max(batcher.used_s, self._used_s)
        self._assign_soon()

    async def close(self) -> None:
        """End what runs, and drop what waits."""
        self._batchers.clear()
        for run in self._running:
            run.stop()
        for _ in self._threads:
            self._runs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _assign_soon(self) -> None:
        # Behind what the loop has at hand: requests that came together are run together.
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._assign)

    def _assign(self) -> None:
        """Give free workers something to do."""
        self._is_due = False
        self._batchers = {batcher for batcher in self._batchers if batcher.unassigned}
        while self._free > -_AHEAD:
            wanting = [batcher for batcher in self._batchers if batcher.wants_run]
            if not wanting:
                return
            batcher = min(wanting, key=lambda item: item.used_s)
            if self._free <= 0 and not batcher.has_full_run:
                return
            run = batcher.begin_run(max(self._free, 1))
            if run is None:
                continue
            self._used_s = batcher.used_s
            batcher.used_s += batcher.policy.run_s[run.size]
            self._free -= 1
            run.is_ahead = self._free < 0
            self._running.add(run)
            self._runs.put(run)

    def _work(self, number: int) -> None:
        stand_back()
        while (run := self._runs.get()) is not None:
            outputs: list[NDArray[np.float32]] | None = None
            failure: Exception | None = None
            start_ns = time.monotonic_ns()
            try:
                if not run.stopped:
                    outputs = run.work(number)
            except Exception as error:  # noqa: BLE001  # handed to those who wait for it
                failure = error
            ns = time.monotonic_ns() - start_ns
            self._loop.call_soon_threadsafe(self._end, run, outputs, failure, ns)
            # While it waits for the next, a thread keeps no model that may be unloaded.
            del run, outputs, failure

    def _end(
        self, run: Run, outputs: list[NDArray[np.float32]] | None, error: Exception | None, ns: int
    ) -> None:
        self._free += 1
        self._running.discard(run)
        run.batcher.used_s += ns / 1e9 - run.batcher.policy.run_s[run.size]
        run.batcher.end_run(run, outputs, error, ns)
        # At once: those that have their answer now would have their turn first, and a core idle.
        self._assign()
