import pytest

from wearcast.clients.edge.sources.times import TimeReader
from wearcast.signals.clock import parse_time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-05-01T09:00:00.5Z", "2024-05-01T09:00:00.5Z"),
        ("2024-05-01 09:00+09:00", "2024-05-01T00:00Z"),
        ("2024-05-01T09:00 +09", "2024-05-01T00:00Z"),
        ("2024-05-01 9:05", "2024-05-01T09:05Z"),
        ("2024/5/1 9:05:07,25", "2024-05-01T09:05:07.25Z"),
        ("2024. 5. 1. 오후 12:05", "2024-05-01T12:05Z"),
        ("2024-05-01 오전 12:05", "2024-05-01T00:05Z"),
        ("2024-05-01 3:05 PM", "2024-05-01T15:05Z"),
        ("2024-05-01 24:00", "2024-05-02T00:00Z"),
        ("31.05.2024 09:00", "2024-05-31T09:00Z"),
        ("202405010900", "2024-05-01T09:00Z"),
        ("20240501090007", "2024-05-01T09:00:07Z"),
        ("2024-05-01", "2024-05-01T00:00Z"),
        ("1714554000", "2024-05-01T09:00Z"),
        ("1714554000500", "2024-05-01T09:00:00.5Z"),
        ("1714554000500000", "2024-05-01T09:00:00.5Z"),
        ("1714554000500000000", "2024-05-01T09:00:00.5Z"),
        ("1704060600000", "2023-12-31T22:10Z"),
    ],
)
def test_the_forms_of_plant_files_are_read(text: str, time: str):
    assert TimeReader("UTC").read(text) == parse_time(time)


@pytest.mark.parametrize(
    "text",
    [
        *("", "noon", "12", "03/04/2024 9:00", "2024-02-30", "2024-05-01 13:00 PM"),
        *("2024-05-01 24:01", "2024-05-01 9:75", "2024-05-01 9:00:75", "-1714554000"),
        *("9999-12-31 24:00", "202413010900"),
    ],
)
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(ValueError, match="expected a time, got"):
        TimeReader("UTC").read(text)


def test_numbers_are_since_1970():
    reader = TimeReader("Asia/Seoul")
    assert reader.read_number(1_714_554_000) == parse_time("2024-05-01T09:00Z")
    assert reader.read_number(1_714_554_000.25) == parse_time("2024-05-01T09:00:00.25Z")


def test_a_time_without_an_offset_is_of_the_zone():
    assert TimeReader("Asia/Seoul").read("2024-05-01 09:00") == parse_time("2024-05-01T00:00Z")


def test_an_hour_that_the_clock_skips_counts_by_the_offset_before():
    reader = TimeReader("Europe/Berlin")
    assert reader.read("2024-03-31 02:30") == parse_time("2024-03-31T01:30Z")


def test_an_hour_that_is_shown_twice_is_the_second_once_times_go_back():
    reader = TimeReader("Europe/Berlin")
    texts = ["2024-10-27 02:59", "2024-10-27 02:00", "2024-10-27 02:59", "2024-10-27 03:00"]
    assert [reader.read(text) for text in texts] == [
        parse_time(f"2024-10-27T{clock}Z") for clock in ("00:59", "01:00", "01:59", "02:00")
    ]
