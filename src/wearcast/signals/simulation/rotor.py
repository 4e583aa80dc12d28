"""A simulated vertical pump with four accelerometers, healthy, unbalanced, loose, or both.

Forces on the rotor: its unbalance, which turns with the shaft; what a coupling and the vanes give
in any pump; and noise of the flow. A tight bearing passes them on to the housing as they are. A
loose one passes on what comes of hitting the sides of its seat (`looseness.py`), in one direction
at one end. The structure rings, noise and mains hum come on top, and each sensor has a gain and a
rate of its own. Speed and load drift; with the speed, unbalance grows by its square.

A `RotorDesign` is all that pumps of one make have in common; a `RotorUnit` is one of them, drawn
by its seed. Ranges are such that a healthy unit may shake more than another one that is unbalanced.
"""

import math
from dataclasses import dataclass

import numpy as np

from wearcast.signals.errors import InputError
from wearcast.signals.simulation.looseness import LooseSeat
from wearcast.signals.simulation.structure import Mode, vary_modes
from wearcast.signals.vibration.rotor_csv import CHANNELS

STANDARD_GRAVITY_MS2 = 9.80665

Range = tuple[float, float]


@dataclass(frozen=True)
class RotorDesign:
    """What all units of the pump have in common, and the ranges in which they differ.

    Of a range, each value is as likely as another; of those that say so, each ratio.
    """

    synchronous_hz: float = 30.0
    """Speed of the motor without load: four poles on mains of 60 Hz."""
    mains_hz: float = 60.0
    slip: Range = (0.015, 0.04)
    """How much slower the motor turns at rated load, as a share. Chosen: usual for asynchronous
    motors of some kilowatts; gives 28.8 to 29.6 Hz."""
    load: Range = (0.7, 1.0)
    """Mean load of a recording, as a share of the rated load. Chosen."""
    load_drift: float = 0.05
    """Standard deviation of the load within a recording. Chosen."""
    drift_s: float = 20.0
    """Time constant of load and speed. Chosen: some drifts within a recording."""
    speed_drift: float = 0.001
    """Standard deviation of the speed besides what load does. Chosen."""

    residual_mms: Range = (2.5, 16.0)
    """Balance quality of a healthy unit, G: eccentricity of the mass times angular speed, in mm/s;
    each ratio. Source: ISO 21940-11, which asks for G 6.3 of pumps; the range, chosen, is from the
    next better grade to the next worse, as of pumps that have run for years."""
    unbalance_mms: Range = (8.0, 25.0)
    """What the fault adds, likewise; each ratio. Chosen: to about G 16 or beyond it, so that an
    unbalanced unit may shake less than a healthy one that has run for years."""
    unbalance_angle: Range = (-0.5 * math.pi, 0.5 * math.pi)
    """Where it adds, as an angle from the residual unbalance. Chosen: a fault does not balance."""
    far_end: Range = (0.4, 1.0)
    """Unbalance force at the other end, as a share of that at the first. Chosen."""

    gap_um: Range = (10.0, 100.0)
    """Play of a loose bearing in its seat; each ratio. Chosen: less and more than the way of a free
    rotor of G 6.3, 2 x 33 um, so that it hits both sides at each turn, or not."""
    pull_ms2: Range = (0.1, 0.4)
    """Radial thrust of the pump, by the rotor's mass. Chosen: below the force of G 2.5, 0.46 m/s2,
    else nothing lifts. The shaft stands, so its weight does not hold it."""
    near_hz: Range = (90.0, 130.0)
    """Natural frequency of the rotor against the pulled side. Chosen: a contact of 4 to 6 ms, so
    that harmonics reach to about 10 times the shaft rate."""
    far_share: Range = (0.4, 0.8)
    """That of the other side, as a share. Chosen: bolts give way more than the seat."""
    contact_damping: float = 0.08
    """Damping ratio of the contacts. Chosen: metal on metal with grease between."""
    loose_paths: tuple[float, float, float, float] = (1.0, 0.35, 0.4, 0.15)
    """How much of the contact's force each sensor sees; the rest of its direction passes by the
    tight end. Chosen: most in its own direction, at its own end."""

    coupling: tuple[Range, Range] = ((0.02, 0.3), (0.01, 0.1))
    """Force at 2 and 3 times the shaft rate of a coupling that is never quite straight, in m/s2.
    Chosen: 2 to 25% of the force of G 6.3 at 1 times, so that harmonics alone prove nothing."""
    vanes: int = 6
    """Vanes of the impeller: a force at 6 times the shaft rate. Chosen."""
    vane_ms2: Range = (0.05, 0.4)
    """Its size at rated load. Chosen: as large as those of a loose bearing."""
    flow_ms2: float = 0.3
    """Noise of the flow on the rotor below 2 kHz, standard deviation at rated load. Chosen."""

    modes_x: tuple[Mode, ...] = (
        Mode(17.0, 0.06, 0.25),
        Mode(95.0, 0.04, 0.12),
        Mode(310.0, 0.03, 0.15),
    )
    modes_y: tuple[Mode, ...] = (
        Mode(21.0, 0.06, 0.25),
        Mode(125.0, 0.04, 0.12),
        Mode(370.0, 0.03, 0.15),
    )
    """The machine rocks on its mounts and bends at two higher modes, in two directions. Chosen: the
    speed lies above the mounts' frequencies, as it has to; the rotor has a quarter of the mass;
    damping ratios are those of bolted steel, some percent."""
    mode_spread: float = 0.06
    """Standard deviation of the logarithm of a mode's frequency between units. Chosen."""
    share_spread: float = 0.25
    """That of its damping and share, for each sensor. Chosen: places differ by centimetres."""

    casing_g: Range = (0.006, 0.025)
    """Noise that reaches the sensors by the casing at rated load, below 2 kHz; each ratio. Chosen:
    so that the floor of a quiet loose unit is below that of a noisy tight one."""
    hum_g: Range = (0.0002, 0.002)
    """Mains hum of a sensor's cable. Chosen."""
    magnet_ms2: Range = (0.02, 0.2)
    """Force of the motor's field at twice the mains frequency. Chosen."""
    gain_spread: float = 0.05
    """Standard deviation of a sensor's gain. Chosen: 5 to 10% is what makers promise."""
    sensor_g: float = 0.001
    """Noise of a sensor and its recorder. Chosen."""
    corner: float = 0.4
    """Corner of the recorder's anti-alias filter, as a share of the sampling rate. Chosen."""


@dataclass(frozen=True)
class RotorUnit:
    """One pump of the make, with all that is its own. Forces are by the rotor's mass."""

    seed: int
    design: RotorDesign
    slip: float
    residual_mms: float
    unbalance_mms: float
    unbalance_angle: float
    far_end: float
    seat: LooseSeat
    coupling_ms2: tuple[float, float]
    vane_ms2: float
    magnet_ms2: float
    modes: tuple[tuple[Mode, ...], ...]
    """As each sensor sees them."""
    casing_g: float
    gains: tuple[float, ...]
    hums_g: tuple[float, ...]


def draw_unit(seed: int, design: RotorDesign | None = None) -> RotorUnit:
    """The unit of a seed.

    Raises:
        InputError: the seed is negative.
    """
    if seed < 0:
        raise InputError("seed", "0 or more", seed)
    design = design or RotorDesign()
    random = np.random.default_rng([seed, 0])

    def draw(bounds: Range) -> float:
        return float(random.uniform(*bounds))

    def draw_ratio(bounds: Range) -> float:
        return math.exp(draw((math.log(bounds[0]), math.log(bounds[1]))))

    near_hz = draw(design.near_hz)
    seat = LooseSeat(
        gap_m=draw_ratio(design.gap_um) * 1e-6,
        pull_ms2=draw(design.pull_ms2),
        near_hz=near_hz,
        far_hz=near_hz * draw(design.far_share),
        damping=design.contact_damping,
    )
    # A mode's frequency is the machine's; how much of it arrives is each sensor's own.
    machine = [
        vary_modes(modes, random, design.mode_spread, 0)
        for modes in (design.modes_x, design.modes_y)
    ]
    modes = tuple(vary_modes(m, random, 0, design.share_spread) for m in machine * 2)
    return RotorUnit(
        seed=seed,
        design=design,
        slip=draw(design.slip),
        residual_mms=draw_ratio(design.residual_mms),
        unbalance_mms=draw_ratio(design.unbalance_mms),
        unbalance_angle=draw(design.unbalance_angle),
        far_end=draw(design.far_end),
        seat=seat,
        coupling_ms2=(draw(design.coupling[0]), draw(design.coupling[1])),
        vane_ms2=draw(design.vane_ms2),
        magnet_ms2=draw(design.magnet_ms2),
        modes=modes,
        casing_g=draw_ratio(design.casing_g),
        gains=tuple(float(random.normal(1, design.gain_spread)) for _ in CHANNELS),
        hums_g=tuple(draw(design.hum_g) for _ in CHANNELS),
    )


def compute_unbalance_mms(unit: RotorUnit, fault: str) -> float:
    """Unbalance of the unit with a fault: eccentricity times angular speed, in mm/s (grade G)."""
    added = unit.unbalance_mms if "unbalance" in fault else 0.0
    across = added * math.sin(unit.unbalance_angle)
    along = unit.residual_mms + added * math.cos(unit.unbalance_angle)
    return math.hypot(along, across)
