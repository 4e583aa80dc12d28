from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wearcast.signals.cleaning.time_zones import to_utc
from wearcast.signals.errors import InputError

MINUTE_US = 60_000_000
YEAR_MINUTES = 366 * 24 * 60
ZONES = ["UTC", "Asia/Seoul", "Europe/Berlin", "America/St_Johns", "Africa/Casablanca"]


def at(time: str) -> int:
    """Microseconds since 1970 of a time, whatever clock shows it."""
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp()) * 1_000_000


def times(*shown: str) -> list[str]:
    """In UTC, what a clock in Berlin showed."""
    done = to_utc(np.array([at(time) for time in shown]), "Europe/Berlin")
    return [datetime.fromtimestamp(time / 1e6, UTC).strftime("%H:%M") for time in done.tolist()]


def show(times_us: np.ndarray, zone: str) -> np.ndarray:
    """What a clock of the zone showed, moment by moment; whole seconds."""
    info = ZoneInfo(zone)
    moments = (datetime.fromtimestamp(time_us // 1_000_000, info) for time_us in times_us.tolist())
    return np.array([int(moment.replace(tzinfo=UTC).timestamp()) * 1_000_000 for moment in moments])


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.integers(1980, 2035),
    st.sampled_from([15, 30, 60]),
    st.integers(0, 14),
)
def test_a_year_of_clock_times_gives_its_times_back(
    zone: str, year: int, step: int, minute: int
) -> None:
    # From January to January no record begins or ends within an hour that is shown twice.
    minutes = np.arange(minute, YEAR_MINUTES, step)
    times_us = at(f"{year}-01-01") + minutes * MINUTE_US
    np.testing.assert_array_equal(to_utc(show(times_us, zone), zone), times_us)


def test_an_hour_shown_twice_is_the_second_from_where_the_clock_goes_back() -> None:
    shown = ["01:40", "02:20", "02:50", "02:20", "02:50", "03:20"]
    assert times(*(f"2020-10-25T{time}" for time in shown)) == [
        *("23:40", "00:20", "00:50", "01:20", "01:50", "02:20")
    ]


def test_an_hour_shown_twice_is_the_first_where_the_clock_does_not_go_back() -> None:
    assert times("2020-10-25T02:20", "2020-10-25T02:50", "2020-10-25T03:20") == [
        *("00:20", "00:50", "02:20")
    ]


def test_an_hour_shown_twice_is_the_first_where_rows_are_in_no_order() -> None:
    shown = ["02:50", "02:20", "02:40", "02:10"]
    assert times(*(f"2020-10-25T{time}" for time in shown)) == ["00:50", "00:20", "00:40", "00:10"]


def test_an_hour_that_is_skipped_counts_by_the_offset_before() -> None:
    assert times("2020-03-29T01:30", "2020-03-29T02:30", "2020-03-29T03:30") == [
        *("00:30", "01:30", "01:30")
    ]


def test_no_times_are_no_times_and_no_zone_is_refused() -> None:
    assert len(to_utc(np.array([], np.int64), "Europe/Berlin")) == 0
    with pytest.raises(InputError, match=r"time_zone: expected a zone .* got 'Mars'"):
        to_utc(np.array([0]), "Mars")
