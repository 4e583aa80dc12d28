"""A simulated bearing that runs to failure, in the layout of the PRONOSTIA test bench.

Each snapshot is the sum of what the shaft, the healthy bearing and the damage give:

- unbalance: a sine at the shaft rate;
- background: Gaussian noise with the spectrum and level of real new bearings, which falls during
  running-in;
- damage: from an onset on, an impulse at each pass of a ball over the defect, with random slip,
  that makes the housing ring; its size grows exponentially until it fails. Noise grows with it.

Sources: McFadden and Smith, Model for the vibration produced by a single point defect in a rolling
element bearing, J. Sound Vib. 96 (1984), for the impulses; Randall and Antoni, Rolling element
bearing diagnostics: a tutorial, Mech. Syst. Signal Process. 25 (2011), for rates and slip; Gebraeel
et al., Residual-life distributions from component degradation signals, IIE Trans. 37 (2005), for
exponential growth.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.bearing_orders import bearing_orders
from wearcast.signals.clock import parse_time
from wearcast.signals.errors import InputError
from wearcast.signals.femto import DAY, HOP_S, SAMPLE_RATE_HZ, WINDOW
from wearcast.signals.series import Block

# Shaft speed of the bench's three conditions. Source: Nectoux et al., IEEE PHM 2012.
SHAFT_RPM = {1: 1800.0, 2: 1650.0, 3: 1500.0}


@dataclass(frozen=True)
class BearingLife:
    """All that a simulated life hangs on.

    "Learning set" below means: measured for this purpose on the six bearings of PRONOSTIA's
    learning set, rounded means over them.
    """

    condition: int = 1
    """Operating condition, 1 to 3."""
    life_s: float = 3_600.0
    """Time from new to failure, in seconds. Bearings of the learning set last 5,150 to 28,030."""
    seed: int = 0
    """The same seed gives the same life."""
    defect: Literal["outer", "inner"] = "outer"
    """The race that is damaged."""

    balls: int = 13
    """Number of balls. Source of this and the diameters: Nectoux et al., IEEE PHM 2012, table of
    the tested bearing's characteristics."""
    ball_diameter_mm: float = 3.5
    pitch_diameter_mm: float = 25.6
    contact_angle_deg: float = 0.0
    """0: a deep groove ball bearing under radial load."""
    slip: float = 0.015
    """Standard deviation of the time between impulses, as a share of it. Source: Randall and Antoni
    (2011): 1 to 2 percent."""

    unbalance_g: float = 0.05
    """Amplitude at the shaft rate. Chosen."""
    new_rms_g: tuple[float, float] = (0.43, 0.36)
    """Background of a new bearing, horizontal and vertical. Learning set, 2% of life."""
    run_in_rms_g: tuple[float, float] = (0.31, 0.37)
    """Background after running-in. Learning set, 25 to 50% of life, without Bearing2_1 and 2_2."""
    run_in: float = 0.1
    """Share of life after which running-in has done 63% of its work. Chosen: in the learning set
    the level has settled by a quarter of life."""
    background: tuple[tuple[float, ...], tuple[float, ...]] = (
        (0.16, 0.13, 0.60, 0.08, 0.01, 0.005, 0.01, 0.005),
        (0.03, 0.11, 0.20, 0.29, 0.10, 0.10, 0.14, 0.03),
    )
    """Shares of the background's energy in eight bands of 1.6 kHz, horizontal and vertical.
    Learning set, snapshots 6 to 25."""

    onset: float = 0.5
    """Share of life at which damage starts. Chosen near Bearing1_1's; most others show nothing
    before 0.9, which would leave a short life without a story."""
    onset_g: float = 0.5
    """Size of an impulse of the first damage. Found as said at `modes`."""
    failure_g: float = 5.7
    """Size of an impulse at failure. Found as said at `modes`; with the modes' shares, peaks then
    reach the 20 g at which the bench's tests stop."""
    spread: float = 0.3
    """Standard deviation of the logarithm of one impulse's size, and half of it between snapshots.
    Chosen: gives the last snapshots a kurtosis like the learning set's, 4 to 24."""
    roughness: float = 0.005
    """Noise that damage adds, as a share of the ringing. Found as said at `modes`."""
    modes: tuple[tuple[tuple[float, float, float], ...], tuple[tuple[float, float, float], ...]] = (
        ((1_000.0, 0.09, 1.8), (3_800.0, 0.037, 0.25), (10_500.0, 0.03, 0.85)),
        ((3_600.0, 0.012, 0.3), (7_000.0, 0.009, 0.65), (10_200.0, 0.0075, 0.95)),
    )
    """Modes of the housing in each direction: frequency in Hz, damping ratio, share of the ringing.
    Frequencies: bands that hold the energy at the end of the learning set's lives. Damping, shares,
    roughness, onset_g and failure_g: found by search, so that band levels and kurtosis at 70, 90,
    97 and 99.5% of life come near Bearing1_1's, the one whose wear shows longest."""

    def __post_init__(self) -> None:
        if self.condition not in SHAFT_RPM:
            raise InputError("condition", "1, 2 or 3", self.condition)
        if not HOP_S <= self.life_s < math.inf:
            raise InputError("life_s", f"{HOP_S:g} or more", self.life_s)

    @property
    def shaft_hz(self) -> float:
        """Revolutions of the shaft a second."""
        return SHAFT_RPM[self.condition] / 60

    @property
    def outer_hz(self) -> float:
        """Balls that pass a point of the outer race a second (BPFO).

        >>> round(BearingLife(condition=1).outer_hz, 1)
        168.3
        """
        return self._orders["BPFO"] * self.shaft_hz

    @property
    def inner_hz(self) -> float:
        """Balls that pass a point of the inner race a second (BPFI).

        >>> round(BearingLife(condition=1).inner_hz, 1)
        221.7
        """
        return self._orders["BPFI"] * self.shaft_hz

    @property
    def snapshots(self) -> int:
        """Number of snapshots in the whole life."""
        return int(self.life_s // HOP_S)

    @property
    def _orders(self) -> dict[str, float]:
        return bearing_orders(
            self.balls, self.ball_diameter_mm, self.pitch_diameter_mm, self.contact_angle_deg
        )


def damage_g(life: BearingLife, fraction: float) -> float:
    """Size of the ringing in g at a life fraction: 0 before the onset, then exponential growth.

    >>> life = BearingLife(onset=0.5, onset_g=0.2, failure_g=20.0)
    >>> [round(damage_g(life, fraction), 1) for fraction in (0.2, 0.5, 0.75, 1.0)]
    [0.0, 0.2, 2.0, 20.0]
    """
    if fraction < life.onset:
        return 0.0
    grown = (fraction - life.onset) / (1 - life.onset)
    return life.onset_g * math.exp(grown * math.log(life.failure_g / life.onset_g))


def simulate_bearing(life: BearingLife, *, stop_at: float = 1.0) -> Iterator[Block]:
    """The snapshots from new until the life fraction `stop_at`, one each 10 s from 8 o'clock on.

    Raises:
        InputError: `stop_at` is not over 0 and up to 1, or leaves no snapshot.
    """
    count = round(life.snapshots * stop_at) if 0 < stop_at <= 1 else 0
    if count == 0:
        raise InputError("stop_at", "over 0, up to 1, at least one snapshot", stop_at)
    first_us = parse_time(f"{DAY.isoformat()}T08:00:00Z")
    return (
        Block(
            sequence=number,
            start_us=first_us + round(number * HOP_S * 1e6),
            sample_rate_hz=SAMPLE_RATE_HZ,
            values=simulate_snapshot(life, number),
        )
        for number in range(count)
    )


def simulate_snapshot(life: BearingLife, number: int) -> NDArray[np.float32]:
    """Values float32 (2, 2560) in g of one snapshot; depends on `life` and the number alone."""
    random = np.random.default_rng([life.seed, number])
    fraction = number / max(life.snapshots - 1, 1)
    damage = damage_g(life, fraction) * math.exp(random.normal(0, life.spread / 2))
    worn_in = 1 - math.exp(-fraction / life.run_in)
    times_s = np.arange(WINDOW) / SAMPLE_RATE_HZ
    shaft_phase = random.uniform(0, 2 * math.pi)
    turns = 2 * math.pi * life.shaft_hz * times_s + shaft_phase
    impulses_s, sizes = _impulses(life, random, shaft_phase)
    channels = []
    for new_g, run_in_g, shares, modes in zip(
        life.new_rms_g, life.run_in_rms_g, life.background, life.modes, strict=True
    ):
        rms_g = new_g + (run_in_g - new_g) * worn_in + life.roughness * damage
        channel = life.unbalance_g * np.sin(turns) + rms_g * _noise(shares, random)
        if damage > 0:
            channel += damage * _ringing(modes, impulses_s, sizes, times_s)
        channels.append(channel)
    return np.array(channels, dtype=np.float32)


def _noise(shares: tuple[float, ...], random: np.random.Generator) -> NDArray[np.float64]:
    """Gaussian noise of rms 1 whose energy lies in equal bands by `shares`."""
    spectrum = np.fft.rfft(random.standard_normal(WINDOW))
    bands = np.arange(len(spectrum)) * len(shares) // len(spectrum)
    shaped = np.fft.irfft(spectrum * np.sqrt(np.asarray(shares))[bands], WINDOW)
    noise: NDArray[np.float64] = shaped / math.sqrt(np.mean(shaped**2))
    return noise


def _impulses(
    life: BearingLife, random: np.random.Generator, shaft_phase: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times in seconds and sizes of the impulses in a snapshot and shortly before it."""
    rate_hz = life.outer_hz if life.defect == "outer" else life.inner_hz
    count = math.ceil(WINDOW / SAMPLE_RATE_HZ * rate_hz) + 3
    steps = random.normal(1, life.slip, count) / rate_hz
    # The first is before the snapshot, so that its ringing may reach into it.
    times_s = np.cumsum(steps) - (1 + random.uniform()) / rate_hz
    sizes = np.exp(random.normal(0, life.spread, count))
    if life.defect == "inner":
        # A defect of the turning race passes through the load zone once a revolution.
        sizes *= (1 + np.cos(2 * math.pi * life.shaft_hz * times_s + shaft_phase)) / 2
    return times_s, sizes


def _ringing(
    modes: tuple[tuple[float, float, float], ...],
    impulses_s: NDArray[np.float64],
    sizes: NDArray[np.float64],
    times_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Decaying oscillations of all modes after each impulse, in sizes of the impulses."""
    since_s = times_s - impulses_s[:, np.newaxis]
    started = since_s >= 0
    since_s = np.where(started, since_s, 0.0)
    response = np.zeros_like(since_s)
    for frequency_hz, damping, share in modes:
        angle = 2 * math.pi * frequency_hz * since_s
        response += share * np.exp(-damping * angle) * np.sin(math.sqrt(1 - damping**2) * angle)
    ringing: NDArray[np.float64] = (sizes[:, np.newaxis] * started * response).sum(axis=0)
    return ringing
