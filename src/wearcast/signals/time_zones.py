"""Plant clocks to UTC. The other way, `clock.local_us`, is never in doubt; this one is.

An hour that the clock skips (in spring) is read with the offset before the change. An hour that it
shows twice (in autumn) is taken as the first one, up to the row at which the times of the file go
back within that hour; from there on as the second. Where they go back more than once the rows are
in no order, and all count as the first.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.clock import find_zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_DAY_US = 86_400_000_000
_MINUTE_US = 60_000_000


def to_utc(local_us: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Microseconds since 1970-01-01 UTC of what a clock of the zone showed, int64 (N,) each.

    local_us: in the order of the file, since 1970-01-01 0:00 of that clock.

    >>> int(to_utc(np.array([9 * 3_600_000_000]), "Asia/Seoul")[0])
    0

    Raises:
        InputError: there is no such zone.
    """
    info = find_zone(zone)
    if zone == "UTC" or not len(local_us):
        return local_us
    first, last = int(local_us.min()) - _DAY_US, int(local_us.max()) + _DAY_US
    changes = _find_changes(first, last, info)
    offsets = np.array([_offset_us(first, info), *(after for _, _, after in changes)])
    # On the clock, the last moment at which the offset before the change still counts.
    bounds = [change + max(before, after) for change, before, after in changes]
    times_us: NDArray[np.int64] = (
        local_us - offsets[np.searchsorted(bounds, local_us, side="right")]
    )
    for change, before, after in changes:
        if after < before:
            again = np.flatnonzero((change + after <= local_us) & (local_us < change + before))
            times_us[again[_find_second(local_us[again]) :]] += before - after
    return times_us


def _find_second(shown_us: NDArray[np.int64]) -> int:
    """Where the second pass through an hour begins, given what the clock showed in it."""
    steps = np.diff(shown_us)
    back = np.flatnonzero(steps < 0)
    if len(back) == 1:
        return int(back[0]) + 1
    # Rows an hour apart show the same time twice and never go back.
    if len(shown_us) == 2 and steps[0] == 0:  # noqa: PLR2004
        return 1
    return len(shown_us)


def _find_changes(first_us: int, last_us: int, info: tzinfo) -> list[tuple[int, int, int]]:
    """Changes of the offset between two times: when (UTC), the offset before and after, in us."""
    days = [*range(first_us, last_us, _DAY_US), last_us]
    offsets = [_offset_us(day, info) for day in days]
    changes = []
    for (low, before), (high, after) in pairwise(zip(days, offsets, strict=True)):
        if before == after:
            continue
        # Offsets change at whole minutes.
        same, other = low // _MINUTE_US, -(-high // _MINUTE_US)
        while other - same > 1:
            middle = (same + other) // 2
            if _offset_us(middle * _MINUTE_US, info) == before:
                same = middle
            else:
                other = middle
        changes.append((other * _MINUTE_US, before, after))
    return changes


def _offset_us(time_us: int, info: tzinfo) -> int:
    moment = (_EPOCH + timedelta(microseconds=time_us)).astimezone(info)
    return (moment.utcoffset() or timedelta()) // _US
