"""Plant clocks to UTC. The other way, `clock.local_us`, is never in doubt; this one is.

An hour that the clock skips (in spring) is read with the offset before the change. An hour that it
shows twice (in autumn) is taken as the first one, up to the row at which the times of the file go
back within that hour; from there on as the second. Where they go back more than once the rows are
in no order, and all count as the first.
"""

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.clock import find_changes, find_offset_us, find_zone

_DAY_US = 86_400_000_000


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
    changes = find_changes(first, last, info)
    offsets = np.array([find_offset_us(first, info), *(after for _, _, after in changes)])
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
