import msgspec
import numpy as np
import pytest
from plant_rows import make_rows
from tiny_plant import FORECAST

from wearcast.clients.plant_rows import make_blocks
from wearcast.clients.windows import gather_windows
from wearcast.signals.clock import minutes_of_week
from wearcast.signals.rows import Rows


def rows_of(count: int, *, missing: float = 0.0) -> Rows:
    whole = make_rows(1, seed=1, missing=missing)
    return Rows(("flow", "pressure"), whole.start_us, whole.step_us, whole.values[:count])


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_windows_minutes_and_what_followed_are_those_of_the_rows(missing: float) -> None:
    rows = rows_of(100, missing=missing)
    found = gather_windows(make_blocks(rows), FORECAST, limit=100)
    ends = [row for row in range(2, 100) if (row + 1) % 5 == 0]
    expected = np.stack([rows.values[end - 2 : end + 1] for end in ends])[..., None]
    np.testing.assert_array_equal(found.values, expected.astype(np.float32))
    ends_us = np.array([rows.start_us + end * rows.step_us for end in ends])
    np.testing.assert_array_equal(found.minutes, minutes_of_week(ends_us, "UTC"))
    (flow,) = found.followed
    column = np.append(rows.values[:, 0], [np.nan] * 5)
    for place, end in enumerate(ends):
        np.testing.assert_allclose(flow[place], column[[end + 1, end + 2]], rtol=1e-6)


def test_means_of_what_followed_need_half_of_it() -> None:
    part = msgspec.structs.replace(FORECAST.forecast, mean_s=240.0, horizons_s=(300.0, 600.0))
    contract = msgspec.structs.replace(FORECAST, forecast=part)
    rows = rows_of(60)
    rows.values[22:24, 0] = np.nan  # half of what ends at row 24
    rows.values[26:29, 0] = np.nan  # more than half of what ends at row 29
    (flow,) = gather_windows(make_blocks(rows), contract, limit=100).followed
    # The windows end at 4, 9, 14, 19 ...
    np.testing.assert_allclose(flow[3, 0], np.nanmean(rows.values[21:25, 0]), rtol=1e-6)
    assert np.isnan(flow[3, 1])
    assert np.isnan(flow[-1]).all()
    np.testing.assert_allclose(flow[-2, 0], rows.values[56:60, 0].mean(), rtol=1e-6)


def test_many_windows_are_spread_over_the_recording() -> None:
    rows = rows_of(1000)
    every = gather_windows(make_blocks(rows), FORECAST, limit=1000).values
    some = gather_windows(make_blocks(rows), FORECAST, limit=60).values
    assert 30 <= len(some) <= 60
    stride = -(-len(every) // len(some))
    np.testing.assert_array_equal(some, every[::stride])


def test_a_recording_too_short_has_none() -> None:
    assert gather_windows(make_blocks(rows_of(2)), FORECAST, limit=10) is None
