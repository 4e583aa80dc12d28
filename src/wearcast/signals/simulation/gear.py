"""A simulated rig of two gears with two accelerometers, healthy or with a fault of the pinion.

The mesh gives a force at the tooth rate and its harmonics, whose size and phase change along a
turn: by eccentricity smoothly, once a turn; by a damaged tooth while it is in mesh. A damaged tooth
hits as well, once a turn, and the structure rings. A worn surface makes the harmonics larger and
each tooth's passage different. Load raises the mesh's force, speed all of them.

Sources: McFadden, Detecting fatigue cracks in gears by amplitude and phase demodulation of the
meshing vibration, J. Vib. Acoust. 108 (1986), for the modulated harmonics; Wang, Early detection of
gear tooth cracking using the resonance demodulation technique, Mech. Syst. Signal Process. 15
(2001), for the impacts that excite resonances.

A `GearDesign` is what all rigs have in common; a `GearRig` is one of them, drawn by its seed. Each
fault is another pinion, with a runout and tooth errors of its own.
"""

import math
from dataclasses import dataclass

import numpy as np

from wearcast.signals.errors import InputError
from wearcast.signals.simulation.structure import Mode, vary_modes
from wearcast.signals.vibration.gear_csv import CHANNELS

# Rows of each speed and load. Source: the files that are replaced, part C.
BLOCK_ROWS = 25_000

Range = tuple[float, float]


@dataclass(frozen=True)
class PinionFault:
    """What a pinion's fault does to the mesh, at a severity of 1. All are chosen.

    Dips are of the tooth in mesh alone, impacts one a turn.
    """

    harmonics: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    """Factors of the mesh's harmonics, of which wear raises the higher ones most."""
    runout: float = 0.0
    """Amplitude modulation once a turn, added to the healthy one; phase likewise, in radians."""
    dip: float = 0.0
    """Share of the mesh's force that is missing; 1 is all of it."""
    lag: float = 0.0
    """Phase lag in radians of a tooth that gives way."""
    pitches: float = 1.0
    """How long dip and lag last, in tooth pitches. With a contact ratio of 1.6, a chip off the tip
    lasts less than a pitch, a root that gives way up to two."""
    impact: float = 0.0
    """Force of the impact, in those of the healthy mesh. The mesh's is some percent of the load, by
    errors of the teeth; with a tooth missing, the load itself falls on the next."""
    impact_pitches: float = 0.1
    """How long it lasts, in pitches. The sharper the edge, the shorter."""
    tooth_errors: float = 0.0
    """Standard deviation of the force between teeth, added to the healthy one."""
    passages: float = 0.0
    """Standard deviation of the force between two passages of the same tooth."""


# By the names in the files, in the order in which they are written.
FAULTS = {
    "no fault": PinionFault(),
    "eccentricity": PinionFault(runout=0.35),
    "missing tooth": PinionFault(dip=0.9, pitches=1.6, impact=15.0, impact_pitches=0.15),
    "root crack": PinionFault(dip=0.2, lag=0.5, pitches=2.0, impact=1.5, impact_pitches=0.25),
    "surface fault": PinionFault(
        harmonics=(1.2, 1.7, 2.2, 2.2), tooth_errors=0.15, passages=0.25
    ),
    "tooth chipped fault": PinionFault(dip=0.4, pitches=0.7, impact=6.0, impact_pitches=0.08),
}  # fmt: skip


@dataclass(frozen=True)
class GearDesign:
    """What all rigs have in common, and the ranges in which they differ."""

    speeds_hz: tuple[float, ...] = (8.33, 25.0, 40.0)
    """Speeds of the pinion's shaft, in turns a second. Source: the files that are replaced, part C,
    whose speedSet is taken to be in turns a second."""
    loads: tuple[float, ...] = (0.0, 80.0)
    """Loads, taken to be percent of the rated load. Source: as of the speeds."""
    pinion_teeth: int = 32
    gear_teeth: int = 80
    """Source of both: first stage of the rig in Cao, Zhang and Tang, Preprocessing-free gear fault
    diagnosis using small datasets with deep convolutional neural network-based transfer learning,
    IEEE Access 6 (2018). The rig of part C is not described."""
    speed_error: float = 0.003
    """Standard deviation of a block's speed from the set one, as a share. Chosen."""
    speed_drift: float = 0.002
    """That of the speed within a block. Chosen: a drive with feedback."""
    drift_s: float = 0.5
    """Time constant of the speed. Chosen."""

    harmonics_g: tuple[float, ...] = (0.5, 0.3, 0.18, 0.1)
    """Force of the mesh's harmonics at 25 turns a second and rated load, by mass. Chosen."""
    harmonics_spread: float = 0.25
    """Standard deviation of their logarithm between rigs. Chosen."""
    no_load: float = 0.35
    """What is left of the mesh's force without load. Chosen: friction of the drive alone."""
    rattle: float = 0.15
    """Standard deviation of the mesh's phase without load, in radians: backlash. Chosen."""
    runout: float = 0.06
    """Amplitude modulation of a healthy gear once a turn, and its phase modulation in radians.
    Chosen."""
    tooth_errors: float = 0.05
    """Standard deviation of the force between teeth of a healthy gear. Chosen."""
    severity: Range = (0.7, 1.3)
    """Of a fault, beside what `FAULTS` says; each value as likely. Chosen."""
    shaft_g: tuple[float, float] = (0.03, 0.015)
    """Force at 1 and 2 times the shaft rate at 25 turns a second: unbalance and a coupling that is
    not quite straight; grows with the square of the speed. Chosen."""
    eccentric_g: float = 0.05
    """Force at the shaft rate that a runout of 1 adds, likewise. Chosen."""
    noise_g: float = 0.06
    """Noise of bearings and drive below 2.5 kHz at 25 turns a second. Chosen."""

    modes: tuple[Mode, ...] = (
        Mode(330.0, 0.07, 0.3),
        Mode(780.0, 0.06, 0.4),
        Mode(1_350.0, 0.05, 0.5),
        Mode(1_950.0, 0.04, 0.4),
    )
    """Of the gear case. Chosen: some in the recorded range, so that impacts ring."""
    mode_spread: float = 0.06
    """Standard deviation of the logarithm of a mode's frequency between rigs. Chosen."""
    share_spread: float = 0.35
    """That of its damping and share, for each sensor. Chosen: places and directions differ."""

    offsets_v: tuple[float, float] = (2.52, 2.43)
    """Reading without acceleration. Source: the first row of part C, near half of a supply of 5 V,
    as analog accelerometers have it."""
    sensitivities: tuple[float, float] = (0.17, 0.34)
    """Volts a g. Found so that the slowest block without load spans about 23 and 54 steps of the
    converter in the middle one of 14 rigs. Part C's scaled first row, 16/23 and 25/54, tells
    that."""
    gain_spread: float = 0.05
    """Standard deviation of the logarithm of a sensitivity between rigs. Chosen."""
    sensor_g: float = 0.02
    """Noise of a sensor. Chosen."""
    step_v: float = 20.0 / 4096
    """One step of the converter. Chosen: 12 bits over 10 V to either side."""
    corner: float = 0.42
    """Corner of the anti-alias filter, as a share of the sampling rate. Chosen."""


@dataclass(frozen=True)
class GearRig:
    """One rig, with all that is its own."""

    seed: int
    design: GearDesign
    harmonics_g: tuple[float, ...]
    modes: tuple[tuple[Mode, ...], ...]
    """As each sensor sees them."""
    offsets_v: tuple[float, ...]
    sensitivities: tuple[float, ...]


def draw_rig(seed: int, design: GearDesign | None = None) -> GearRig:
    """The rig of a seed.

    Raises:
        InputError: the seed is negative.
    """
    if seed < 0:
        raise InputError("seed", "0 or more", seed)
    design = design or GearDesign()
    random = np.random.default_rng([seed, 0])

    def spread(value: float, size: float) -> float:
        return value * math.exp(random.normal(0, size))

    machine = vary_modes(design.modes, random, design.mode_spread, 0)
    return GearRig(
        seed=seed,
        design=design,
        harmonics_g=tuple(spread(g, design.harmonics_spread) for g in design.harmonics_g),
        modes=tuple(vary_modes(machine, random, 0, design.share_spread) for _ in CHANNELS),
        offsets_v=tuple(volts + random.normal(0, 0.02) for volts in design.offsets_v),
        sensitivities=tuple(spread(gain, design.gain_spread) for gain in design.sensitivities),
    )


def list_blocks(design: GearDesign) -> list[tuple[float, float]]:
    """Speed and load of each block of a file, in their order.

    >>> list_blocks(GearDesign())
    [(8.33, 0.0), (8.33, 80.0), (25.0, 0.0), (25.0, 80.0), (40.0, 0.0), (40.0, 80.0)]
    """
    return [(speed_hz, load) for speed_hz in design.speeds_hz for load in design.loads]
