"""The models that are served: found by name, run, and loaded and unloaded while others run.

async with Engine(models_dir, workers=2, waiting=1024) as engine:
    served = engine.find("bearing-rul")
    outputs = await engine.run(served.key, windows)
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wearcast.serving.batcher import Batcher
from wearcast.serving.counts import Statistics
from wearcast.serving.models import BUNDLED
from wearcast.serving.request import WORK, Outputs, Request
from wearcast.serving.reuse import Known
from wearcast.serving.version import Entry, Loaded, ModelKey, State
from wearcast.serving.versions import Versions
from wearcast.serving.workers import Workers
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError
from wearcast.signals.series import Window, minutes_of

__all__ = ["Engine", "Entry", "ModelKey", "Pin", "Served", "State"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """One version of a model that answers; `contract_json` is the contract as the file has it."""

    key: ModelKey
    contract: Contract
    contract_json: str
    labels: tuple[str, ...] = ()


class Pin:
    """One version of a model as a stream has it: the same to the end, whatever is loaded since."""

    def __init__(self, served: Served, batcher: Batcher, workers: Workers) -> None:
        self.served = served
        self._batcher = batcher
        self._workers = workers
        self._known = Known(served.contract.sequence)

    async def run(self, windows: Sequence[Window]) -> Outputs:
        """Answer windows of one stream, in their order: each output's (n, *shape).

        They always find room, as the stream's inbox bounds them.
        """
        # They are views of the stream's blocks; only the worker puts them side by side.
        values = [window.values for window in windows]
        if self._batcher.reuse:
            known = [self._known.take(window.sequence) for window in windows]
            request = self._batcher.admit(values, None, known=known, is_call=False)
        else:
            minutes = minutes_of(self.served.contract, windows)
            request = self._batcher.admit(values, minutes, is_call=False)
        return await _answer(self._batcher, self._workers, request)


class Engine:
    """Serves the versions in a folder, by default the bundled ones, on `workers` threads.

    waiting: rows of calls that may wait, of each version. watch_s: how often the folder is looked
    at for changes; 0: never.
    """

    def __init__(
        self, models_dir: Path | None = None, *, workers: int, waiting: int, watch_s: float = 0.0
    ) -> None:
        self._count = workers
        self._watch_s = watch_s
        self._versions = Versions(models_dir or BUNDLED, workers=workers, most_waiting=waiting)
        self._workers: Workers
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Load what is there.

        Raises:
            NotFoundError: there is nothing.
            ArtefactError: of some model no version can be loaded, or its labels can't be read.
        """
        try:
            await self._versions.open()
        except BaseException:
            self._versions.close()
            raise
        self._workers = Workers(self._count)
        if self._watch_s:
            self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *failure: object) -> None:
        """End what runs, and drop what waits."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        self._versions.close()
        await self._workers.close()

    def find(self, name: str, version: int = 0, label: str = "") -> Served:
        """One version; without a version or label: the one labelled stable, else the newest.

        Raises:
            NotFoundError: there is no such model, version or label, or it is not loaded.
            InputError: both a version and a label.
        """
        return self._describe(self._versions.find(name, version, label))

    def served(self) -> list[Served]:
        """Every version that answers, by name and version."""
        return [self._describe(loaded) for loaded in self._versions.ready.values()]

    def index(self) -> list[Entry]:
        """Every version that is there or was, by name and version, and why it does not answer."""
        return self._versions.index()

    def statistics(self, key: ModelKey) -> Statistics:
        """What a version has done so far.

        Raises:
            NotFoundError: it is not loaded.
        """
        loaded = self._versions.get(key)
        counts = loaded.batcher.counts.copy()
        counts.waiting = loaded.waiting
        return counts

    async def run(
        self,
        key: ModelKey,
        values: NDArray[np.float32],
        minutes: NDArray[np.float32] | None = None,
        *,
        deadline_s: float | None = None,
    ) -> Outputs:
        """Answer windows (n, sequence, channels, window) with each output's (n, *shape).

        minutes: float32 (n,), of the week at the windows' ends, where the contract has a time zone.
        deadline_s: monotonic time by which the answer is wanted. Who stops waiting frees its place
        at once, and ends the run if it had it alone.

        Raises:
            NotFoundError: the version is not loaded.
            InputError: shapes that are not the contract's.
            BusyError: too many rows wait already.
            DeadlineError: the answer was not there in time.
        """
        batcher = self._versions.get(key).batcher
        values, minutes = _check_shapes(batcher.contract, values, minutes)
        if not len(values):
            return {
                output.name: np.empty((0, *output.shape), np.float32)
                for output in batcher.contract.outputs
            }
        limit_s = np.inf if deadline_s is None else deadline_s
        request = batcher.admit(values, minutes, deadline_s=limit_s)
        return await _answer(batcher, self._workers, request)

    @contextmanager
    def pin(self, name: str, version: int = 0, label: str = "") -> Iterator[Pin]:
        """Have one version while the block runs, even if it is unloaded meanwhile.

        Raises:
            NotFoundError, InputError: as `find`.
        """
        loaded = self._versions.find(name, version, label)
        with loaded.pin():
            yield Pin(self._describe(loaded), loaded.live, self._workers)

    async def load(self, name: str, version: int = 0) -> None:
        """Load a version anew, whether it is loaded or not; 0: all that are there.

        Raises:
            NotFoundError: no such folder is there.
            ArtefactError: it was refused; one that was loaded stays.
        """
        await self._versions.load(name, version)

    async def unload(self, name: str, version: int = 0) -> None:
        """Let nobody find a version any more, and wait until what it was asked is answered; 0: all.

        Raises:
            NotFoundError: it is not loaded.
        """
        await self._versions.unload(name, version)

    def _describe(self, loaded: Loaded) -> Served:
        labels = self._versions.labels_of(loaded.key)
        return Served(loaded.key, loaded.batcher.contract, loaded.contract_json, labels)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._watch_s)
            try:
                await self._versions.refresh()
            except Exception:  # noqa: BLE001  # whatever it is, the watch goes on
                _LOG.exception("the models could not be looked at; they stay as they are")


async def _answer(batcher: Batcher, workers: Workers, request: Request) -> Outputs:
    work = WORK.get()
    if work is not None:
        work.models.add((batcher.contract.name, batcher.contract.version))
    workers.call(batcher)
    try:
        return await request.answer
    except asyncio.CancelledError:
        batcher.leave(request)
        raise
    finally:
        if work is not None:
            work.add(request)


def _check_shapes(
    contract: Contract, values: NDArray[np.float32], minutes: NDArray[np.float32] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Both as float32, the minutes only where the model looks at the clock."""
    values = np.asarray(values, np.float32)
    shape = (contract.sequence, len(contract.channels), contract.window)
    if values.shape[1:] != shape:
        raise InputError("blocks", f"shape (n, {', '.join(map(str, shape))})", values.shape)
    if contract.time_zone is None:
        return values, None
    if minutes is None or np.shape(minutes) != (len(values),):
        got = "none" if minutes is None else np.shape(minutes)
        raise InputError("minute_of_week", f"shape ({len(values)},)", got)
    return values, np.asarray(minutes, np.float32)
