import numpy as np
import pytest

from wearcast.signals.simulation.drift import draw_drift


def test_a_drift_has_the_moments_of_its_process() -> None:
    times_s = np.arange(0.0, 20_000.0, 0.5)
    drift = draw_drift(np.random.default_rng(1), times_s, 5.0)
    assert drift.shape == times_s.shape
    # 4,000 time constants: the mean of so many has a standard deviation of about 0.02.
    assert drift.mean() == pytest.approx(0, abs=0.1)
    assert drift.std() == pytest.approx(1, abs=0.1)
    lag = 10
    kept = np.corrcoef(drift[:-lag], drift[lag:])[0, 1]
    assert kept == pytest.approx(np.exp(-1), abs=0.06)


def test_a_drift_is_slow() -> None:
    times_s = np.arange(0.0, 100.0, 0.001)
    drift = draw_drift(np.random.default_rng(2), times_s, 20.0)
    # A knot is 2 s: a step of 1 ms between two of them is at most a 2000th of their difference.
    assert np.abs(np.diff(drift)).max() < 2.0 / 2_000
