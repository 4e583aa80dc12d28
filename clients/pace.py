"""The pace of a replay."""

import time
from collections.abc import Iterator

_TICK_S = 0.2


class Pace:
    """Waits until a block's time has come, at `speed` times real time; 0: doesn't wait."""

    def __init__(self, *, speed: float, hop_s: float) -> None:
        self._speed = speed
        self._hop_s = hop_s
        self._first: tuple[float, int] | None = None

    def wait_for(self, number: int) -> Iterator[None]:
        """None a few times a second, until it is time for that block.

        Counted from the first block of all, so that a broken connection does not slow the replay.
        """
        if not self._speed:
            return
        if self._first is None:
            self._first = time.monotonic(), number
        began_s, first_number = self._first
        due_s = began_s + (number - first_number) * self._hop_s / self._speed
        while (left_s := due_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _TICK_S))
            yield None
