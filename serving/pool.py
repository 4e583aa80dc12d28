"""Worker threads that run models behind asyncio: as many as cores, each with its own sessions."""

import asyncio
import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from wearcast.serving.session import Session
from wearcast.signals.errors import BusyError
from wearcast.signals.series import Window, minutes_of

ModelKey = tuple[str, int]


class Pool:
    """Runs windows through models on `workers` threads; at most `waiting` more jobs may wait.

    `sessions` are by name and version. What is cancelled while it waits never runs.
    """

    def __init__(self, sessions: dict[ModelKey, Session], *, workers: int, waiting: int) -> None:
        copies = [
            sessions,
            *({key: item.clone() for key, item in sessions.items()} for _ in range(workers - 1)),
        ]
        self._limit = workers + waiting
        self._room = threading.Semaphore(self._limit)
        numbers = itertools.count()
        self._worker = threading.local()

        def take_sessions() -> None:
            self._worker.sessions = copies[next(numbers)]

        self._threads = ThreadPoolExecutor(workers, "model", take_sessions)

    async def run(
        self, model: ModelKey, windows: Sequence[Window]
    ) -> dict[str, NDArray[np.float32]]:
        """Answer windows: output name -> (n, *shape).

        Raises:
            BusyError: too many jobs wait already.
        """
        if not self._room.acquire(blocking=False):
            text = f"jobs: expected at most {self._limit} running and waiting, got one more"
            raise BusyError(text)
        job = self._threads.submit(self._run, model, windows)
        job.add_done_callback(self._leave)
        return await asyncio.wrap_future(job)

    def close(self) -> None:
        """Finish what runs and drop what waits."""
        self._threads.shutdown(cancel_futures=True)

    def _run(self, model: ModelKey, windows: Sequence[Window]) -> dict[str, NDArray[np.float32]]:
        session: Session = self._worker.sessions[model]
        values = np.stack([window.values for window in windows])
        return session.run(values, minutes_of(session.contract, windows))

    def _leave(self, _job: Future[dict[str, NDArray[np.float32]]]) -> None:
        self._room.release()
