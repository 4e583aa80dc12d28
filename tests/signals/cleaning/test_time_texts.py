from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wearcast.signals.cleaning.time_forms import find_time, is_time
from wearcast.signals.cleaning.time_texts import parse_times
from wearcast.signals.errors import InputError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31))  # noqa: DTZ001 - a bare clock


def parse(*texts: str | None) -> list[str | None]:
    """ISO 8601 of each text that is a time, with a Z if it had an offset."""
    times = parse_times("time", pa.chunked_array([pa.array(texts, pa.string())]))
    return [
        str(np.datetime64(time_us, "us")) + "Z" * zoned if known else None
        for time_us, zoned, known in zip(*(part.tolist() for part in times), strict=True)
    ]


def since_1970_us(moment: datetime) -> int:
    return (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-01-31T09:05", "2020-01-31T09:05:00.000000"),
        ("2020-01-31 09:05:07", "2020-01-31T09:05:07.000000"),
        ("2020-01-31 09:05:07.25", "2020-01-31T09:05:07.250000"),
        ("2020-01-31T09:05:07.123456789", "2020-01-31T09:05:07.123456"),
        ("2020-01-31", "2020-01-31T00:00:00.000000"),
        ("2020-01-31T09:05:07Z", "2020-01-31T09:05:07.000000Z"),
        ("2020-01-31 09:05+09:00", "2020-01-31T00:05:00.000000Z"),
        ("2020-01-31T09:05:07-0330", "2020-01-31T12:35:07.000000Z"),
        ("2020-01-31 09:05:07 UTC", "2020-01-31T09:05:07.000000Z"),
        ("2020/01/31 09:05", "2020-01-31T09:05:00.000000"),
        ("2020/1/3 9:05:07", "2020-01-03T09:05:07.000000"),
        ("2020.01.31 09:05", "2020-01-31T09:05:00.000000"),
        ("2020-01-31 24:00", "2020-02-01T00:00:00.000000"),
        ("2020-01-31 오전 12:05:00", "2020-01-31T00:05:00.000000"),
        ("2020-01-31 오후 1:05", "2020-01-31T13:05:00.000000"),
        ("2020-01-31 12:05 PM", "2020-01-31T12:05:00.000000"),
        ("31.01.2020 09:05", "2020-01-31T09:05:00.000000"),
        ("02.01.2020", "2020-01-02T00:00:00.000000"),
        ("31/01/2020 09:05:07", "2020-01-31T09:05:07.000000"),
        ("01/31/2020 09:05 AM", "2020-01-31T09:05:00.000000"),
        ("20200131", "2020-01-31T00:00:00.000000"),
        ("202001310905", "2020-01-31T09:05:00.000000"),
        ("20200131090507", "2020-01-31T09:05:07.000000"),
        ("1580461507", "2020-01-31T09:05:07.000000Z"),
        ("1580461507.25", "2020-01-31T09:05:07.250000Z"),
        ("1580461507250", "2020-01-31T09:05:07.250000Z"),
        ("1580461507250001", "2020-01-31T09:05:07.250001Z"),
        ("1580461507250001999", "2020-01-31T09:05:07.250001Z"),
    ],
)
def test_a_common_form_is_read(text: str, expected: str) -> None:
    assert parse(text) == [expected]
    assert is_time([text])


@pytest.mark.parametrize(
    "text",
    [
        *("", None, "noon", "12:00", "1.5", "2020", "2020-13-01", "2020-02-30", "2019-02-29 00:00"),
        *("2020-01-31 24:01", "2020-01-31 09:60", "2020-01-31 13:05 PM", "20201301", "99.99.2020"),
    ],
)
def test_what_is_no_time_is_none(text: str | None) -> None:
    assert parse(text, "2020-01-31T09:05:00.5")[0] is None


@settings(deadline=None)
@given(st.lists(moments, min_size=1, max_size=5), st.sampled_from("-/."), st.sampled_from(" T"))
def test_a_written_time_reads_as_itself(written: list[datetime], mark: str, between: str) -> None:
    form = f"%Y{mark}%m{mark}%d{between}%H:%M:%S.%f"
    texts = pa.chunked_array([pa.array([moment.strftime(form) for moment in written])])
    times = parse_times("time", texts)
    assert times.times_us.tolist() == [since_1970_us(moment) for moment in written]
    assert times.known.all()
    assert not times.zoned.any()


def test_one_column_may_hold_several_forms() -> None:
    texts = ["2020-01-31 09:05", "2020/1/31 9:06", None, "bad", "2020-01-31T09:07Z", "202001310908"]
    assert parse(*texts) == [
        "2020-01-31T09:05:00.000000",
        "2020-01-31T09:06:00.000000",
        None,
        None,
        "2020-01-31T09:07:00.000000Z",
        "2020-01-31T09:08:00.000000",
    ]


def test_a_day_above_12_tells_day_from_month_for_the_whole_column() -> None:
    assert parse("03/04/2020", "13/04/2020")[0] == "2020-04-03T00:00:00.000000"
    assert parse("03/04/2020", "04/13/2020")[0] == "2020-03-04T00:00:00.000000"


@pytest.mark.parametrize("texts", [["03/04/2020", "04/04/2020"], ["13/04/2020", "04/13/2020"]])
def test_days_that_can_not_be_told_from_months_are_refused(texts: list[str]) -> None:
    with pytest.raises(InputError, match=r"time: expected dates such as .* as in \d+/4/2020"):
        parse(*texts)


NAMES = ["valve", "Time", "date", "stamp"]


@pytest.mark.parametrize(
    ("samples", "wanted", "expected"),
    [
        # A usual name before others, a column of dates before nothing, the wanted one first.
        ([["1"], ["2020-01-31 09:05"], ["2020-01-31"], ["x"]], None, "Time"),
        ([["1"], ["09:05"], ["2020-01-31"], ["x"]], None, "date"),
        ([["1580461507"], ["x"], ["x"], ["2020-01-31"]], None, "stamp"),
        ([["1580461507"], ["2020-01-31"], ["x"], ["x"]], "valve", "valve"),
    ],
)
def test_the_column_of_times_is_found(
    samples: list[list[str]], wanted: str | None, expected: str
) -> None:
    assert NAMES[find_time("file", NAMES, samples, wanted)] == expected


@pytest.mark.parametrize(
    ("samples", "wanted", "message"),
    [
        ([["1"], ["09:05"], ["x"], ["x"]], None, r"file: Time: expected times .* got '09:05'"),
        ([["1"], ["09:05"], ["x"], ["x"]], "stamp", r"file: stamp: expected times .* got 'x'"),
        ([["1"]] * 4, "at", r"file: time: expected one column 'at', got none among valve, Time"),
    ],
)
def test_a_column_that_holds_no_times_is_named(
    samples: list[list[str]], wanted: str | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        find_time("file", NAMES, samples, wanted)
