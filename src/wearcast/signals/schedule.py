"""When an edge service sends: after each ten minutes and each day of the plant's own clock.

Ten-minute spans begin at the clock's full ten minutes and are sent a minute after their end: at
minutes 1, 11, 21, 31, 41 and 51. Days go from midnight to midnight, so one with a change to
daylight saving time has 23 or 25 hours. A span is named by its begin, UTC: so none comes twice or
is left out, whatever clocks do.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from wearcast.signals.clock import find_offset_us

MINUTE_US = 60_000_000
TEN_MINUTES_US = 10 * MINUTE_US
_EPOCH = date(1970, 1, 1)


class Span(NamedTuple):
    """A time that is sent as a whole: from `first_us` to before `end_us`, UTC."""

    first_us: int
    end_us: int


def spans_from(first_us: int, end_us: int, zone: ZoneInfo) -> Iterator[Span]:
    """Ten-minute spans, one after the other, from the first that begins at or after `first_us`.

    end_us: spans that end after it are not given.

    >>> utc = ZoneInfo("UTC")
    >>> [span.first_us // MINUTE_US for span in spans_from(7 * MINUTE_US, 31 * MINUTE_US, utc)]
    [10, 20]
    """
    # Offsets change by half hours, so a zone's tens of minutes stay where they are.
    phase_us = find_offset_us(first_us, zone) % TEN_MINUTES_US
    start_us = -(-(first_us + phase_us) // TEN_MINUTES_US) * TEN_MINUTES_US - phase_us
    while start_us + TEN_MINUTES_US <= end_us:
        yield Span(start_us, start_us + TEN_MINUTES_US)
        start_us += TEN_MINUTES_US


def day_of(time_us: int, zone: ZoneInfo) -> Span:
    """The zone's day that a time lies in.

    >>> span = day_of(1_711_868_400_000_000, ZoneInfo("Europe/Berlin"))  # 2024-03-31, 8:00 there
    >>> (span.end_us - span.first_us) // (60 * MINUTE_US)
    23
    """
    shown_us = time_us + find_offset_us(time_us, zone)
    day = _EPOCH + timedelta(days=shown_us // (1440 * MINUTE_US))
    return Span(_midnight_us(day, zone), _midnight_us(day + timedelta(days=1), zone))


def days_from(first_us: int, end_us: int, zone: ZoneInfo) -> Iterator[Span]:
    """Days, one after the other, from the one that `first_us` lies in, up to `end_us`."""
    span = day_of(first_us, zone)
    while span.end_us <= end_us:
        yield span
        span = day_of(span.end_us, zone)


def _midnight_us(day: date, zone: ZoneInfo) -> int:
    """Where a day begins. Where the clock skips midnight, it is when it is set."""
    return round(datetime.combine(day, time(), zone).timestamp()) * 1_000_000
