"""What the four accelerometers of a simulated pump record."""

import math

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.simulation.drift import draw_drift
from wearcast.signals.simulation.looseness import transmit_force
from wearcast.signals.simulation.rotor import (
    STANDARD_GRAVITY_MS2,
    RotorUnit,
    compute_unbalance_mms,
)
from wearcast.signals.simulation.structure import compute_accelerance, compute_filter
from wearcast.signals.vibration.rotor_csv import FAULTS, STEPS_S

# Rate at which forces are computed: 6 times the highest corner of the recorders and more.
_RATE_HZ = 4_000
# Points between two of these for the sensors' own rates. Straight lines between them are then less
# than 1% off at 500 Hz.
_FINER = 4
# Before and after, so that the start of the motion and the seam of the Fourier transform stay out.
_MARGIN_S = 1.0


def count_samples(step_s: float, seconds: float) -> int:
    """How many samples there are, so that the last one lies at or after `seconds`.

    >>> count_samples(0.25, 1.0), count_samples(0.3, 1.0)
    (5, 5)
    """
    return math.ceil(round(seconds / step_s, 6)) + 1


def simulate_rotor(
    unit: RotorUnit, fault: str, seconds: float = 140.0
) -> tuple[NDArray[np.float64], ...]:
    """One recording: each sensor's values, float64 (samples,) in g, at its own rate from 0 s on.

    Depends on the arguments alone. The recordings of a unit's faults are from different days: each
    has its own load, its own drift and its own noise.

    Raises:
        InputError: the fault is not one of `FAULTS`, or `seconds` is below 1 or not finite.
    """
    if fault not in FAULTS:
        raise InputError("fault", f"one of {', '.join(FAULTS)}", fault)
    if not 1 <= seconds < math.inf:
        raise InputError("seconds", "1 or more", seconds)
    design = unit.design
    random = np.random.default_rng([unit.seed, 1 + FAULTS.index(fault)])
    count = math.ceil((seconds + 2 * _MARGIN_S) * _RATE_HZ)
    times_s = np.arange(count) / _RATE_HZ - _MARGIN_S
    mean_load = random.uniform(*design.load)
    load = mean_load * (1 + design.load_drift * draw_drift(random, times_s, design.drift_s))
    wander = 1 + design.speed_drift * draw_drift(random, times_s, design.drift_s)
    shaft_hz = design.synchronous_hz * (1 - unit.slip * load) * wander
    turns = 2 * math.pi * (np.cumsum(shaft_hz) / _RATE_HZ + random.uniform())
    forces = _combine_forces(unit, fault, random, load=load, shaft_hz=shaft_hz, turns=turns)

    frequencies_hz = np.arange(count // 2 + 1, dtype=np.float64) * (_RATE_HZ / count)
    fine_s = np.arange(count * _FINER) / (_RATE_HZ * _FINER) - _MARGIN_S
    casing = load * random.standard_normal(count)
    recorded = []
    for number, step_s in enumerate(STEPS_S.values()):
        # Half of the casing's noise is the same everywhere.
        noise = unit.casing_g * math.sqrt(0.5) * (casing + load * random.standard_normal(count))
        hum = unit.hums_g[number] * np.cos(2 * math.pi * design.mains_hz * times_s)
        size = count_samples(step_s, seconds)
        spectrum = np.fft.rfft(forces[number] / STANDARD_GRAVITY_MS2)
        spectrum *= compute_accelerance(unit.modes[number], frequencies_hz)
        spectrum += np.fft.rfft(noise + hum)
        spectrum *= unit.gains[number] * compute_filter(frequencies_hz, design.corner / step_s)
        fine = np.fft.irfft(spectrum, count * _FINER) * _FINER
        values = np.interp(np.arange(size) * step_s, fine_s, fine)
        recorded.append(values + design.sensor_g * random.standard_normal(size))
    return tuple(recorded)


def _combine_forces(
    unit: RotorUnit,
    fault: str,
    random: np.random.Generator,
    *,
    load: NDArray[np.float64],
    shaft_hz: NDArray[np.float64],
    turns: NDArray[np.float64],
) -> list[NDArray[np.float64]]:
    """Forces at the sensors' places by the rotor's mass, in m/s2.

    Sensors 1 and 2 are at the loose end, 3 and 4 at the other; 1 and 3 in the loose direction.
    """
    design = unit.design
    # G is eccentricity times nominal angular speed, so its force is G times angular speed, and
    # grows with the square of what the speed is beside the nominal one.
    rated_hz = design.synchronous_hz
    eccentricity_m = compute_unbalance_mms(unit, fault) * 1e-3 / (2 * math.pi * rated_hz)
    unbalance = eccentricity_m * (2 * math.pi * shaft_hz) ** 2
    steady = unit.vane_ms2 * load**2 * np.cos(design.vanes * turns)
    for order, size in zip((2, 3), unit.coupling_ms2, strict=True):
        steady = steady + size * np.cos(order * turns)
    magnet = np.arange(len(turns)) * (2 * math.pi * 2 * design.mains_hz / _RATE_HZ)
    steady = steady + unit.magnet_ms2 * np.cos(magnet)
    forces = [
        unbalance * np.cos(turns - quarter) * end
        + steady
        + design.flow_ms2 * load * random.standard_normal(len(turns))
        for end in (1.0, unit.far_end)
        for quarter in (0.0, math.pi / 2)
    ]
    if "looseness" in fault:
        contact = transmit_force(unit.seat, forces[0], 1 / _RATE_HZ)
        # The loose direction gets its force through the contact, at the other end a part of it;
        # across, the contact's comes on top of what the tight side passes on.
        forces = [
            path * contact + (force if across else (1 - path) * force)
            for path, across, force in zip(
                design.loose_paths, (False, True, False, True), forces, strict=True
            )
        ]
    return forces
