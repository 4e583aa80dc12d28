"""Waits for something to become true, for as long as a slow machine may take."""

import time
from collections.abc import Callable

LONG_S = 240.0


def wait_until(condition: Callable[[], object], patience_s: float = LONG_S) -> None:
    ends = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.05)
