"""Recordings of rotors whose faults differ by the mean of one sensor: what one instant can tell."""

import numpy as np

from wearcast.signals.vibration.vibration import Vibration

ROTOR_FAULTS = ("normal", "unbalance", "looseness", "unbalance+looseness")
SENSORS = tuple(f"sensor{number}" for number in range(1, 5))


def make_rotor(
    unit: str = "A", *, samples: int = 1400, offset: float = 1.0, seed: int = 0
) -> list[Vibration]:
    """One recording a fault at 1 kHz; `offset`, in g: how far the fault's own sensor is off."""
    random = np.random.default_rng(seed)
    recordings = []
    for place, fault in enumerate(ROTOR_FAULTS):
        values = random.normal(0, 0.5, (4, samples))
        values[place] += offset
        recordings.append(
            Vibration(
                f"{unit}-{fault}", SENSORS, ("g",) * 4, 1000.0, values.astype(np.float32), fault,
                {"unit": unit},
            )
        )  # fmt: skip
    return recordings
