import json
import math
from collections.abc import Iterable, Sequence
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_cleaning import naive_fill, naive_grid

from wearcast.signals.cleaning import Cleaned, clean
from wearcast.signals.cleaning.merging import Duplicates
from wearcast.signals.cleaning.raw_table import RawTable, Unread
from wearcast.signals.errors import InputError, MismatchError

MINUTE_US = 60_000_000
START_US = 1_577_836_800_000_000  # 2020-01-01
NAN = math.nan


def table(
    minutes: Iterable[float], *columns: Sequence[float], zone: str = "UTC", start_us: int = START_US
) -> RawTable:
    """Readings at so many minutes after the start."""
    times_us = np.array([start_us + round(minute * MINUTE_US) for minute in minutes], np.int64)
    names = tuple("abcdefgh"[: len(columns)])
    return RawTable(times_us, np.array(columns, np.float64).T, names, zone)


def column(cleaned: Cleaned, name: str = "a") -> list[float | None]:
    """Readings, None where missing."""
    return [None if math.isnan(value) else value for value in cleaned.rows.column(name).tolist()]


@st.composite
def tables(draw: st.DrawFn, *, apart: bool = False) -> RawTable:
    """Runs of minutes with holes between, in any order; unless `apart` off by seconds and twice."""
    minutes: list[int] = []
    for _ in range(draw(st.integers(1, 4))):
        begin = (minutes[-1] if minutes else 0) + draw(st.integers(1, 8))
        minutes += range(begin, begin + draw(st.integers(3, 8)))
    if not apart:
        minutes += draw(st.lists(st.sampled_from(minutes), max_size=4))
    minutes = draw(st.permutations(minutes))
    count = len(minutes)
    seconds = st.just(0) if apart else st.integers(-20, 20)
    shifts = draw(st.lists(seconds, min_size=count, max_size=count))
    readings = st.one_of(st.floats(-1e6, 1e6), st.just(NAN))
    columns = st.lists(st.lists(readings, min_size=count, max_size=count), min_size=1, max_size=3)
    return table(
        [minute + shift / 60 for minute, shift in zip(minutes, shifts, strict=True)],
        *draw(columns.filter(lambda drawn: not np.isnan(drawn).all())),
    )


def shuffle(raw: RawTable, random: Random) -> RawTable:
    order = random.sample(range(len(raw)), len(raw))
    return RawTable(raw.times_us[order], raw.values[order], raw.names)


limits = st.integers(0, 8)
rules = st.sampled_from(["mean", "first", "last"])


@settings(deadline=None)
@given(tables(), limits, st.integers(0, 4), rules, st.sampled_from([None, 120, 180, 420]))
def test_cleaning_equals_cleaning_step_by_step(
    raw: RawTable, gap_limit: int, forward_limit: int, rule: Duplicates, step_s: float | None
) -> None:
    done = clean(
        raw, step_s=step_s, gap_limit=gap_limit, forward_limit=forward_limit, duplicates=rule
    )
    rows = done.rows
    first, channels = naive_grid(raw, rows.step_us, rule, resample=done.report.resampled)
    filled = [naive_fill(channel, gap_limit, forward_limit) for channel in channels]
    assert rows.start_us == first * rows.step_us
    np.testing.assert_allclose(rows.values.T, filled, rtol=1e-12, atol=1e-6)
    np.testing.assert_array_equal(done.filled.T, np.isnan(channels) & ~np.isnan(filled))
    for channel, report in zip(filled, done.report.channels, strict=True):
        assert report.empty == np.isnan(channel).sum()
    forward_and_linear = [report.forward + report.linear for report in done.report.channels]
    assert forward_and_linear == done.filled.sum(axis=0).tolist()


@settings(deadline=None)
@given(tables(), limits)
def test_clean_rows_stay_as_they_are(raw: RawTable, gap_limit: int) -> None:
    rows = clean(raw, gap_limit=gap_limit).rows
    again = clean(
        RawTable(rows.times_us, rows.values, rows.channels),
        step_s=rows.step_us / 1e6,
        gap_limit=gap_limit,
    )
    assert again.rows.start_us == rows.start_us
    np.testing.assert_array_equal(again.rows.values, rows.values)
    assert not again.filled.any()


@settings(deadline=None)
@given(tables(apart=True), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing_where_none_is_twice(
    raw: RawTable, random: Random
) -> None:
    first, second = clean(raw).rows, clean(shuffle(raw, random)).rows
    assert second.start_us == first.start_us
    np.testing.assert_array_equal(second.values, first.values)


@settings(deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_mean(raw: RawTable, random: Random) -> None:
    first, second = clean(raw).rows, clean(shuffle(raw, random)).rows
    assert (second.start_us, second.step_us) == (first.start_us, first.step_us)
    # Sums in another order differ by their rounding.
    np.testing.assert_allclose(second.values, first.values, rtol=1e-12, atol=1e-6)


@settings(deadline=None)
@given(tables(), st.sampled_from([None, 120, 420]))
def test_rows_are_at_even_steps_and_none_is_beyond_the_file(
    raw: RawTable, step_s: float | None
) -> None:
    rows = clean(raw, step_s=step_s).rows
    assert (np.diff(rows.times_us) == rows.step_us).all()
    assert rows.start_us % rows.step_us == 0
    assert raw.times_us.min() - rows.step_us < rows.start_us
    assert rows.times_us[-1] < raw.times_us.max() + rows.step_us


@settings(deadline=None)
@given(tables())
def test_nothing_is_invented_outside_gaps(raw: RawTable) -> None:
    done = clean(raw, duplicates="last")
    for place, name in enumerate(raw.names):
        readings = raw.values[:, place]
        readings = readings[~np.isnan(readings)].tolist()
        kept = done.rows.column(name)[~done.filled[:, place]]
        assert set(kept[~np.isnan(kept)].tolist()) <= set(readings)
        for filled in done.rows.column(name)[done.filled[:, place]].tolist():
            assert min(readings) <= filled <= max(readings)


@settings(deadline=None)
@given(tables())
def test_the_input_is_left_as_it_was(raw: RawTable) -> None:
    times_us, values = raw.times_us.copy(), raw.values.copy()
    clean(raw, bounds={"a": (-1.0, 1.0)})
    np.testing.assert_array_equal(raw.times_us, times_us)
    np.testing.assert_array_equal(raw.values, values)


def test_gaps() -> None:
    gaps = [1, NAN, NAN, NAN, 5, NAN, NAN, NAN, NAN, 10, *[NAN] * 5, 16]
    done = clean(table(range(16), gaps), gap_limit=4)
    # Three take the reading before, four a line, five stay.
    assert column(done) == [1, 1, 1, 1, 5, 6, 7, 8, 9, 10, *[None] * 5, 16]
    (report,) = done.report.channels
    assert (report.forward, report.linear, report.empty, report.longest) == (3, 4, 5, 5)
    assert report.longest_start == "2020-01-01T00:10:00.000000Z"
    assert column(clean(table(range(16), gaps), gap_limit=0))[1] is None


def test_a_gap_without_a_reading_to_fill_it_from_stays() -> None:
    done = clean(table(range(8), [NAN, 1, 2, 3, NAN, NAN, NAN, NAN], range(8)))
    assert column(done) == [None, 1, 2, 3, None, None, None, None]
    assert done.report.channels[0].longest == 4


def test_missing_timestamps() -> None:
    done = clean(table([0, 1, 2, 5, 6], [0, 1, 2, 5, 6]), gap_limit=0)
    assert column(done) == [0, 1, 2, None, None, 5, 6]
    assert done.rows.times_us.tolist() == [START_US + minute * MINUTE_US for minute in range(7)]
    assert (done.report.read, done.report.kept, done.report.inserted) == (5, 7, 2)


@pytest.mark.parametrize(("rule", "expected"), [("mean", 4), ("first", 3), ("last", 5)])
def test_duplicates(rule: Duplicates, expected: float) -> None:
    # An empty cell is no reading.
    raw = table([0, 1, 1, 1, 2], [0, 3, 5, NAN, 2], [0, NAN, NAN, 7, 2])
    done = clean(raw, duplicates=rule)
    assert column(done) == [0, expected, 2]
    assert column(done, "b") == [0, 7, 2]
    assert done.report.duplicates == 2


def test_unsorted_rows_are_sorted_and_counted() -> None:
    done = clean(table([0, 3, 1, 2, 4], [0, 3, 1, 2, 4]))
    assert column(done) == [0, 1, 2, 3, 4]
    assert done.report.unsorted == 2


def test_empty_ends_are_trimmed() -> None:
    done = clean(table(range(6), [NAN, NAN, 2, 3, NAN, NAN], [NAN, 1, 2, NAN, 4, NAN]))
    assert done.rows.start_us == START_US + MINUTE_US
    assert column(done, "b") == [1, 2, 2, 4]
    assert done.report.trimmed == 2


def test_resampling_is_by_mean_from_whole_multiples_of_the_step() -> None:
    done = clean(table([8, 9, 10, 11, 12, 31], [8, 9, 10, NAN, 12, 31]), step_s=600, gap_limit=0)
    assert column(done) == [8.5, 11, None, 31]
    assert done.rows.start_us == START_US
    assert done.report.resampled
    assert done.report.inserted == 1


@pytest.mark.parametrize(
    ("zone", "start"),
    [("UTC", "2019-12-31T00:00:00.000000Z"), ("Asia/Seoul", "2019-12-31T15:00:00.000000Z")],
)
def test_days_begin_at_midnight_of_the_time_zone(zone: str, start: str) -> None:
    # 2019-12-31 20:00 UTC is 2020-01-01 05:00 in Seoul.
    raw = table(range(180), range(180), zone=zone, start_us=START_US - 240 * MINUTE_US)
    done = clean(raw, step_s=86_400)
    assert column(done) == [89.5]
    assert done.report.start == start


def test_times_off_the_grid_go_to_the_nearest_row() -> None:
    # 29 s late is the minute's own; half a minute belongs to the next one.
    done = clean(table([0, 1 + 29 / 60, 2 - 29 / 60, 2.5, 4, 5, 6], range(7)))
    assert column(done) == [0, 1, 2, 3, 4, 5, 6]
    assert done.report.moved == 3


@pytest.mark.parametrize(
    ("step", "expected_s"),
    [(1.0, 60), (0.997, 60), (1.5, 90), (1.0167, 61), (1 / 60, 1), (0.1 / 60, 0.1), (60, 3600)],
)
def test_the_step_is_the_median_snapped_to_minutes_or_seconds(
    step: float, expected_s: float
) -> None:
    done = clean(table([place * step for place in (0, 1, 2, 3, 9, 10, 11)], range(7)))
    assert done.report.step_s == pytest.approx(expected_s)


def test_a_row_on_its_own_needs_a_step() -> None:
    assert column(clean(table([0.1], [7]), step_s=60)) == [7]
    with pytest.raises(InputError, match=r"step: expected a duration, .* got none"):
        clean(table([0], [7]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step_s": 0}, r"step: expected a duration above 0 s, got 0 s"),
        ({"step_s": NAN}, r"step: expected a duration above 0 s, got nan s"),
        ({"gap_limit": -1}, r"gap_limit: expected 0 rows or more, got -1"),
        ({"forward_limit": -1}, r"forward_limit: expected 0 rows or more, got -1"),
        ({"bounds": {"x": (0, 1)}}, r"bounds: expected channels among a, got 'x'"),
        ({"bounds": {"a": (1, 0)}}, r"bounds: a: expected a low and a high one, got 1 and 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        clean(table(range(5), range(5)), **change)


def test_rows_further_apart_than_the_step_do_not_fit() -> None:
    message = r"step: expected rows each 30 s or closer, got rows each 60 s in the file"
    with pytest.raises(MismatchError, match=message):
        clean(table(range(5), range(5)), step_s=30)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (table([], []), r"rows: expected 1 or more, got 0"),
        (table(range(3), [NAN] * 3), r"readings: expected 1 or more, got empty cells alone"),
        (
            table([0, 1, 2, 3, 60 * 24 * 365 * 50], range(5)),
            r"time: .* got 5 rows for 26,280,001 steps: none between 2020-01-01T00:03:00.* and 20",
        ),
    ],
)
def test_data_that_nothing_can_be_made_of_is_refused(raw: RawTable, message: str) -> None:
    with pytest.raises(InputError, match=message):
        clean(raw)


def test_the_report_is_a_few_lines_and_plain_values() -> None:
    raw = table([0, 2, 1, 1, 4, 5, 6], [0, 2, 1, 1, 400, 5, NAN], [NAN] * 6 + [6])
    raw = RawTable(raw.times_us, raw.values, raw.names, texts={"a": Unread(1, 8, "Bad")})
    report = clean(raw, bounds={"a": (0, 100)}).report
    assert str(report).splitlines() == [
        "rows: 7 read, 7 kept, one each 60 s",
        "from 2020-01-01T00:00:00Z to 2020-01-01T00:06:00Z",
        "rows: 2 out of order, 1 of a time that was there already, 1 missing and inserted",
        "a: texts 1 (row 8: 'Bad'), 1 outside the bounds, 3 filled forward",
        "b: 6 left empty (at most 6 in a row, from 2020-01-01T00:00:00Z)",
    ]
    plain = json.loads(json.dumps(msgspec.to_builtins(report)))
    assert (plain["read"], plain["duplicates"], plain["file_step_s"]) == (7, 1, 60)
    assert plain["channels"][0]["texts"] == {"count": 1, "row": 8, "text": "Bad"}
