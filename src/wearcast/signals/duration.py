"""Durations as people write them: `30s`, `1min`, `10min`, `1h`, `1d`, `2w`."""

import math
import re

from wearcast.signals.errors import InputError

UNITS_S = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d|w)", re.ASCII)


def parse_duration(text: str, field: str = "duration") -> float:
    """Seconds, above 0, of a number and a unit: ms, s, min, h, d (24 hours) or w (7 days).

    field: what an error calls it.

    >>> parse_duration("10min")
    600.0

    Raises:
        InputError: it is no such duration.
    """
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * UNITS_S[match[2]] if match else 0.0
    if not 0 < seconds < math.inf:
        raise InputError(field, "a duration above 0, such as 30s, 10min, 1h or 7d", repr(text))
    return seconds
