import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.even_time import check_step, find_step


@given(step_s=st.floats(1e-6, 10), count=st.integers(2, 500), first_s=st.floats(0, 1000))
def test_the_step_of_even_times_is_found(step_s: float, count: int, first_s: float) -> None:
    jitter = 1e-3 * step_s * np.sin(np.arange(count))
    step = find_step("a", first_s + np.arange(count) * step_s + jitter)
    assert step == pytest.approx(step_s, rel=3e-3)


@given(count=st.integers(3, 100), data=st.data())
def test_the_first_uneven_row_is_named(count: int, data: st.DataObject) -> None:
    row = data.draw(st.integers(1, count - 1))
    times_s = np.arange(count) * 0.1
    times_s[row:] += 0.005
    if count == 3:  # the middle of two steps is off from both
        row = 1
    with pytest.raises(InputError, match=f"a: row {row + 5}: time: expected 0.1"):
        find_step("a", times_s, first_row=5)


def test_a_single_time_has_no_step() -> None:
    with pytest.raises(InputError, match="a: rows: expected 2 or more, got 1"):
        find_step("a", np.zeros(1))


def test_a_wrong_step_is_told_with_its_rate() -> None:
    check_step("a", 0.001019, 0.001)
    with pytest.raises(InputError, match=r"expected 0.001 s \(1000 Hz\), got 0.00125 s \(800 Hz\)"):
        check_step("a", 0.00125, 0.001)
