"""Where a live stream's blocks come from."""

from collections.abc import Iterator
from typing import Protocol

from wearcast.signals.series import Block


class Source(Protocol):
    """Blocks of one asset that can be asked for again after a broken connection."""

    def blocks(self, from_sequence: int) -> Iterator[Block | None]:
        """Blocks from that number on, or from the first one after it that there still is.

        None means that there is nothing at the moment. A live source gives it at least a few times
        a second, so that whoever reads it can stop. The end of the iterator is the end of the
        record.
        """
        ...

    def release(self, before: int) -> None:
        """Told that blocks before that number will not be asked for again."""
        ...
