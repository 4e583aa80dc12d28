"""What is usual, as each detector learns it: tables, limits, forecasts, nights, covariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plant_rows import CHANNELS, START_US, make_rows

from wearcast.signals.clock import minutes_of_week
from wearcast.signals.errors import InputError
from wearcast.training.outlier.config import OutlierConfig
from wearcast.training.outlier.folds import FOLDS, held_out
from wearcast.training.outlier.multivariate import fit_multivariate, shrink_covariance, smooth
from wearcast.training.outlier.night import fit_night
from wearcast.training.outlier.predicted import fit_weights
from wearcast.training.outlier.system import LEAST_STUCK, fit_limits
from wearcast.training.outlier.table import fit_table, hours_of_week, levels


@given(st.integers(10, 300), st.integers(1, 40))
def test_each_row_is_held_out_once_and_shares_nothing_with_those_that_teach(
    rows: int, reach: int
) -> None:
    parts = list(held_out(rows, reach))
    assert len(parts) == FOLDS
    assert (sum(out.astype(int) for _, out in parts) == 1).all()
    for teaches, out in parts:
        for row in np.flatnonzero(out):
            near = teaches[max(row - reach + 1, 0) : row + reach]
            assert not near.any()


def test_a_table_speaks_by_the_narrowest_group_seen_on_three_days() -> None:
    """Mondays are seen three times, the other weekdays twice."""
    days = np.repeat(np.arange(15), 24)
    places = np.tile(np.arange(24), 15) + 24 * (days % 7)
    values = np.random.default_rng(0).normal(places % 24 + 100.0 * (days % 7 == 0), 1.0)
    mean, sd = fit_table(values[:, None], places, days, levels("hour-of-week"))
    for hour in range(168):
        if hour < 24:
            rows, count = places == hour, 3
        else:
            rows, count = places % 24 == hour % 24, 15
        expected = values[rows]
        assert mean[hour, 0] == pytest.approx(expected.mean())
        wider = np.sqrt((count + 1) / (count - 1))
        assert sd[hour, 0] == pytest.approx(wider * expected.std())


def test_a_table_leaves_few_faults_out_and_keeps_another_way_of_working() -> None:
    random = np.random.default_rng(0)
    values = random.normal(10, 1, (2000, 2))
    values[:40, 0] = 500.0
    values[:400, 1] = 500.0
    nowhere = np.zeros(2000, dtype=np.int64)
    mean, sd = fit_table(values, nowhere, nowhere, levels("global"))
    assert mean[0, 0] == pytest.approx(values[40:, 0].mean())
    assert sd[0, 0] == pytest.approx(values[40:, 0].std())
    assert mean[0, 1] == pytest.approx(values[:, 1].mean())


def test_a_constant_channel_has_a_spread_above_zero() -> None:
    nowhere = np.zeros(100, dtype=np.int64)
    _, sd = fit_table(np.full((100, 1), 5.0), nowhere, nowhere, levels("global"))
    assert sd[0, 0] == pytest.approx(6e-6)
    values = np.where(np.arange(100) < 99, 5.0, 5.1)[:, None]
    _, sd = fit_table(values, nowhere, nowhere, levels("global"))
    assert sd[0, 0] == pytest.approx(0.1 / 12**0.5)


@pytest.mark.parametrize("run", [1, 3, 12, 40])
def test_stuck_means_twice_as_long_as_usual(run: int) -> None:
    values = np.repeat(np.random.default_rng(0).normal(10, 1, 2000), run)
    values[500 * run : 500 * run + 15] = values[500 * run]  # one that lasts, a fault perhaps
    expected = max(2 * run, LEAST_STUCK)
    stuck_rows = fit_limits(values, 60, None).stuck_rows
    assert stuck_rows == (expected if expected <= 60 else None)


def test_limits_bridge_gaps_and_keep_to_the_range() -> None:
    values = np.random.default_rng(0).normal(10, 1, 5000)
    values[100:200] = np.nan
    values[300] = 900.0
    limits = fit_limits(values, 120, (0.0, 20.0))
    assert (limits.low, limits.high) == (0.0, 20.0)
    # Twice the 99.9% quantile of the differences of two normal readings.
    assert limits.jump == pytest.approx(2 * 3.29 * 2**0.5, rel=0.1)
    free = fit_limits(np.delete(values, 300), 120, None)
    assert (free.low, free.high) == pytest.approx((10 - 3 * 3.09, 10 + 3 * 3.09), abs=1)


def test_the_forecast_is_judged_on_rows_that_it_was_not_fitted_to() -> None:
    """Pure noise can't be forecast: held out, no residual is smaller than the noise."""
    z = np.random.default_rng(0).standard_normal((600, 1))
    config = OutlierConfig(channels=("x",), sides=("both",), clock=False, night_slots=0)
    weights, residuals = fit_weights(z, config)
    assert np.nanstd(residuals) > 1.0
    assert np.abs(weights).max() < 0.3
    assert np.isnan(residuals[:29]).all()


def test_the_forecast_finds_a_memory_that_is_there() -> None:
    random = np.random.default_rng(0)
    z = np.zeros((20_000, 1))
    for row in range(1, len(z)):
        z[row] = 0.99 * z[row - 1] + 0.14 * random.standard_normal()
    config = OutlierConfig(
        channels=("x",), sides=("both",), sequence=30, history=20, clock=False, night_slots=0
    )
    _, residuals = fit_weights(z, config)
    # What ten steps add to what is known.
    expected = 0.14 * np.sqrt(sum(0.99 ** (2 * step) for step in range(10)))
    assert np.nanstd(residuals) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("step_min", [1, 2, 5, 7])
def test_slots_of_the_night_are_means_between_clock_times(step_min: int) -> None:
    rows = make_rows(14, step_min=step_min, missing=0.05)
    config = OutlierConfig(
        channels=CHANNELS, sides=("upper", "both"), flows=CHANNELS, step_s=60.0 * step_min
    )
    minutes = minutes_of_week(rows.times_us, "UTC")
    days = rows.times_us // 86_400_000_000
    mean, _ = fit_night(rows, minutes, days, config)
    minute = np.round((rows.times_us - START_US) / 60e6).astype(int)
    for slot in range(42):
        begin = (1320 + 10 * slot) % 1440
        means = []
        for day in range(14):
            inside = (minute >= day * 1440 + begin) & (minute < day * 1440 + begin + 10)
            readings = rows.values[inside, 0]
            readings = readings[~np.isnan(readings)]
            if len(readings) >= 5 / step_min:
                means.append(readings.mean())
        assert mean[slot, 0] == pytest.approx(np.mean(means), rel=1e-6)


def test_shrinkage_is_none_with_many_rows_and_all_with_few() -> None:
    random = np.random.default_rng(0)
    mixing = np.array([[1.0, 0.0], [0.9, 0.3]])
    many = random.standard_normal((50_000, 2)) @ mixing.T
    many -= many.mean(axis=0)
    assert shrink_covariance(many) == pytest.approx(mixing @ mixing.T, abs=0.03)
    few = random.standard_normal((4, 30))
    shrunk = shrink_covariance(few)
    sample = few.T @ few / 4
    assert np.trace(shrunk) == pytest.approx(np.trace(sample))
    assert np.linalg.cond(shrunk) < 20


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_running_means_are_those_of_the_newest_rows(rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    z = random.standard_normal((25, 2))
    z[random.uniform(size=z.shape) < 0.3] = np.nan
    means, whole = smooth(z, rows)
    for row in range(len(z)):
        newest = z[max(row - rows + 1, 0) : row + 1]
        known = (~np.isnan(newest)).sum(axis=0)
        assert whole[row] == (known >= rows / 2).all()
        if whole[row]:
            assert means[row] == pytest.approx(np.nanmean(newest, axis=0), abs=1e-12)


def test_too_few_rows_for_the_covariance_are_named() -> None:
    with pytest.raises(InputError, match="rows: expected more than 3 with all channels"):
        fit_multivariate(np.zeros((12, 3)) + np.nan, 10)


def test_hours_count_from_monday() -> None:
    minutes = np.float32([0, 59.99, 60, 10_079.99])
    assert hours_of_week(minutes).tolist() == [0, 0, 1, 167]
