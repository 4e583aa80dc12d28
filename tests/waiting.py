"""Waits for something to become true, for as long as a slow machine may take."""

import time
from collections.abc import Callable

LONG_S = 240.0


def wait_until(
    condition: Callable[[], object],
    patience_s: float = LONG_S,
    told: Callable[[], object] = lambda: "it did not happen",
) -> None:
    """told: what is said of it if it never does."""
    ends = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < ends, told()
        time.sleep(0.02)
