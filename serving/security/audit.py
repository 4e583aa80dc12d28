"""A line in the log for each call that was refused, as long as there are not too many of them."""

import asyncio
import logging
from collections import Counter

from wearcast.serving.security.roles import METHODS
from wearcast.signals.errors import WearcastError

_LOG = logging.getLogger(__name__)
# Chosen: a person reads so many, and a year of nothing but refusals stays below 4 GB.
LINES = 20
WINDOW_S = 60.0
_LONGEST = 80


class Audit:
    """Tells of refused calls: `lines` of them in each `window_s`, then how many more there were.

    The window begins with the first refusal, so that a quiet server has no timer.
    """

    def __init__(self, *, lines: int = LINES, window_s: float = WINDOW_S) -> None:
        self._lines = lines
        self._window_s = window_s
        self._written = 0
        self._more: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def refused(self, error: WearcastError, method: str, peer: str, holder: str) -> None:
        """A call was refused. holder: the name that the file of tokens has; empty: not known."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._window_s, self._begin_anew)
        if self._written == self._lines:
            self._more[error.reason] += 1
            return
        self._written += 1
        name = method if method in METHODS else ascii(method[:_LONGEST])
        fields = {"method": name.lstrip("/"), "reason": error.reason, "peer": peer}
        who = "no token that is known"
        if holder:
            fields["holder"] = holder
            who = f"the token of {holder}"
        _LOG.warning("refused %s: %s, from %s with %s", name, error.reason, peer, who, extra=fields)

    def close(self) -> None:
        """Tell what has not been told."""
        if self._timer is not None:
            self._timer.cancel()
            self._begin_anew()

    def _begin_anew(self) -> None:
        if self._more:
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self._more.items()))
            _LOG.warning("refused %d more calls: %s", self._more.total(), reasons)
        self._more.clear()
        self._written = 0
        self._timer = None
