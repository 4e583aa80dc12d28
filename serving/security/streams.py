"""How many streams may be open: in all, and on one connection."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from wearcast.signals.errors import BusyError


class StreamLimit:
    """Counts open streams, and refuses those above its numbers."""

    def __init__(self, in_all: int, per_connection: int) -> None:
        self._in_all = in_all
        self._per_connection = per_connection
        self._open = 0
        self._by_peer: Counter[str] = Counter()

    @contextmanager
    def place(self, peer: str) -> Iterator[None]:
        """Hold a place while the block runs. peer: names the connection.

        Raises:
            BusyError: there is none left.
        """
        if self._open >= self._in_all:
            raise BusyError(f"streams: expected at most {self._in_all}, got one more")
        if self._by_peer[peer] >= self._per_connection:
            text = f"at most {self._per_connection} on one connection, got one more"
            raise BusyError(f"streams: expected {text}")
        self._open += 1
        self._by_peer[peer] += 1
        try:
            yield
        finally:
            self._open -= 1
            self._by_peer[peer] -= 1
            if not self._by_peer[peer]:
                del self._by_peer[peer]
