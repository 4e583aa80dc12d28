"""What is fitted, to what, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from plant_rows import CHANNELS, START_US, make_rows

from wearcast.signals.clock import minutes_of_week
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from wearcast.training.outlier.config import OutlierConfig
from wearcast.training.outlier.folds import FOLDS, held_out
from wearcast.training.outlier.multivariate import fit_multivariate, shrink_covariance, smooth
from wearcast.training.outlier.night import fit_night
from wearcast.training.outlier.predicted import fit_weights
from wearcast.training.outlier.ranking import stage_shares
from wearcast.training.outlier.score import score_rows
from wearcast.training.outlier.system import LEAST_STUCK, fit_limits
from wearcast.training.outlier.table import fit_table, hours_of_week, levels
from wearcast.training.outlier.train import OutlierSettings, train_outlier


def test_normal_rows_are_at_a_stage_as_often_as_its_percentile_says(
    checkpoint: Checkpoint,
) -> None:
    """On four weeks that were not fitted to; the tail of the distance is the heaviest."""
    scores = score_rows(checkpoint, make_rows(28, seed=1))
    for place, point in enumerate(scores.part.points):
        shares = stage_shares(scores.stage[:, place])
        if point.detector == "system":
            assert shares.max() < 0.001
        elif point.detector != "night" or point.channel == "flow_rate":
            expected = np.array([0.10, 0.05, 0.02, 0.01])
            assert (shares < 2.5 * expected).all(), point
            assert (shares > expected / 2).all(), point


def test_the_same_rows_give_the_same_model(rows: Rows, checkpoint: Checkpoint) -> None:
    again = train_outlier(rows, units={"flow_rate": "m3/h", "pressure": "bar"})
    assert again.outputs == checkpoint.outputs
    for name, tensor in checkpoint.state_dict.items():
        assert torch.equal(tensor, again.state_dict[name])


def test_rows_after_the_training_part_teach_nothing(rows: Rows) -> None:
    spoilt = Rows(rows.channels, rows.start_us, rows.step_us, rows.values.copy())
    spoilt.values[20_000:] *= 3
    one, other = (train_outlier(item.between(0, 20_000), units={}) for item in (rows, spoilt))
    for name, tensor in one.state_dict.items():
        assert torch.equal(tensor, other.state_dict[name])


def test_faults_in_the_training_data_hardly_move_the_stages(rows: Rows) -> None:
    """Spikes, a stuck sensor and a gap among four weeks."""
    faulty = Rows(rows.channels, rows.start_us, rows.step_us, rows.values.copy())
    random = np.random.default_rng(0)
    faulty.values[random.integers(0, len(rows), 15), 0] = 200.0
    faulty.values[random.integers(0, len(rows), 15), 1] = 0.0
    faulty.values[5000:5100, 0] = faulty.values[5000, 0]
    faulty.values[9000:9400] = np.nan
    fresh = make_rows(7, seed=3)
    sound, other = (score_rows(train_outlier(item, units={}), fresh) for item in (rows, faulty))
    assert np.mean(sound.stage != other.stage) < 0.02
    limits = train_outlier(faulty, units={}).training["limits"]["flow_rate"]
    assert limits["stuck_rows"] < 100
    assert limits["high"] < 200


def test_a_checkpoint_survives_its_file(checkpoint: Checkpoint, tmp_path) -> None:
    save_checkpoint(tmp_path / "outlier.pth", checkpoint)
    again = load_checkpoint(tmp_path / "outlier.pth")
    fresh = make_rows(1, seed=3)
    for name in ("value", "percentile", "stage", "cause"):
        one, other = (getattr(score_rows(item, fresh), name) for item in (checkpoint, again))
        assert (one == other).all()
    assert again.outlier == checkpoint.outlier
    assert (again.kind, again.missing, again.partial) == ("outlier", True, True)
    assert [item.shape for item in again.outputs] == [(9,)] * 4
    assert again.training["rows"] == 28 * 1440
    assert again.training["to"] == "2024-01-28T23:59:00.000000Z"


@pytest.mark.parametrize(
    ("settings", "zone", "clock", "points"),
    [
        (OutlierSettings(), "Asia/Seoul", "Asia/Seoul", 9),
        (OutlierSettings(baseline="global"), "UTC", "UTC", 9),
        (OutlierSettings(baseline="global", night=None), "UTC", None, 7),
        (OutlierSettings(baseline="global", night=None), None, None, 7),
        (OutlierSettings(night=None), "UTC", "UTC", 7),
    ],
)
def test_a_clock_is_an_input_only_where_something_hangs_on_it(
    settings: OutlierSettings, zone: str | None, clock: str | None, points: int
) -> None:
    rows = make_rows(8)
    checkpoint = train_outlier(rows, units={}, time_zone=zone, settings=settings)
    assert checkpoint.time_zone == clock
    assert len(checkpoint.outlier.points) == points
    assert score_rows(checkpoint, rows.between(0, 300)).stage.shape == (300, points)


def test_one_channel_has_no_point_for_all_together() -> None:
    rows = make_rows(8)
    alone = Rows(("flow",), rows.start_us, rows.step_us, rows.values[:, :1])
    checkpoint = train_outlier(alone, units={"flow": "l/s"})
    assert [(item.detector, item.channel, item.unit) for item in checkpoint.outlier.points] == [
        (detector, "flow", "l/s") for detector in ("system", "actual", "predicted", "night")
    ]


def test_flows_are_high_when_unusual_and_other_channels_either() -> None:
    checkpoint = train_outlier(make_rows(8), units={})
    assert checkpoint.config["sides"] == ("upper", "both")
    assert checkpoint.config["flows"] == ("flow_rate",)
    settings = OutlierSettings(flows=("pressure",), sides={"flow_rate": "lower"})
    checkpoint = train_outlier(make_rows(8), units={}, settings=settings)
    assert checkpoint.config["sides"] == ("lower", "upper")


SOUND = OutlierSettings()


@pytest.mark.parametrize(
    ("settings", "zone", "message"),
    [
        (replace(SOUND, sides={"flow": "upper"}), "UTC", "side: expected some of flow_rate, pres"),
        (replace(SOUND, sides={"pressure": "up"}), "UTC", "side: expected upper or lower or both"),
        (replace(SOUND, ranges={"p": (0, 1)}), "UTC", "range: expected some of .*, got p"),
        (replace(SOUND, ranges={"pressure": (1, 1)}), "UTC", "range of pressure: expected LOW bel"),
        (replace(SOUND, ranges={"pressure": (90, 99)}), "UTC", "pressure: expected readings"),
        (replace(SOUND, flows=("q",)), "UTC", "flow: expected some of flow_rate, pressure, got q"),
        (replace(SOUND, night="22:05-04:50"), "UTC", "night: expected two times"),
        (replace(SOUND, baseline="month"), "UTC", "baseline: expected global or weekday or hour"),
        (replace(SOUND, history=120), "UTC", "history: expected fewer than the sequence"),
        (replace(SOUND, sequence=10, history=5), "UTC", "sequence: expected 20 or more"),
        (replace(SOUND, sequence=10_000), "UTC", "rows: expected 20000 or more, got 11520"),
        (SOUND, None, "time_zone: expected one for baselines by time and for nights, got none"),
        (SOUND, "Mars", "time_zone: expected a zone of the IANA database"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(
    settings: OutlierSettings, zone: str | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train_outlier(make_rows(8), units={}, time_zone=zone, settings=settings)


def test_a_channel_without_readings_is_named() -> None:
    rows = make_rows(8)
    rows.values[:, 1] = np.nan
    with pytest.raises(InputError, match="pressure: expected readings within the physical range"):
        train_outlier(rows, units={})


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
