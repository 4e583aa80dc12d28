"""Scoring in this process, without a server: the same session and series that a server runs.

Needs what `wearcast[serve]` installs, so only verbs that were asked for it import this module.
"""

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np

from wearcast.serving.session import Session
from wearcast.signals.estimate import Estimate
from wearcast.signals.kinds import Outputs
from wearcast.signals.series import Block, Series, Window, minutes_of


def predict_local(
    session: Session, blocks: Iterable[Block], *, age_at_start_s: float = 0.0
) -> Iterator[Estimate]:
    """An estimate for each full window, in order, as `Client.predict` gives.

    Reading goes on while windows run, one batch a core.
    """
    workers = os.cpu_count() or 1
    sessions: SimpleQueue[Session] = SimpleQueue()
    for clone in [session, *(session.clone() for _ in range(workers - 1))]:
        sessions.put(clone)
    series = Series(session.contract, age_at_start_s=age_at_start_s)
    windows = (window for window in map(series.push, blocks) if window is not None)
    size = max(session.contract.batch_sizes)

    def run(batch: list[Window]) -> Outputs:
        free = sessions.get()
        try:
            values = np.stack([window.values for window in batch])
            return free.run(values, minutes_of(session.contract, batch))
        finally:
            sessions.put(free)

    def answer(batch: list[Window], job: Future[Outputs]) -> Iterator[Estimate]:
        outputs = job.result()
        for row, window in enumerate(batch):
            yield series.answer(window, {name: part[row] for name, part in outputs.items()})

    with ThreadPoolExecutor(workers) as threads:
        waiting: deque[tuple[list[Window], Future[Outputs]]] = deque()
        while batch := list(itertools.islice(windows, size)):
            waiting.append((batch, threads.submit(run, batch)))
            if len(waiting) > workers:
                yield from answer(*waiting.popleft())
        while waiting:
            yield from answer(*waiting.popleft())
