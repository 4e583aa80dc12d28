"""What a stream's reader puts in and its answering loop takes out; bounded, so memory is too."""

import asyncio
from collections import deque

from wearcast.signals.series import Block


class Inbox:
    """Blocks of one stream, in order, at most `capacity` of them.

    One task puts, one task takes. `close` marks the end behind what waits; `stop` ends it before.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._blocks: deque[Block] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = False
        self._error: Exception | None = None
        self._stopped: Exception | None = None

    async def put(self, block: Block) -> None:
        """Add a block; waits while the inbox is full."""
        while len(self._blocks) >= self._capacity:
            self._room.clear()
            await self._room.wait()
        self._blocks.append(block)
        self._news.set()

    def close(self, error: Exception | None = None) -> None:
        """Nothing more comes; `error` says why, if not because the client is done."""
        self._closed = True
        self._error = error
        self._news.set()

    def stop(self, error: Exception) -> None:
        """Let the next `take` raise `error`, whatever still waits."""
        self._stopped = error
        self._news.set()

    async def take(self) -> list[Block]:
        """All that waits, at least one block; nothing once the client is done.

        Raises:
            Exception: the error given to `stop`, or to `close` once all before it was taken.
        """
        while not (self._blocks or self._closed or self._stopped):
            self._news.clear()
            await self._news.wait()
        if self._stopped:
            raise self._stopped
        if not self._blocks and self._error:
            raise self._error
        taken = list(self._blocks)
        self._blocks.clear()
        self._room.set()
        return taken
