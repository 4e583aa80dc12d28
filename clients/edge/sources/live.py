"""What all live sources have: a name, what is wrong now, and growing pauses after failures."""

import logging
import threading
import time
from collections.abc import Iterable, Sequence

from wearcast.signals.errors import InputError

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0


class LiveSource:
    """See `readings.Source`; skipped counts what came and could not be placed in time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problem = ""
        self.caught_up = False
        self.ended = False
        self.skipped = 0
        self._pause_s = _FIRST_PAUSE_S
        self._well_since_s: float | None = None

    def _tell(self, problem: str) -> None:
        """Make known what is wrong now; the log has it when it changes."""
        if problem != self.problem:
            self.problem = problem
            _LOG.warning("source %s: %s", self.name, problem)

    def _pause(self, problem: str, stop: threading.Event) -> None:
        """Wait before the next attempt, twice as long as before the last one, at most a minute.

        Short again after what lasted longer than the pause before it: who is let in and thrown out
        at once must not knock all the time.
        """
        self._tell(problem)
        now_s = time.monotonic()
        if self._well_since_s is not None and now_s - self._well_since_s > self._pause_s / 2:
            self._pause_s = _FIRST_PAUSE_S
        self._well_since_s = None
        stop.wait(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _recover(self) -> None:
        """What was wrong is over."""
        if self.problem:
            _LOG.info("source %s: reads again", self.name)
            self.problem = ""
        if self._well_since_s is None:
            self._well_since_s = time.monotonic()

    def _skip(self, problem: str) -> None:
        """Count something that has no place, and tell of it; the log has the 1st, 10th, 100th."""
        self.skipped += 1
        self.problem = f"{problem} ({self.skipped} skipped so far)"
        if str(self.skipped).strip("0") == "1":
            _LOG.warning("source %s: %s", self.name, self.problem)


def check_channels(field: str, names: Iterable[str], channels: Sequence[str]) -> None:
    """Check that names are those of channels.

    Raises:
        InputError: one is not.
    """
    for name in names:
        if name not in channels:
            raise InputError(field, f"channels among {', '.join(channels)}", repr(name))
