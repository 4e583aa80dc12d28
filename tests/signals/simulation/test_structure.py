import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wearcast.signals.simulation.structure import (
    Mode,
    compute_accelerance,
    compute_filter,
    vary_modes,
)


@given(frequency_hz=st.floats(5, 500), damping=st.floats(0.01, 0.3), share=st.floats(0.05, 2))
def test_a_mode_is_a_mass_on_a_spring(frequency_hz: float, damping: float, share: float) -> None:
    mode = (Mode(frequency_hz, damping, share),)
    far_below, at_mode, far_above = np.abs(
        compute_accelerance(mode, np.array([frequency_hz / 100, frequency_hz, frequency_hz * 100]))
    )
    assert far_below == pytest.approx(share / 10_000, rel=1e-3)
    assert at_mode == pytest.approx(share / (2 * damping), rel=1e-9)
    assert far_above == pytest.approx(share, rel=1e-3)


def test_modes_add_up() -> None:
    frequencies_hz = np.linspace(0, 1_000, 101)
    modes = (Mode(50.0, 0.05, 0.3), Mode(300.0, 0.02, 0.1))
    alone = [compute_accelerance((mode,), frequencies_hz) for mode in modes]
    np.testing.assert_allclose(compute_accelerance(modes, frequencies_hz), sum(alone), rtol=1e-12)


@given(corner_hz=st.floats(1, 1e5))
def test_the_filter_is_of_order_8(corner_hz: float) -> None:
    kept = compute_filter(corner_hz * np.array([0.0, 0.5, 1.0, 2.0]), corner_hz)
    decibels = 20 * np.log10(kept)
    assert decibels[0] == 0
    assert decibels[1] > -0.001
    # 3 dB at the corner, 8 x 6.02 dB an octave beyond.
    assert decibels[2] == pytest.approx(-3.01, abs=0.01)
    assert decibels[3] == pytest.approx(-48.2, abs=0.1)


def test_variation_keeps_what_has_none() -> None:
    modes = (Mode(50.0, 0.05, 0.3), Mode(300.0, 0.02, 0.1))
    random = np.random.default_rng(0)
    assert vary_modes(modes, random, 0, 0) == modes
    other = vary_modes(modes, random, 0.1, 0)
    assert [mode.damping for mode in other] == [0.05, 0.02]
    assert [mode.share for mode in other] == [0.3, 0.1]
    assert all(a.frequency_hz != b.frequency_hz for a, b in zip(modes, other, strict=True))
