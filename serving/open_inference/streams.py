"""Streams of requests: several in work at once, answered in their order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from wearcast.serving.live import DrainingError

# Rows of one stream: enough to fill a batch twice over; more wait in the connection.
_IN_WORK = 64


class Streams:
    """The open ModelStreamInfer streams."""

    def __init__(self) -> None:
        self._readers: set[asyncio.Task[None]] = set()
        self._draining = False

    async def serve(
        self,
        requests: AsyncIterator[Any],
        count_rows: Callable[[Any], int],
        answer: Callable[[Any], Awaitable[Any]],
        write: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer requests until the client is done; whoever reads slowly is read slowly.

        A request that has more rows than may be in work is in work alone.

        Raises:
            DrainingError: the server is going away; what it had read is answered.
        """
        if self._draining:
            raise DrainingError
        room = asyncio.Semaphore(_IN_WORK)
        begun: asyncio.Queue[tuple[asyncio.Future[Any], int] | None] = asyncio.Queue()

        async def read() -> None:
            try:
                async for request in requests:
                    rows = min(max(count_rows(request), 1), _IN_WORK)
                    for _ in range(rows):
                        await room.acquire()
                    begun.put_nowait((asyncio.ensure_future(answer(request)), rows))
            finally:
                begun.put_nowait(None)

        reader = asyncio.create_task(read())
        self._readers.add(reader)
        try:
            while (item := await begun.get()) is not None:
                answered, rows = item
                await write(await answered)
                for _ in range(rows):
                    room.release()
        finally:
            self._readers.discard(reader)
            reader.cancel()
            left = [it[0] for it in (begun.get_nowait() for _ in range(begun.qsize())) if it]
            for answered in left:
                answered.cancel()
            waiting = [reader, *left]
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
