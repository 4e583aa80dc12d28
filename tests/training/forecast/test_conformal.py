import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wearcast.training.forecast.conformal import conformal_offsets

QUANTILES = (0.1, 0.5, 0.9)


def test_coverage_is_nominal_on_readings_of_the_same_kind() -> None:
    """Over 4000 calibrations with 99 errors each, which a quantile of 9 in 10 divides evenly."""
    rng = np.random.default_rng(0)
    errors = rng.standard_exponential((99, 4000, 1, 1)).repeat(3, axis=3)
    offsets = conformal_offsets(errors, QUANTILES)
    new = rng.standard_exponential((4000, 1, 1))
    coverage = (new <= offsets).mean(axis=(0, 1))
    assert np.allclose(coverage, QUANTILES, atol=0.02)


def test_few_errors_give_the_widest_that_they_can() -> None:
    errors = np.array([3.0, 1.0, 2.0]).reshape(3, 1, 1, 1).repeat(3, axis=3)
    assert conformal_offsets(errors, QUANTILES).ravel().tolist() == [1.0, 2.0, 3.0]


def test_missing_errors_do_not_count() -> None:
    errors = np.array([np.nan, 5.0, np.nan]).reshape(3, 1, 1, 1)
    assert conformal_offsets(errors, (0.5,)).item() == 5.0
    assert conformal_offsets(errors * np.nan, (0.5,)).item() == 0.0


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60), st.integers(1, 99))
def test_enough_of_the_errors_stay_below(values: list[float], percent: int) -> None:
    level = percent / 100
    errors = np.array(values).reshape(-1, 1, 1, 1)
    offset = conformal_offsets(errors, (level,)).item()
    below = (errors <= offset).sum()
    above_middle = percent > 50
    if above_middle:
        assert below * 100 >= min(percent * (len(values) + 1), 100 * len(values))
    else:
        under = (errors < offset).sum()
        assert under * 100 <= percent * (len(values) + 1)
