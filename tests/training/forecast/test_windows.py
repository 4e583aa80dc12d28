import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.training.forecast.config import ForecastConfig
from wearcast.training.forecast.windows import (
    LEAST_SHARE,
    Record,
    list_windows,
    make_record,
    split_rows,
    trailing_means,
)

CONFIG = ForecastConfig(channels=1, targets=(0,), sequence=3, horizons=(2, 5), mean=1)


def count_up(size: int, mean: int = 1, every_s: float | None = None) -> Record:
    """Each row's reading is its place; the first is at 1970-01-01T00:00Z."""
    values = np.arange(size, dtype=np.float64)[:, None]
    rows = Rows(("a",), 0, 60_000_000, values)
    return make_record(rows, values, mean=mean, time_zone="UTC", every_s=every_s)


def test_windows_and_what_followed_are_where_they_should_be() -> None:
    windows = list_windows(count_up(20), CONFIG, range(20), due=False)
    ends = windows.ends
    assert (ends[0], ends[-1]) == (2, 17)
    blocks = windows.blocks(ends)[..., 0, 0].numpy()
    assert np.array_equal(blocks, ends[:, None] + [-2, -1, 0])
    followed = windows.targets(ends)[:, 0].numpy()
    assert np.array_equal(followed[:, 0], ends + 2)
    inside = ends + 5 < 20
    assert np.array_equal(followed[inside, 1], ends[inside] + 5)
    assert np.isnan(followed[~inside, 1]).all()


def test_a_value_is_the_mean_up_to_its_horizon() -> None:
    config = ForecastConfig(channels=1, targets=(0,), sequence=3, horizons=(4,), mean=4)
    windows = list_windows(count_up(20, mean=4), config, range(20), due=False)
    assert np.allclose(windows.targets(windows.ends).ravel(), windows.ends + 2.5)


def test_a_value_belongs_to_one_part_only() -> None:
    windows = list_windows(count_up(20), CONFIG, range(10, 15), due=False, lead_in=True)
    followed = windows.targets(windows.ends)[:, 0].numpy()
    for column in followed.T:
        assert np.array_equal(column[np.isfinite(column)], np.arange(10, 15))


def test_windows_are_due_by_the_clock() -> None:
    record = count_up(200, every_s=3600.0)
    windows = list_windows(record, CONFIG, range(200), due=True)
    # The row of minute 59 ends the hour.
    assert windows.ends.tolist() == [59, 119, 179]


def test_too_many_windows_are_thinned_out_evenly() -> None:
    windows = list_windows(count_up(100), CONFIG, range(100), due=False, most=10)
    assert len(windows) <= 10
    assert len(set(np.diff(windows.ends))) == 1


@given(
    st.lists(st.one_of(st.just(np.nan), st.floats(-1e6, 1e6)), min_size=1, max_size=30),
    st.integers(1, 8),
)
def test_trailing_means_are_those_of_a_loop(values: list[float], mean: int) -> None:
    got = trailing_means(np.array(values)[:, None], mean)[:, 0]
    for place in range(len(values)):
        last = np.array(values[max(place + 1 - mean, 0) : place + 1])
        there = last[np.isfinite(last)]
        if len(last) < mean or len(there) < LEAST_SHARE * mean or not len(there):
            assert np.isnan(got[place])
        else:
            assert got[place] == pytest.approx(there.mean(), abs=1e-6)


@pytest.mark.parametrize("shares", [(1,), (8, 1, 1, 1), (8, 0, 1)])
def test_a_split_that_is_none_is_refused(shares: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"^split: expected two or three shares"):
        split_rows(1000, shares, 10)


def test_parts_that_are_too_short_are_refused() -> None:
    with pytest.raises(InputError, match=r"^rows: expected enough for 50 in each part of 8:1:1"):
        split_rows(400, (8, 1, 1), 50)


@given(st.integers(500, 5000), st.sampled_from([(8, 1, 1), (7, 3), (2, 1, 1)]))
def test_parts_follow_each_other_and_leave_nothing_out(count: int, shares: tuple[int, ...]) -> None:
    parts = split_rows(count, shares, 20)
    rows = [row for part in (parts.fit, parts.choose, parts.calibrate, parts.test) for row in part]
    assert rows == list(range(count))
