import csv

import numpy as np
import pytest

from wearcast.signals.clock import parse_time
from wearcast.signals.rows import Rows
from wearcast.signals.simulation.plant_simulation import Plant, simulate_plant
from wearcast.training.forecast.daily import NORMAL, UNUSUAL, forecast_days, write_daily

DAY_US = 86_400_000_000
START_US = parse_time("2020-01-01T00:00:00Z")


@pytest.fixture(scope="module")
def days() -> Rows:
    """Daily means of a year of minutes, its last row a day of its own."""
    minutes = simulate_plant(Plant()).measured
    assert len(minutes) == 527_041
    flow = minutes.column("flow_rate")
    starts = range(0, len(flow), 1440)
    means = [np.nanmean(flow[start : start + 1440]) for start in starts]
    return Rows(("flow_rate",), minutes.start_us, DAY_US, np.array(means)[:, None])


def test_a_year_gives_256_and_111_days_and_104_windows(days, tmp_path):
    daily = forecast_days(days, "flow_rate")
    trained = daily.trained
    assert len(days) == 367
    assert (len(trained.parts.training), len(trained.parts.test)) == (256, 111)
    assert len(daily.times_us) == 104
    write_daily(tmp_path / "flow_rate.daily.csv", daily)
    with (tmp_path / "flow_rate.daily.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["time", "actual", "predicted", "label"]
    assert len(rows) == 104
    assert {row["label"] for row in rows if row["actual"]} <= {NORMAL, UNUSUAL}


def test_each_day_is_compared_with_what_was_said_of_it(days):
    # All different within 101 days, and none beyond what the training part has.
    marked = np.arange(367.0) * 37 % 101
    numbered = Rows(days.channels, days.start_us, days.step_us, marked[:, None])
    daily = forecast_days(numbered, "flow_rate")
    np.testing.assert_array_equal(daily.actual, marked[263:])
    np.testing.assert_array_equal(daily.times_us, START_US + DAY_US * np.arange(263, 367))


def test_the_next_of_a_week_that_repeats_is_said_exactly(days):
    week = np.array([4.0, 9.0, 2.0, 6.0, 8.0, 5.0, 7.0])
    values = np.resize(week, 367)
    daily = forecast_days(
        Rows(days.channels, days.start_us, days.step_us, values[:, None]), "flow_rate"
    )
    np.testing.assert_array_equal(daily.actual, values[263:])
    np.testing.assert_allclose(daily.predicted, daily.actual, atol=0.01)


def test_a_day_beyond_the_interval_is_unusual(days):
    place = 300 - 263
    plain = forecast_days(days, "flow_rate")
    for value, label in (
        (plain.high[place] + 0.01, UNUSUAL),
        (plain.low[place] - 0.01, UNUSUAL),
        (plain.high[place] - 0.01, NORMAL),
        (np.nan, ""),
    ):
        values = days.values.copy()
        values[300] = value
        daily = forecast_days(Rows(days.channels, days.start_us, days.step_us, values), "flow_rate")
        assert daily.labels[place] == label
        assert daily.labels[:place] == plain.labels[:place]
