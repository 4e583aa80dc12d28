import csv
import math

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from plant_rows import CHANNELS, MINUTE_US, START_US, make_rows

from wearcast.clients.cli.evaluate_forecast import forecast
from wearcast.signals.clock import format_time
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.training.forecast.baselines import persist, repeat_season
from wearcast.training.forecast.config import ForecastConfig
from wearcast.training.forecast.evaluate import (
    evaluate_forecast,
    find_outliers,
    measure_interval,
    score,
)
from wearcast.training.forecast.train import ForecastSettings
from wearcast.training.forecast.windows import Windows, list_windows, make_record

HOURLY = ForecastSettings(
    window=6, horizons_s=(3600.0, 7200.0), mean_s=3600.0, every_s=None, calendar="none"
)
HOUR_US = 60 * MINUTE_US
numbers = st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=1, max_size=30)


def hourly(values) -> Rows:
    return Rows(("flow",), START_US, HOUR_US, np.asarray(values, float)[:, None])


def windows_of(values, horizons=(1, 3), sequence=2) -> Windows:
    rows = hourly(values)
    config = ForecastConfig(
        channels=1, targets=(0,), sequence=sequence, horizons=horizons, step_min=60.0
    )
    record = make_record(rows, rows.values, mean=1, time_zone="UTC", every_s=None)
    return list_windows(record, config, range(len(rows)), due=False)


def test_a_value_stands_beside_the_forecast_for_its_own_time():
    rows = hourly(np.arange(1000.0))
    got = evaluate_forecast(rows, ["linear"], targets=["flow"], settings=HOURLY)
    hours = (got.ends_us - START_US) // HOUR_US
    for place, ahead in enumerate((1, 2)):
        actual, expected = got.actual[:, 0, place], (hours + ahead).astype(float)
        present = np.isfinite(actual)
        np.testing.assert_array_equal(actual[present], expected[present])
        # Whatever is told of the time a value is for, is off by so many rows if compared wrongly.
        errors = got.baselines["persistence"][:, 0, place] - actual
        assert set(errors[present]) == {-ahead}
        np.testing.assert_allclose(
            got.ways["linear, direct"][present, 0, place], expected[present], atol=0.5
        )
    assert hours[0] == 900 + 6 - 1
    assert hours[-1] == 998


def test_what_repeats_each_day_is_forecast_exactly_by_the_day_before():
    day = np.random.default_rng(1).uniform(1, 9, 24)
    got = evaluate_forecast(hourly(np.tile(day, 60)), ["linear"], targets=["flow"], settings=HOURLY)
    for way in ("a day before", "a week before"):
        figures = score(got.actual, got.ways[way])
        assert figures.rmse < 1e-6
        assert figures.count == got.sizes["values scored"]


@pytest.mark.parametrize("period", [1, 2, 5])
def test_a_season_takes_the_newest_known_value_of_its_time(period):
    random = np.random.default_rng(period)
    values = random.uniform(size=40)
    values[random.integers(0, 40, 6)] = np.nan
    windows = windows_of(values, horizons=(1, 4, 7))
    got = repeat_season(windows, period)
    for row, end in enumerate(windows.ends):
        for place, horizon in enumerate((1, 4, 7)):
            past = [end + horizon - period * k for k in range(1, 60)]
            known = [values[time] for time in past if 0 <= time <= end][:4]
            expected = next((value for value in known if np.isfinite(value)), np.nan)
            np.testing.assert_equal(got[row, 0, place], expected)


def test_persistence_goes_back_to_the_last_reading():
    got = persist(windows_of([np.nan, 5, np.nan, np.nan, 7, 8, 9]))
    np.testing.assert_array_equal(got[:, 0, 0], [5, 5, 5, 7, 8])


@given(numbers)
def test_figures_are_those_of_their_definitions(pairs):
    actual, predicted = np.array(pairs).T
    figures = score(actual, predicted)
    residuals = [left - right for left, right in pairs]
    count = len(pairs)
    mean = math.fsum(residuals) / count
    variance = math.fsum((item - mean) ** 2 for item in residuals) / count
    assert figures.count == count
    assert figures.rmse == pytest.approx(math.sqrt(math.fsum(r * r for r in residuals) / count))
    assert figures.mae == pytest.approx(math.fsum(map(abs, residuals)) / count)
    assert figures.bias == pytest.approx(-mean)
    assert figures.residual_mean == pytest.approx(mean)
    assert figures.residual_variance == pytest.approx(variance, abs=1e-9)
    assert (figures.residual_min, figures.residual_max) == (min(residuals), max(residuals))
    assert figures.rmse**2 == pytest.approx(figures.bias**2 + variance, abs=1e-8)


def test_outliers_lie_beyond_two_deviations_from_0_or_from_the_mean():
    # 19 residuals of 10 and one of 30: mean 11, deviation 4.36.
    actual = np.array([10.0] * 19 + [30.0])
    predicted = np.zeros(20)
    assert find_outliers(actual, predicted, centred=False).sum() == 20
    assert find_outliers(actual, predicted, centred=True).nonzero()[0].tolist() == [19]
    figures = score(actual, predicted)
    assert (figures.outliers, figures.outliers_centred) == (20, 1)


def test_coverage_is_the_share_between_the_bounds():
    actual = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    low, high = np.array([0.0, 2.0, 3.5, 0.0, 0.0]), np.array([1.0, 4.0, 4.5, 3.0, 9.0])
    assert measure_interval(actual, low, high) == (0.5, (1 + 2 + 1 + 3) / 4)


def test_missing_values_are_left_out_for_all_ways():
    with pytest.raises(InputError, match="values: expected 1 or more to score, got 0"):
        score(np.array([np.nan]), np.array([1.0]))
    rows = make_rows(12, step_min=60, missing=0.1)
    got = evaluate_forecast(rows, ["linear"], targets=CHANNELS, settings=HOURLY)
    scored = np.isfinite(got.actual)
    assert 0 < scored.sum() < scored.size
    assert all(np.isfinite(way[scored]).all() for way in got.ways.values())
    assert got.sizes["values scored"] == scored.sum()


def test_the_verb_writes_table_residuals_loss_and_picture(tmp_path):
    rows = make_rows(12, step_min=60)
    lines = [",".join(("time", *CHANNELS))]
    for time_us, values in zip(rows.times_us, rows.values, strict=True):
        lines.append(",".join((format_time(int(time_us)), *map(str, values))))
    data = tmp_path / "plant.csv"
    data.write_text("\n".join(lines) + "\n")
    arguments = ["--data", str(data), "--target", "flow_rate", "--step", "1h", "--window", "6h"]
    arguments += ["--horizon", "2h", "--horizon", "3h", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(forecast, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    table = (tmp_path / "out" / "table.md").read_text()
    assert result.output.strip() == table.strip()
    for words in ("linear, direct", "persistence", "a day before", "climatology", "peak memory"):
        assert words in table
    # 3 h is no multiple of 2 h: there is no way to it in steps of 2 h.
    assert "Left out: linear, recursive: " in table
    with (tmp_path / "out" / "residuals.csv").open() as file:
        residuals = list(csv.DictReader(file))
    for row in residuals:
        difference = float(row["actual"]) - float(row["predicted"])
        assert difference == pytest.approx(float(row["residual"]), abs=1e-3)
    assert (tmp_path / "out" / "loss.csv").read_text().startswith("model,member,epoch,")
    assert (tmp_path / "out" / "flow_rate.png").read_bytes()[:4] == b"\x89PNG"


def test_the_verb_wants_a_record_or_the_benchmark(tmp_path):
    result = CliRunner().invoke(forecast, ["--ett", str(tmp_path), "--target", "flow_rate"])
    assert result.exit_code == 2
    assert "expected --data and --target, or --ett alone" in result.output
