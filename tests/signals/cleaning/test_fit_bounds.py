import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wearcast.signals.cleaning import clean, fit_bounds
from wearcast.signals.cleaning.raw_table import RawTable


def test_bounds_are_of_the_training_part_and_drop_what_lies_outside() -> None:
    ((low, high),) = fit_bounds(np.array([[1.0, 2.0, 3.0, 4.0, 5.0, math.nan]]).T)
    assert (low, high) == (2 - 1.5 * 2, 4 + 1.5 * 2)
    readings = np.array([[1, 7, 7.01, -1, -1.01]]).T
    raw = RawTable(np.arange(5) * 60_000_000, readings, ("a",))
    done = clean(raw, bounds={"a": (low, high)}, gap_limit=0)
    np.testing.assert_array_equal(done.rows.column("a"), [1, 7, math.nan, -1, math.nan])
    assert done.report.channels[0].outside == 2


@settings(deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_bounds_equal_the_quartiles_of_a_sorted_list(readings: list[float]) -> None:
    ordered = sorted(readings)

    def quantile(share: float) -> float:
        place = share * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)

    reach = 1.5 * (quantile(0.75) - quantile(0.25))
    ((low, high),) = fit_bounds(np.array([[*readings, math.nan]]).T)
    if low == -math.inf:
        assert high == math.inf
        assert reach == pytest.approx(0, abs=1e-9)
    else:
        assert (low, high) == pytest.approx(
            (quantile(0.25) - reach, quantile(0.75) + reach), abs=1e-9
        )


def test_a_channel_without_spread_or_readings_has_no_bounds() -> None:
    mostly_shut = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 9.0]
    values = np.array([mostly_shut, [math.nan] * 7]).T
    assert fit_bounds(values) == ((-math.inf, math.inf),) * 2
