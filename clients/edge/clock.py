"""What time it is for the edge service: the machine's time, or that of the readings themselves."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time of the service."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000


class DrivenClock:
    """Stands still until it is set; it never goes back."""

    def __init__(self, now_us: int = 0) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return self._now_us

    def drive(self, now_us: int) -> None:
        """Go on to a time, unless it has passed."""
        self._now_us = max(self._now_us, now_us)
