import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from wearcast.signals.simulation.looseness import LooseSeat, transmit_force

STEP_S = 1 / 4_000
# 25 turns a second, so that a second holds whole turns, of 160 steps each, and even ones too.
SHAFT_HZ = 25.0
SEAT = LooseSeat(gap_m=100e-6, pull_ms2=0.7, near_hz=110.0, far_hz=60.0, damping=0.08)


def turn(force_ms2: float, seconds: float = 6.0) -> NDArray[np.float64]:
    times_s = np.arange(round(seconds / STEP_S)) * STEP_S
    force: NDArray[np.float64] = force_ms2 * np.cos(2 * math.pi * SHAFT_HZ * times_s)
    return force


def lines_at(values: NDArray[np.float64], *orders: float) -> list[float]:
    """Amplitudes at orders of the shaft rate in the last 4 s."""
    last = values[-round(4 / STEP_S) :]
    spectrum = np.abs(np.fft.rfft(last)) * 2 / len(last)
    return [float(spectrum[round(order * SHAFT_HZ * 4)]) for order in orders]


def test_a_rotor_that_never_lifts_is_a_linear_oscillator() -> None:
    values = transmit_force(SEAT, turn(0.4), STEP_S)
    ratio = SHAFT_HZ / SEAT.near_hz
    spring = 1 + 2j * SEAT.damping * ratio
    # Transmissibility of a mass on a spring and a damper; the steps are a little coarse.
    expected = 0.4 * abs(spring / (spring - ratio**2))
    first, *others = lines_at(values, 1, 0.5, 1.5, 2, 3)
    assert first == pytest.approx(expected, rel=0.02)
    assert max(others) < 1e-6
    assert values[-160:].mean() == pytest.approx(-SEAT.pull_ms2, rel=1e-6)


def test_a_rotor_that_lifts_has_harmonics() -> None:
    values = transmit_force(SEAT, turn(4.0), STEP_S)
    first, *harmonics = lines_at(values, *range(1, 9))
    assert min(harmonics[:4]) > 0.02 * first
    # A force that leaves nothing behind: on the average the seat bears what pulls.
    assert values[-160 * 40 :].mean() == pytest.approx(-SEAT.pull_ms2, rel=0.05)


def test_a_path_may_close_after_two_turns_only() -> None:
    # Found by trying: pull and force at which every second hit is the harder one.
    seat = replace(SEAT, gap_m=60e-6, pull_ms2=0.8)
    values = transmit_force(seat, turn(4.0), STEP_S)
    first, *halves = lines_at(values, 1, 0.5, 1.5, 2.5)
    assert max(halves) > 0.1 * first
    np.testing.assert_allclose(values[-320:], values[-640:-320], atol=0.01)
    assert np.abs(values[-160:] - values[-320:-160]).max() > 1


def test_a_path_may_never_close() -> None:
    # Found likewise. Nothing here is random: the path itself is not stable.
    seat = replace(SEAT, gap_m=60e-6, pull_ms2=1.6)
    last = transmit_force(seat, turn(4.0), STEP_S)[-640:].reshape(4, 160)
    differences = [np.abs(a - b).max() for a, b in combinations(last, 2)]
    assert min(differences) > 0.5


def test_between_the_sides_nothing_is_passed_on() -> None:
    seat = LooseSeat(gap_m=1.0, pull_ms2=0.0, near_hz=110.0, far_hz=60.0, damping=0.08)
    push = np.full(400, 0.5)
    # Half a metre a second squared for 0.1 s: 2.5 mm of a metre.
    assert not transmit_force(seat, push, STEP_S).any()
