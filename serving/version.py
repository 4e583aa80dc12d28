"""One version of a model, and where it stands between its folder and its last stream."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from wearcast.serving.batcher import Batcher
from wearcast.serving.repository import Print

ModelKey = tuple[str, int]
State = Literal["READY", "LOADING", "UNLOADING", "UNAVAILABLE"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of a model that is there or was.

    reason: why it does not answer, or why its files were refused since.
    """

    name: str
    version: int
    state: State
    reason: str = ""


@dataclass(slots=True, eq=False)
class Loaded:
    """A version that answers; pins: streams that began with it and keep it until they end.

    batcher: what calls ask. live: what streams ask, the same unless they use again what they know.
    """

    key: ModelKey
    contract_json: str
    batcher: Batcher
    live: Batcher
    pins: int = 0
    unpinned: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def pin(self) -> Iterator[None]:
        """Count as used while the block runs."""
        self.pins += 1
        self.unpinned.clear()
        try:
            yield
        finally:
            self.pins -= 1
            if not self.pins:
                self.unpinned.set()

    @property
    def waiting(self) -> int:
        """Rows that wait for a run."""
        return sum(batcher.waiting for batcher in {self.batcher, self.live})

    async def finish(self) -> None:
        """Wait until nobody uses it."""
        if self.pins:
            await self.unpinned.wait()
        await self.answer_all()

    async def answer_all(self) -> None:
        """Wait until all that it was asked before is answered."""
        await self.batcher.finish()
        await self.live.finish()


@dataclass(slots=True)
class Version:
    """A version that is there or was; `loaded` is what answers, `leaving` what was unloaded.

    print: of the files that were tried last. is_gone: there was no folder at the last look.
    """

    print: Print
    loaded: Loaded | None = None
    leaving: Loaded | None = None
    is_loading: bool = False
    is_gone: bool = False
    reason: str = ""

    @property
    def state(self) -> State:
        """Where it stands."""
        if self.loaded:
            return "READY"
        if self.is_loading:
            return "LOADING"
        return "UNLOADING" if self.leaving else "UNAVAILABLE"

    def let_go(self, loaded: Loaded) -> None:
        """What was unloaded is gone, unless streams still have it."""
        if self.leaving is loaded and not loaded.pins:
            self.leaving = None
