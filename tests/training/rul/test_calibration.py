import math
from statistics import mean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wearcast.signals.contract import RulCalibration
from wearcast.signals.life import GRID_S, LifeTracker, quantile_s, remaining_cdf
from wearcast.training.rul.calibration import (
    CUTS,
    LEAST_HELD_OUT,
    HeldOut,
    cross_distributions,
    fit_calibration,
    fit_fractions,
    fit_levels,
    fit_prior,
    true_remaining_s,
)

HOP_S = 1000.0
PRIOR = RulCalibration(prior_log_mean=9.3, prior_log_sd=0.6)


def draw_lives(count: int, seed: int, *, error: float = 0.1) -> dict[str, HeldOut]:
    """Lives as the model of `wearcast.signals.life` has them, of a model that says 0.2 + 0.6 share.

    The errors of one life hang together, as they do in fact.
    """
    random = np.random.RandomState(seed)
    drawn = {}
    for number in range(count):
        snapshots = max(8, round(math.exp(random.normal(9.3, 0.6)) / HOP_S))
        share = np.arange(1, snapshots + 1) / snapshots
        fractions = 0.2 + 0.6 * (share + error * random.standard_normal())
        drawn[str(number)] = HeldOut(
            fractions.astype(np.float32), snapshots * HOP_S, sequence=1, hop_s=HOP_S
        )
    return drawn


def lives_of(held_out: dict[str, HeldOut]) -> dict[str, float]:
    return {name: item.life_s for name, item in held_out.items()}


def judge(calibration: RulCalibration, lives: dict[str, HeldOut]) -> tuple[float, float]:
    """Share of the cuts at which the 80% interval holds the truth, and its mean relative width."""
    tracker = LifeTracker(calibration)
    hits, widths = [], []
    for item in lives.values():
        cuts = item.at(CUTS, calibration.line_points)
        for (age_s, line), true_s in zip(cuts, true_remaining_s(item), strict=True):
            cdf = remaining_cdf(calibration, age_s, tracker.correct(line))
            low, high = quantile_s(cdf, 0.1), quantile_s(cdf, 0.9)
            hits.append(low <= true_s <= high)
            widths.append((high - low) / item.life_s)
    return float(np.mean(hits)), float(np.mean(widths))


@given(st.lists(st.floats(100, 1e6), min_size=2, max_size=10))
def test_the_prior_is_that_of_the_next_life(lives_s: list[float]) -> None:
    logs = [math.log(life_s) for life_s in lives_s]
    spread = stdev(logs) * math.sqrt(1 + 1 / len(logs))
    assert fit_prior(lives_s) == pytest.approx((mean(logs), max(spread, 0.05)), abs=1e-9)


def test_one_life_says_little() -> None:
    assert fit_prior([math.e]) == pytest.approx((1.0, math.sqrt(2)))


def test_a_cut_knows_only_what_was_said_until_then() -> None:
    fractions = np.linspace(0, 1, 91, dtype=np.float32)
    item = HeldOut(fractions, life_s=1000.0, sequence=10, hop_s=10.0)
    ((age_s, line),) = item.at((0.5,), 60)
    assert (age_s, line) == (500.0, pytest.approx(fractions[40]))  # its window ends at block 50
    fractions[41:] = np.nan
    ((_, again),) = HeldOut(fractions, life_s=1000.0, sequence=10, hop_s=10.0).at((0.5,), 60)
    assert again == line


def test_a_cut_lies_before_the_failure_and_behind_the_first_window() -> None:
    item = HeldOut(np.zeros(6, dtype=np.float32), life_s=150.0, sequence=10, hop_s=10.0)
    ages_s = item.at((0.01, 0.5, 0.99), 60)[:, 0]
    assert ages_s.tolist() == [110.0, 110.0, 140.0]
    assert (true_remaining_s(item) > 0).all()


def test_the_correction_of_the_line_is_found() -> None:
    found = fit_fractions(PRIOR, draw_lives(30, seed=0))
    assert found.fraction_intercept == pytest.approx(0.2, abs=0.05)
    assert found.fraction_slope == pytest.approx(0.6, abs=0.05)
    assert found.fraction_sd == pytest.approx(0.1, abs=0.03)
    assert fit_fractions(PRIOR, draw_lives(30, seed=0, error=0)).fraction_sd == 0.05


def test_a_line_that_follows_nothing_is_left_as_it_is() -> None:
    lives = {
        name: HeldOut(np.full_like(item.fractions, 0.5), item.life_s, 1, HOP_S)
        for name, item in draw_lives(5, seed=0).items()
    }
    found = fit_fractions(PRIOR, lives)
    assert (found.fraction_intercept, found.fraction_slope) == (0, 1)


def test_the_interval_covers_what_it_says() -> None:
    """80% of the true remaining lives of new bearings, all drawn from the model itself.

    On the mean over trainings: seven bearings held out tell little about the eighth.
    """
    heard, silent = [], []
    for seed in range(4, 10):
        known = draw_lives(7, seed=seed)
        new = draw_lives(15, seed=1000 + seed)
        calibration = fit_calibration(lives_of(known), known)
        assert 0.1 < calibration.fraction_weight <= 1
        heard.append(judge(calibration, new))
        silent.append(judge(fit_calibration(lives_of(known), {}), new))
    coverage, width = np.mean(heard, axis=0)
    assert 0.7 < coverage < 0.9
    assert width < 0.7 * np.mean(silent, axis=0)[1]


def test_a_model_that_errs_less_is_believed_more() -> None:
    beliefs = []
    for error in (0.03, 1.0):
        known = draw_lives(5, seed=1, error=error)
        calibration = fit_calibration(lives_of(known), known)
        beliefs.append(calibration.fraction_weight / calibration.fraction_sd**2)
    assert beliefs[0] > 10 * beliefs[1]


@pytest.mark.parametrize("count", range(LEAST_HELD_OUT))
def test_too_few_bearings_held_out_teach_nothing_but_the_prior(count: int) -> None:
    lives_s = lives_of(draw_lives(5, seed=0))
    held_out = dict(list(draw_lives(5, seed=0).items())[:count])
    calibration = fit_calibration(lives_s, held_out)
    assert calibration.fraction_weight == 0
    assert calibration == fit_calibration(lives_s, {})
    assert (calibration.prior_log_mean, calibration.prior_log_sd) == fit_prior([*lives_s.values()])


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000), st.integers(3, 4))
def test_levels_and_distributions_rise_from_0_to_1(seed: int, count: int) -> None:
    known = draw_lives(count, seed=seed)
    calibration = fit_calibration(lives_of(known), known)
    levels = np.array(calibration.levels)
    assert (levels[0], levels[-1], len(levels)) == (0, 1, 21)
    assert (np.diff(levels) >= 0).all()
    assert 0 <= calibration.fraction_weight <= 1
    for cdfs in cross_distributions(lives_of(known), known, 0.5, (0.0, 1.0)).values():
        assert cdfs.shape == (len(CUTS), len(GRID_S))
        assert (np.diff(cdfs, axis=1) >= 0).all()
        assert (cdfs[:, 0] >= 0).all()
        np.testing.assert_allclose(cdfs[:, -1], 1, atol=1e-3)


def test_levels_are_the_quantiles_of_the_distribution_at_the_truth() -> None:
    item = HeldOut(np.zeros(1, dtype=np.float32), 10_000.0, sequence=1, hop_s=10.0)
    true_s = true_remaining_s(item)
    cdfs = np.stack([GRID_S / (GRID_S + left) for left in true_s * np.linspace(0.1, 4, len(CUTS))])
    found = np.array(fit_levels({"a": cdfs}, {"a": item}, CUTS))
    exact = np.quantile(1 / (1 + np.linspace(0.1, 4, len(CUTS))), np.linspace(0, 1, 21))
    np.testing.assert_allclose(found[1:-1], exact[1:-1], atol=0.005)
    assert (found[0], found[-1]) == (0, 1)


def test_a_bearing_is_crossed_by_the_others_alone() -> None:
    """Neither its own life nor what was said of it elsewhere changes what the others say of it."""
    known = draw_lives(4, seed=7)
    lives_s = lives_of(known)
    before = cross_distributions(lives_s, known, 0.5, (0.0, 1.0))["2"]
    after = cross_distributions(lives_s | {"2": 5e6}, known, 0.5, (0.0, 1.0))["2"]
    np.testing.assert_array_equal(after, before)
    others = cross_distributions(lives_s | {"1": 5e6}, known, 0.5, (0.0, 1.0))["2"]
    assert np.abs(others - before).max() > 0.01
