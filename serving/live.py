"""Which assets are being followed now: one live stream each, and the newest one wins.

A client whose connection broke may be back before the server has noticed the break. So the new
stream is let in, and the old one ends with ABORTED; a client that gets ABORTED with the reason
REPLACED must not connect again by itself.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from wearcast.serving.inbox import Inbox
from wearcast.serving.store import SeriesKey
from wearcast.signals.errors import ReplacedError, WearcastError

# How long a replaced stream may take to end before it is cut off; its peer may be dead.
_PATIENCE_S = 2.0


class DrainingError(WearcastError):
    """The server is going away."""

    status = "UNAVAILABLE"
    reason = "DRAINING"

    def __init__(self) -> None:
        super().__init__("the server is going away; connect again and go on")


@dataclass(slots=True, eq=False)
class _Stream:
    inbox: Inbox
    task: asyncio.Task[object]
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    cut_off: ReplacedError | None = None


class LiveStreams:
    """The open Monitor streams."""

    def __init__(self) -> None:
        self._streams: dict[SeriesKey, _Stream] = {}
        self._draining = False

    @asynccontextmanager
    async def claim(self, key: SeriesKey, inbox: Inbox) -> AsyncIterator[None]:
        """Be the one stream of a key while the block runs; a stream that was there has ended.

        Raises:
            DrainingError: the server is going away.
            ReplacedError: a newer stream came, and this one was stuck.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError
        while (old := self._streams.get(key)) is not None:
            await _end(old, key)
        if self._draining:
            raise DrainingError
        stream = _Stream(inbox, task)
        self._streams[key] = stream
        try:
            yield
        except asyncio.CancelledError:
            if stream.cut_off is None:
                raise
            # Only with an error of its own does the stream's client hear of it.
            task.uncancel()
            raise stream.cut_off from None
        finally:
            del self._streams[key]
            stream.ended.set()

    def drain(self) -> None:
        """Let every stream end after what it is answering now, and let no new one in."""
        self._draining = True
        for stream in self._streams.values():
            stream.inbox.stop(DrainingError())


async def _end(stream: _Stream, key: SeriesKey) -> None:
    text = f"another stream took over asset {key.asset!r} of {key.model}/{key.version}"
    error = ReplacedError(text)
    stream.inbox.stop(error)
    try:
        await asyncio.wait_for(stream.ended.wait(), _PATIENCE_S)
    except TimeoutError:
        if stream.cut_off is None:
            stream.cut_off = error
            stream.task.cancel()
        await stream.ended.wait()
