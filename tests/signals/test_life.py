import math
from statistics import NormalDist

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_life import naive_cdf, naive_line

from wearcast.signals.contract import RulCalibration
from wearcast.signals.estimate import Band, Crossing, CrossingState
from wearcast.signals.life import GRID_S, LifeTracker, fit_line, quantile_s, remaining_cdf

CALIBRATION = RulCalibration(
    prior_log_mean=9.3,
    prior_log_sd=0.65,
    line_points=5,
    fraction_sd=0.15,
    fraction_weight=0.5,
    levels=(0.0, 0.1, 0.2, 0.7, 0.9, 1.0),
)
PRIOR = RulCalibration(prior_log_mean=9.3, prior_log_sd=0.65)
UNCORRECTED = msgspec.structs.replace(CALIBRATION, levels=())

fractions = st.floats(0, 1)
calibrations = st.builds(
    RulCalibration,
    prior_log_mean=st.floats(5, 14),
    prior_log_sd=st.floats(0.05, 3),
    line_points=st.integers(2, 8),
    fraction_intercept=st.floats(-1, 1),
    fraction_slope=st.floats(0.2, 2),
    fraction_sd=st.floats(0.05, 1),
    fraction_weight=st.floats(0, 1),
    levels=st.one_of(
        st.just(()),
        st.lists(st.floats(0.01, 0.99), min_size=3, max_size=9, unique=True).map(
            lambda inner: (0.0, *sorted(inner), 1.0)
        ),
    ),
)


@given(st.lists(fractions, min_size=2, max_size=12), st.data())
def test_the_line_equals_brute_force(values: list[float], data: st.DataObject) -> None:
    hops = data.draw(st.lists(st.integers(1, 20), min_size=len(values), max_size=len(values)))
    ages_s = np.cumsum(hops) * 10.0
    slope, value = fit_line(ages_s, np.array(values))
    assert (slope, value) == pytest.approx(naive_line(list(ages_s), values), abs=1e-12)


def test_the_line_bears_outliers_and_needs_two_points() -> None:
    ages_s = np.arange(20) * 10.0
    straight = 0.1 + 0.001 * ages_s
    wild = straight.copy()
    wild[[3, 9, 19]] = [1.0, 0.0, 1.0]
    np.testing.assert_allclose(fit_line(ages_s, wild), (0.001, straight[-1]))
    assert fit_line(ages_s[:1], straight[:1]) is None


@pytest.mark.parametrize("age_s", [50.0, 3000.0, 12_000.0, 40_000.0])
@pytest.mark.parametrize(
    ("calibration", "value", "used_between"),
    [
        (PRIOR, 0.5, (0.0, 1.0)),
        (UNCORRECTED, 0.3, (0.0, 1.0)),
        (UNCORRECTED, 0.9, (0.0, 1.0)),
        (UNCORRECTED, 0.6, (0.002, 0.6)),
    ],
)
def test_the_distribution_equals_brute_force(
    age_s: float, calibration: RulCalibration, value: float, used_between: tuple[float, float]
) -> None:
    cdf = remaining_cdf(calibration, age_s, value, used_between)
    # Below a minute the linear grid is too coarse.
    shown = GRID_S > 60
    expected = naive_cdf(calibration, age_s, value, GRID_S[shown], used_between)
    np.testing.assert_allclose(cdf[shown], expected, atol=0.02)


def test_levels_correct_the_distribution() -> None:
    plain = remaining_cdf(UNCORRECTED, 5000.0, 0.5)
    corrected = remaining_cdf(CALIBRATION, 5000.0, 0.5)
    for level, quantile in zip(CALIBRATION.levels, (0, 0.2, 0.4, 0.6, 0.8, 1), strict=True):
        place = int(np.argmin(np.abs(plain - level)))
        assert corrected[place] == pytest.approx(quantile, abs=2 * np.diff(plain).max() + 0.02)


@settings(max_examples=50, deadline=None)
@given(calibrations, st.floats(0, 1e7), st.floats(-0.5, 1.5))
def test_the_distribution_rises_from_0_to_1(
    calibration: RulCalibration, age_s: float, value: float
) -> None:
    cdf = remaining_cdf(calibration, age_s, value)
    assert cdf.shape == GRID_S.shape
    assert (np.diff(cdf) >= 0).all()
    assert 0 <= cdf[0] <= cdf[-1] <= 1
    assert cdf[-1] > 0.5 or calibration.levels


@pytest.mark.parametrize("age_s", [0.0, 100.0, 9000.0, 30_000.0])
def test_a_median_of_the_prior_is_that_of_lives_longer_than_the_age(age_s: float) -> None:
    lives_s = np.exp(np.random.RandomState(0).normal(9.3, 0.65, 400_000))
    remaining_s = np.median(lives_s[lives_s > age_s]) - age_s
    cdf = remaining_cdf(PRIOR, age_s, 0.7)
    assert quantile_s(cdf, 0.5) == pytest.approx(remaining_s, rel=0.02)


@settings(max_examples=50, deadline=None)
@given(calibrations, st.lists(fractions, min_size=1, max_size=10), st.floats(10, 1e5))
def test_the_interval_holds_the_median(
    calibration: RulCalibration, values: list[float], hop_s: float
) -> None:
    tracker = LifeTracker(calibration)
    for place, value in enumerate(values, start=1):
        answer = tracker.update(place * hop_s, value)
        assert 0 < answer.rul_low_s <= answer.rul_s <= answer.rul_high_s < math.inf
        horizons_s, soon = zip(*answer.failure_probabilities, strict=True)
        assert horizons_s == calibration.horizons_s
        assert 0 <= soon[0] <= soon[1] <= soon[2] <= 1


@pytest.mark.parametrize("years", [0.5, 5, 30])
def test_machines_that_last_for_decades(years: float) -> None:
    median_s = years * 3.156e7
    prior = RulCalibration(prior_log_mean=math.log(median_s), prior_log_sd=0.3)
    answer = LifeTracker(prior).update(10.0, 0.0)
    assert answer.rul_s == pytest.approx(median_s, rel=0.01)
    spread = math.exp(0.3 * NormalDist().inv_cdf(0.9))
    assert answer.rul_low_s == pytest.approx(median_s / spread, rel=0.01)
    assert answer.rul_high_s == pytest.approx(median_s * spread, rel=0.01)


def test_the_answer_is_read_off_the_distribution() -> None:
    answer = LifeTracker(CALIBRATION).update(6000.0, 0.6)
    cdf = remaining_cdf(CALIBRATION, 6000.0, 0.6)
    found = [answer.rul_low_s, answer.rul_s, answer.rul_high_s]
    np.testing.assert_allclose(np.interp(np.log(found), np.log(GRID_S), cdf), [0.1, 0.5, 0.9])
    for horizon_s, soon in answer.failure_probabilities:
        assert soon == pytest.approx(np.interp(np.log(horizon_s), np.log(GRID_S), cdf))


def test_worse_vibration_shortens_the_remaining_life() -> None:
    lives_s = [LifeTracker(CALIBRATION).update(6000.0, value).rul_s for value in (0.2, 0.5, 0.8)]
    assert lives_s == sorted(lives_s, reverse=True)
    assert lives_s[0] > 2 * lives_s[-1]
    silent = [LifeTracker(PRIOR).update(6000.0, value).rul_s for value in (0.2, 0.8)]
    assert silent[0] == silent[1]


def feed(values: list[float], tracker: LifeTracker | None = None) -> LifeTracker:
    tracker = tracker or LifeTracker(CALIBRATION)
    for place, value in enumerate(values, start=1):
        tracker.update(place * 10.0, value)
    return tracker


def test_one_point_makes_no_line() -> None:
    line = feed([]).update(10.0, 0.8).line
    assert (line.points, line.value, line.slope_per_s, line.crossings) == (1, None, None, ())


@pytest.mark.parametrize("values", [[0.5, 0.5, 0.5], [0.6, 0.55, 0.5], [0.0, 0.0, 0.0]])
def test_a_line_that_does_not_rise_crosses_nothing(values: list[float]) -> None:
    line = feed(values[:-1]).update(30.0, values[-1]).line
    assert line.slope_per_s <= 0
    assert line.crossings == (
        Crossing(0.9, CrossingState.NO_CROSSING),
        Crossing(1.0, CrossingState.NO_CROSSING),
    )


def test_a_rising_line_says_when_it_crosses() -> None:
    line = feed([0.5, 0.6, 0.7]).update(40.0, 0.8).line
    assert (line.points, line.value, line.slope_per_s) == (4, pytest.approx(0.8), 0.01)
    assert [(it.level, it.state) for it in line.crossings] == [
        (0.9, CrossingState.AHEAD),
        (1.0, CrossingState.AHEAD),
    ]
    assert [it.remaining_s for it in line.crossings] == pytest.approx([10.0, 20.0])


def test_a_level_behind_is_already_crossed_even_where_the_line_falls() -> None:
    rising = feed([0.75, 0.85]).update(30.0, 0.95).line
    assert rising.crossings[0] == Crossing(0.9, CrossingState.ALREADY_CROSSED)
    assert rising.crossings[1].remaining_s == pytest.approx(5.0)
    falling = feed([1.0, 0.98]).update(30.0, 0.96).line
    assert [it.state for it in falling.crossings] == [
        CrossingState.ALREADY_CROSSED,
        CrossingState.NO_CROSSING,
    ]


def test_answers_are_corrected_for_what_the_model_gets_wrong() -> None:
    """A model that says 0.2 of a new machine and 0.8 of a failed one."""
    correction = {"fraction_intercept": 0.2, "fraction_slope": 0.6}
    timid = LifeTracker(msgspec.structs.replace(CALIBRATION, **correction))
    right = LifeTracker(CALIBRATION)
    for place, value in enumerate([0.5, 0.6, 0.7, 0.85, 0.99], start=1):
        raw = 0.2 + 0.6 * value
        said, expected = timid.update(place * 10.0, raw), right.update(place * 10.0, value)
        assert said.life_fraction == raw
        assert (said.band, said.alarm) == (expected.band, expected.alarm)
        assert said.rul_s == pytest.approx(expected.rul_s)
        assert said.line.value == pytest.approx(expected.line.value)
        assert said.line.slope_per_s == pytest.approx(expected.line.slope_per_s)


@pytest.mark.parametrize(
    ("value", "band"),
    [
        (0.0, Band.HEALTHY),
        (0.39, Band.HEALTHY),
        (0.4, Band.WORN),
        (0.7, Band.WARNING),
        (0.89, Band.WARNING),
        (0.9, Band.ALARM),
        (1.0, Band.ALARM),
    ],
)
def test_bands_begin_at_their_thresholds(value: float, band: Band) -> None:
    answer = LifeTracker(CALIBRATION).update(10.0, value)
    assert (answer.band, answer.alarm) == (band, band is Band.ALARM)


def test_the_alarm_stays_while_the_band_falls_back() -> None:
    tracker = LifeTracker(CALIBRATION)
    said = [tracker.update(place * 10.0, 0.95 if place == 6 else 0.1) for place in range(1, 9)]
    assert not any(it.alarm for it in said)  # one outlier does not move the line
    said = [tracker.update(place * 10.0, 0.95 if place < 20 else 0.1) for place in range(9, 30)]
    alarms = [it.alarm for it in said]
    assert alarms == sorted(alarms)
    assert not alarms[0]
    assert (said[-1].band, said[-1].alarm) == (Band.HEALTHY, True)


@given(st.lists(fractions, min_size=2, max_size=15), st.data())
def test_a_restored_tracker_goes_on_exactly(values: list[float], data: st.DataObject) -> None:
    stop = data.draw(st.integers(1, len(values) - 1))
    kept = data.draw(st.integers(0, max(0, stop - CALIBRATION.line_points)))
    whole, restored = LifeTracker(CALIBRATION), LifeTracker(CALIBRATION)
    said = [whole.update(place * 10.0, value) for place, value in enumerate(values)]
    for answer in said[kept:stop]:
        restored.restore(answer)
    again = [restored.update(place * 10.0, values[place]) for place in range(stop, len(values))]
    assert again == said[stop:]
