import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.simulation.rotor import (
    RotorDesign,
    compute_unbalance_mms,
    draw_unit,
)
from wearcast.signals.simulation.rotor_signal import count_samples, simulate_rotor
from wearcast.signals.vibration.rotor_csv import FAULTS, STEPS_S

DESIGN = RotorDesign()
STEP_S = STEPS_S["sensor1"]
SECONDS = 10.0
SEEDS = (1, 2, 5, 7)


def spectrum(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Orders of the shaft rate and amplitudes in g of sensor 1."""
    size = len(values)
    amplitudes = np.abs(np.fft.rfft(values * np.hanning(size))) * 4 / size
    hertz = np.fft.rfftfreq(size, STEP_S)
    near = (hertz > 28) & (hertz < 30.5)
    shaft_hz = hertz[near][np.argmax(amplitudes[near])]
    return hertz / shaft_hz, amplitudes


def rms_near(values: NDArray[np.float64], order: float, width: float) -> float:
    orders, amplitudes = spectrum(values)
    return float(np.sqrt((amplitudes[np.abs(orders - order) < width] ** 2).mean()))


def floor(values: NDArray[np.float64]) -> float:
    """Median amplitude between 1.2 and 8 times the shaft rate."""
    orders, amplitudes = spectrum(values)
    return float(np.median(amplitudes[(orders > 1.2) & (orders < 8)]))


def count_harmonics(values: NDArray[np.float64]) -> int:
    """How many of 2 to 10 times the shaft rate stand out of their surroundings."""
    orders, amplitudes = spectrum(values)
    count = 0
    for order in range(2, 11):
        line = amplitudes[np.abs(orders - order) < 0.03].max()
        count += bool(line > 8 * np.median(amplitudes[np.abs(orders - order) < 0.3]))
    return count


@pytest.fixture(scope="module")
def recordings() -> dict[tuple[int, str], tuple[NDArray[np.float64], ...]]:
    return {
        (seed, fault): simulate_rotor(draw_unit(seed), fault, SECONDS)
        for seed in SEEDS
        for fault in FAULTS
    }


Recordings = dict[tuple[int, str], tuple[NDArray[np.float64], ...]]


@pytest.mark.parametrize("seed", SEEDS)
def test_unbalance_raises_the_shaft_rate_and_nothing_else(
    recordings: Recordings, seed: int
) -> None:
    unit = draw_unit(seed)
    healthy, unbalanced = recordings[seed, "normal"][0], recordings[seed, "unbalance"][0]
    grades = compute_unbalance_mms(unit, "unbalance") / compute_unbalance_mms(unit, "normal")
    raised = rms_near(unbalanced, 1, 0.03) / rms_near(healthy, 1, 0.03)
    assert raised == pytest.approx(grades, rel=0.15)
    # The load, and noise with it, is another one on another day.
    assert floor(unbalanced) == pytest.approx(floor(healthy), rel=0.35)
    assert count_harmonics(unbalanced) <= count_harmonics(healthy) + 1


@pytest.mark.parametrize("seed", SEEDS)
def test_looseness_gives_noise_and_half_orders(recordings: Recordings, seed: int) -> None:
    healthy, loose = recordings[seed, "normal"][0], recordings[seed, "looseness"][0]
    assert floor(loose) > 1.4 * floor(healthy)
    halves = [rms_near(loose, order, 0.06) / rms_near(healthy, order, 0.06) for order in (1.5, 3.5)]
    assert max(halves) > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_both_give_harmonics_up_to_10_and_the_larger_shaft_rate(
    recordings: Recordings, seed: int
) -> None:
    healthy = recordings[seed, "normal"][0]
    loose = recordings[seed, "looseness"][0]
    both = recordings[seed, "unbalance+looseness"][0]
    assert count_harmonics(both) >= 7 > count_harmonics(healthy) + 2
    assert rms_near(both, 1, 0.03) > 1.2 * rms_near(loose, 1, 0.03)


def test_what_is_loose_shows_most_at_its_own_place(recordings: Recordings) -> None:
    for seed in SEEDS:
        energy = [
            float((loose**2).mean() - (healthy**2).mean())
            for loose, healthy in zip(
                recordings[seed, "looseness"], recordings[seed, "normal"], strict=True
            )
        ]
        # In its direction and at its end, against across and at the other.
        assert energy[0] > energy[3]


def test_no_level_parts_healthy_from_faulty() -> None:
    healthy, faulty = [], []
    for seed in range(12):
        unit = draw_unit(seed)
        healthy.append(_level(simulate_rotor(unit, "normal", 2.0)))
        faulty += [_level(simulate_rotor(unit, fault, 2.0)) for fault in ("unbalance", "looseness")]
    assert max(healthy) > np.median(faulty)
    assert min(faulty) < 1.1 * np.median(healthy)


def _level(sensors: tuple[NDArray[np.float64], ...]) -> float:
    return float(np.mean([values.std() for values in sensors]))


@given(seed=st.integers(0, 10**9))
def test_units_are_of_one_make(seed: int) -> None:
    unit = draw_unit(seed)
    assert DESIGN.residual_mms[0] <= unit.residual_mms <= DESIGN.residual_mms[1]
    assert DESIGN.unbalance_mms[0] <= unit.unbalance_mms <= DESIGN.unbalance_mms[1]
    assert DESIGN.gap_um[0] * 0.999e-6 <= unit.seat.gap_m <= DESIGN.gap_um[1] * 1.001e-6
    assert unit.seat.far_hz < unit.seat.near_hz
    assert len(unit.modes) == len(unit.gains) == len(unit.hums_g) == 4
    # Sensors of one direction see the same modes, each in its own size.
    for first, second in ((0, 2), (1, 3)):
        assert [m.frequency_hz for m in unit.modes[first]] == [
            m.frequency_hz for m in unit.modes[second]
        ]
        assert unit.modes[first] != unit.modes[second]
    # The fault never balances, and adds at most all of it.
    worse = compute_unbalance_mms(unit, "unbalance")
    assert unit.residual_mms < worse <= unit.residual_mms + unit.unbalance_mms
    assert worse == compute_unbalance_mms(unit, "unbalance+looseness")
    assert compute_unbalance_mms(unit, "looseness") == pytest.approx(unit.residual_mms)


def test_a_seed_gives_the_same_unit_and_recordings_again() -> None:
    assert draw_unit(3) == draw_unit(3) != draw_unit(4)
    for fault in FAULTS:
        values = simulate_rotor(draw_unit(3), fault, 1.0)
        again = simulate_rotor(draw_unit(3), fault, 1.0)
        other = simulate_rotor(draw_unit(4), fault, 1.0)
        for number in range(4):
            np.testing.assert_array_equal(values[number], again[number])
            assert not np.array_equal(values[number], other[number])


@given(step_s=st.sampled_from(list(STEPS_S.values())), seconds=st.integers(1, 3_600))
def test_the_last_sample_is_the_first_at_or_after_the_end(step_s: float, seconds: int) -> None:
    last_s = (count_samples(step_s, seconds) - 1) * step_s
    assert seconds - 1e-9 <= last_s < seconds + step_s


def test_sensors_have_their_own_rates() -> None:
    values = simulate_rotor(draw_unit(0), "normal", 3.0)
    assert [len(sensor) for sensor in values] == [
        math.ceil(3.0 / step_s) + 1 for step_s in STEPS_S.values()
    ]


@pytest.mark.parametrize(
    ("fault", "seconds", "message"),
    [
        ("bent", 10.0, "fault: expected one of normal, unbalance, .*, got bent"),
        ("normal", 0.5, "seconds: expected 1 or more, got 0.5"),
        ("normal", math.inf, "seconds: expected 1 or more, got inf"),
        ("normal", math.nan, "seconds: expected 1 or more, got nan"),
    ],
)
def test_what_cannot_be_simulated_is_refused(fault: str, seconds: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate_rotor(draw_unit(0), fault, seconds)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(InputError, match="seed: expected 0 or more, got -1"):
        draw_unit(-1)
