"""Streams of requests: several in work at once, answered in their order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from wearcast.serving.live import DrainingError

# Of one stream: enough to fill a batch twice over; more wait in the connection.
_IN_WORK = 64


class Streams:
    """The open ModelStreamInfer streams."""

    def __init__(self) -> None:
        self._readers: set[asyncio.Task[None]] = set()
        self._draining = False

    async def serve(
        self,
        requests: AsyncIterator[Any],
        answer: Callable[[Any], Awaitable[Any]],
        write: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer requests until the client is done; whoever reads slowly is read slowly.

        Raises:
            DrainingError: the server is going away; what it had read is answered.
        """
        if self._draining:
            raise DrainingError
        room = asyncio.Semaphore(_IN_WORK)
        begun: asyncio.Queue[asyncio.Future[Any] | None] = asyncio.Queue()

        async def read() -> None:
            try:
                await room.acquire()
                async for request in requests:
                    begun.put_nowait(asyncio.ensure_future(answer(request)))
                    await room.acquire()
            finally:
                begun.put_nowait(None)

        reader = asyncio.create_task(read())
        self._readers.add(reader)
        try:
            while (answered := await begun.get()) is not None:
                await write(await answered)
                room.release()
        finally:
            self._readers.discard(reader)
            reader.cancel()
            left = [begun.get_nowait() for _ in range(begun.qsize())]
            for answered in left:
                if answered is not None:
                    answered.cancel()
            waiting = [reader, *(answered for answered in left if answered is not None)]
            results = await asyncio.gather(*waiting, return_exceptions=True)
        if self._draining:
            raise DrainingError
        if isinstance(results[0], Exception):
            raise results[0]

    def drain(self) -> None:
        """Let every stream end once what was read is answered, and let no new one in."""
        self._draining = True
        for reader in self._readers:
            reader.cancel()
