"""Times are int64 microseconds since 1970-01-01 UTC (`_us`); texts are ISO 8601 with a Z."""

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US = 86_400_000_000
_MINUTE_US = 60_000_000


def format_time(time_us: int) -> str:
    """Time as ISO 8601 text in UTC.

    >>> format_time(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    moment = _EPOCH + timedelta(microseconds=int(time_us))
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_time(text: str) -> int:
    """Microseconds since 1970 of an ISO 8601 text; without an offset it counts as UTC.

    >>> parse_time("1970-01-01T00:00:01.5Z")
    1500000

    Raises:
        ValueError: the text is no ISO 8601 time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def local_us(times_us: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """What the clock of a time zone shows, as microseconds since 1970-01-01 of that clock.

    zone: a name such as "UTC" or "Asia/Seoul" (IANA time zone database).

    >>> int(local_us(np.array([0]), "Asia/Seoul")[0]) // 3_600_000_000
    9

    Raises:
        InputError: there is no such zone.
    """
    if zone == "UTC" or not times_us.size:
        return times_us
    info = find_zone(zone)
    first_us = int(times_us.min())
    changes = find_changes(first_us, int(times_us.max()), info)
    offsets_us = np.array([find_offset_us(first_us, info), *(after for _, _, after in changes)])
    places = np.searchsorted([change for change, _, _ in changes], times_us, side="right")
    shown_us: NDArray[np.int64] = times_us + offsets_us[places]
    return shown_us


def minutes_of_week(times_us: NDArray[np.int64], zone: str) -> NDArray[np.float32]:
    """Minutes since Monday, 0:00, by the clock of a time zone, float32, 0 to below 10,080.

    >>> minutes_of_week(np.array([0]), "UTC")  # 1970-01-01 was a Thursday
    array([4320.], dtype=float32)
    """
    since_monday_us = (local_us(times_us, zone) + 3 * _DAY_US) % (7 * _DAY_US)
    return (since_monday_us / 60e6).astype(np.float32)


def find_zone(zone: str) -> ZoneInfo:
    """The time zone of that name.

    Raises:
        InputError: there is none.
    """
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:  # all that zoneinfo raises for a bad name
        expected = "a zone of the IANA database, such as UTC or Asia/Seoul"
        raise InputError("time_zone", expected, repr(zone)) from error


def find_changes(first_us: int, last_us: int, info: tzinfo) -> list[tuple[int, int, int]]:
    """Changes of a zone's offset between two times, in us: when (UTC), offsets before and after."""
    days = [*range(first_us, last_us, _DAY_US), last_us]
    offsets = [find_offset_us(day, info) for day in days]
    changes = []
    for (low, before), (high, after) in pairwise(zip(days, offsets, strict=True)):
        if before == after:
            continue
        # Offsets change at whole minutes.
        same, other = low // _MINUTE_US, -(-high // _MINUTE_US)
        while other - same > 1:
            middle = (same + other) // 2
            if find_offset_us(middle * _MINUTE_US, info) == before:
                same = middle
            else:
                other = middle
        changes.append((other * _MINUTE_US, before, after))
    return changes


def find_offset_us(time_us: int, info: tzinfo) -> int:
    """How far a zone's clock is ahead of UTC at a time, in us."""
    moment = (_EPOCH + timedelta(microseconds=time_us)).astimezone(info)
    return (moment.utcoffset() or timedelta()) // timedelta(microseconds=1)
