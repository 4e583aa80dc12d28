"""Recordings of machines whose faults differ in their spectra, whatever the sensors' gains.

A shaft turns at 25 Hz in coloured noise. `normal` has nothing else, `unbalance` a tone at the
shaft's frequency, `looseness` one at half of it and at twice. Units differ in gain, offset, colour
and phase.
"""

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.vibration.vibration import Vibration
from wearcast.training.fault.spectral_train import SpectralSettings

FAULTS = ("normal", "unbalance", "looseness")
SHAFT_HZ = 25.0
RATE_HZ = 1000.0
TONES = {"normal": (), "unbalance": (1.0,), "looseness": (0.5, 2.0)}
SETTINGS = SpectralSettings(
    window=1024, shaft_hz=SHAFT_HZ, orders={"0.5x": 0.5, "1x": 1.0, "2x": 2.0}, look=("orders",)
)


def make_signal(
    fault: str, random: np.random.Generator, samples: int, channels: int = 2
) -> NDArray[np.float32]:
    """Values float32 (channels, samples)."""
    times_s = np.arange(samples) / RATE_HZ
    noise = random.standard_normal((channels, samples + 3))
    rows = []
    for channel in range(channels):
        weights = random.uniform(0.5, 1.0, 4)
        signal = np.convolve(noise[channel], weights, "valid")
        for order in TONES[fault]:
            phase = random.uniform(0, 2 * np.pi)
            signal = signal + 1.5 * np.sin(2 * np.pi * order * SHAFT_HZ * times_s + phase)
        rows.append(random.uniform(0.3, 3.0) * signal + random.uniform(-1, 1))
    return np.array(rows, np.float32)


def make_machines(
    units: str = "AB", *, samples: int = 8192, channels: int = 2, seed: int = 0
) -> list[Vibration]:
    """One recording for each unit and fault."""
    names = tuple(f"s{number}" for number in range(1, channels + 1))
    recordings = []
    for place, unit in enumerate(units):
        random = np.random.default_rng([seed, place])
        for fault in FAULTS:
            values = make_signal(fault, random, samples, channels)
            recordings.append(
                Vibration(
                    f"{unit}-{fault}", names, ("g",) * channels, RATE_HZ, values, fault,
                    {"unit": unit},
                )
            )  # fmt: skip
    return recordings
