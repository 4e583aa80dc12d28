"""What the two accelerometers of a simulated gear rig record."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.simulation.drift import draw_drift
from wearcast.signals.simulation.gear import (
    BLOCK_ROWS,
    FAULTS,
    GearDesign,
    GearRig,
    PinionFault,
    list_blocks,
)
from wearcast.signals.simulation.structure import compute_accelerance, compute_filter
from wearcast.signals.vibration.gear_csv import SAMPLE_RATE_HZ

# Points at which forces are computed, for each that is recorded: the shortest impact then still
# lasts more than one.
_FINER = 4
_RATE_HZ = SAMPLE_RATE_HZ * _FINER
# Before and after, so that the seam of the Fourier transform stays out.
_MARGIN_ROWS = 2_500
# The speed at which the design tells forces, in turns a second.
_RATED_HZ = 25.0


@dataclass(frozen=True)
class _Pinion:
    """One pinion: what is the same in all its blocks."""

    fault: PinionFault
    teeth: NDArray[np.float64]
    """Relative force of each tooth."""
    tooth: float
    """Where the damaged tooth is, in turns."""
    runout: float
    runout_phase: float


def simulate_gear(rig: GearRig, fault: str) -> NDArray[np.float64]:
    """All blocks of one pinion, float64 (blocks, 2, 25000) in V, in the order of `list_blocks`.

    Depends on the rig and the fault alone.

    Raises:
        InputError: the fault is not one of `FAULTS`.
    """
    if fault not in FAULTS:
        raise InputError("fault", f"one of {', '.join(FAULTS)}", fault)
    number = list(FAULTS).index(fault)
    random = np.random.default_rng([rig.seed, 1 + number])
    pinion = _draw_pinion(rig.design, FAULTS[fault], random)
    blocks = list_blocks(rig.design)
    return np.array([_simulate_block(rig, pinion, *block, random) for block in blocks])


def _draw_pinion(design: GearDesign, fault: PinionFault, random: np.random.Generator) -> _Pinion:
    severity = random.uniform(*design.severity)
    worn = PinionFault(
        harmonics=tuple(1 + severity * (factor - 1) for factor in fault.harmonics),
        runout=severity * fault.runout,
        dip=min(severity * fault.dip, 1.0),
        lag=severity * fault.lag,
        pitches=fault.pitches,
        impact=severity * fault.impact,
        impact_pitches=fault.impact_pitches,
        tooth_errors=severity * fault.tooth_errors,
        passages=severity * fault.passages,
    )
    error = math.hypot(design.tooth_errors, worn.tooth_errors)
    return _Pinion(
        fault=worn,
        teeth=1 + error * random.standard_normal(design.pinion_teeth),
        tooth=random.uniform(),
        runout=design.runout * random.uniform(0.5, 1.5) + worn.runout,
        runout_phase=random.uniform(0, 2 * math.pi),
    )


def _simulate_block(
    rig: GearRig, pinion: _Pinion, speed_hz: float, load: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Values float64 (2, 25000) in V of one speed and load."""
    design = rig.design
    count = (BLOCK_ROWS + 2 * _MARGIN_ROWS) * _FINER
    times_s = np.arange(count) / _RATE_HZ
    drift = design.speed_drift * draw_drift(random, times_s, design.drift_s)
    shaft_hz = speed_hz * (1 + random.normal(0, design.speed_error) + drift)
    turns = np.cumsum(shaft_hz) / _RATE_HZ + random.uniform()
    force = _mesh(rig, pinion, load, turns, random)
    force *= speed_hz / _RATED_HZ
    first, second = design.shaft_g
    first += design.eccentric_g * pinion.runout
    shaft = first * np.cos(2 * math.pi * turns) + second * np.cos(4 * math.pi * turns)
    force += shaft * (speed_hz / _RATED_HZ) ** 2

    # Only what is below the recorder's Nyquist frequency: the filter leaves nothing above.
    rows = BLOCK_ROWS + 2 * _MARGIN_ROWS
    frequencies_hz = np.arange(rows // 2 + 1, dtype=np.float64) * (SAMPLE_RATE_HZ / rows)
    spectrum = np.fft.rfft(force)[: len(frequencies_hz)]
    noise_g = design.noise_g * (0.3 + 0.7 * speed_hz / _RATED_HZ)
    channels = []
    for modes, offset_v, gain in zip(rig.modes, rig.offsets_v, rig.sensitivities, strict=True):
        noise = noise_g * random.standard_normal(rows)
        seen = spectrum / _FINER + np.fft.rfft(noise)
        seen *= compute_accelerance(modes, frequencies_hz)
        seen *= compute_filter(frequencies_hz, design.corner * SAMPLE_RATE_HZ)
        values = np.fft.irfft(seen, rows)[_MARGIN_ROWS:-_MARGIN_ROWS]
        values += design.sensor_g * random.standard_normal(BLOCK_ROWS)
        volts = offset_v + gain * values
        channels.append(np.round(volts / design.step_v) * design.step_v)
    return np.array(channels)


def _mesh(
    rig: GearRig,
    pinion: _Pinion,
    load: float,
    turns: NDArray[np.float64],
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Force of the mesh at rated speed, float64 (samples,) in g by mass."""
    design, fault = rig.design, pinion.fault
    level = design.no_load + (1 - design.no_load) * load / max(design.loads)
    pitch = 1 / design.pinion_teeth
    # Turns since the damaged tooth came into mesh, 0 to 1.
    since = (turns - pinion.tooth) % 1
    angle = 2 * math.pi * turns + pinion.runout_phase
    gear_angle = 2 * math.pi * turns * design.pinion_teeth / design.gear_teeth

    in_mesh = _hump(since, fault.pitches * pitch)
    meshed = turns * design.pinion_teeth
    meshed -= np.floor(meshed[0])
    passage = meshed.astype(np.int64)
    passages = int(passage[-1]) + 2
    by_passage = pinion.teeth[np.arange(passages) % design.pinion_teeth]
    by_passage = by_passage + fault.passages * random.standard_normal(passages)
    size = (1 + pinion.runout * np.cos(angle)) * (1 + design.runout * np.cos(gear_angle))
    size *= by_passage[passage] * (1 - fault.dip * in_mesh)
    # Without load, the teeth may lie on either flank: their phase is not certain.
    rattle = design.rattle * (1 - load / max(design.loads)) * random.standard_normal(passages)
    phase = pinion.runout * np.sin(angle) + design.runout * np.sin(gear_angle)
    phase += np.interp(meshed, np.arange(passages), rattle) - fault.lag * in_mesh

    force = np.zeros(len(turns))
    for order, (g, factor) in enumerate(
        zip(rig.harmonics_g, fault.harmonics, strict=True), start=1
    ):
        mesh_angle = 2 * math.pi * order * design.pinion_teeth * turns
        force += g * factor * np.cos(mesh_angle + order * phase)
    force *= size
    # The tooth hits as the one after it takes over.
    impact = fault.impact * rig.harmonics_g[0] * _half_sine(since, fault.impact_pitches * pitch)
    mesh: NDArray[np.float64] = level * (force + impact)
    return mesh


def _hump(since: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Rises from 0 to 1 and falls back within `width`; 0 elsewhere."""
    return np.where(since < width, (1 - np.cos(2 * math.pi * since / width)) / 2, 0.0)


def _half_sine(since: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Half a sine within `width`; 0 elsewhere."""
    return np.where(since < width, np.sin(math.pi * since / width), 0.0)
