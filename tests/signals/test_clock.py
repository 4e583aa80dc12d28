import pytest
from hypothesis import given
from hypothesis import strategies as st

from wearcast.signals.clock import format_time, parse_time

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
