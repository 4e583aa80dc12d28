from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wearcast.signals.clock import (
    find_zone,
    format_time,
    local_us,
    minutes_of_week,
    parse_time,
)
from wearcast.signals.errors import InputError

YEAR_1000_US, YEAR_10000_US = -30_610_224_000_000_000, 253_402_300_800_000_000


@given(st.integers(YEAR_1000_US, YEAR_10000_US - 1))
def test_a_formatted_time_parses_to_itself(time_us: int) -> None:
    assert parse_time(format_time(time_us)) == time_us


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("1970-01-01T00:00:01", 1_000_000),
        ("1970-01-01T01:00:01+01:00", 1_000_000),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1970-01-02", 86_400_000_000),
    ],
)
def test_iso_8601_is_read(text: str, time_us: int) -> None:
    assert parse_time(text) == time_us


@pytest.mark.parametrize("text", ["", "noon", "1970-13-01T00:00:00Z", "12:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid|month"):
        parse_time(text)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "UTC"])
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2_051_222_400), min_size=1, max_size=20))
def test_a_zones_clock_shows_what_the_database_says(zone: str, seconds: list[int]) -> None:
    info = ZoneInfo(zone)
    shown = [
        datetime.fromtimestamp(second, UTC).astimezone(info).replace(tzinfo=UTC).timestamp()
        for second in seconds
    ]
    times_us = np.array(seconds) * 1_000_000
    assert (local_us(times_us, zone) // 1_000_000).tolist() == shown
    monday = datetime(1970, 1, 5, tzinfo=UTC).timestamp()
    minutes = [(second - monday) % (7 * 86_400) / 60 for second in shown]
    np.testing.assert_allclose(minutes_of_week(times_us, zone), minutes, rtol=1e-6)


def test_a_zone_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"time_zone: expected a zone .* got 'Mars/Base'"):
        find_zone("Mars/Base")
