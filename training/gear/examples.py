"""Gear recordings cut into windows, and what is known of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.gear_csv import read_gear
from wearcast.signals.vibration.vibration import Vibration

SENSORS = ("sensor1", "sensor2")
# Chosen: at 5 kHz 0.41 s, three revolutions of the slowest shaft; and half overlapping.
WINDOW = 2048
_HOP = WINDOW // 2
# What is held out together, by name of the condition that stands for both.
SPEED_AND_LOAD = "speed and load"


@dataclass(frozen=True, eq=False)
class Examples:
    """Windows of signal.

    values: float32 (n, sensors, WINDOW), as read. recordings: int64 (n,), which recording each is
    of. faults: int64 (n,), places in a list of faults. speeds, loads: float64 (n,), as the files
    have them.
    """

    values: NDArray[np.float32]
    sample_rate_hz: float
    recordings: NDArray[np.int64]
    faults: NDArray[np.int64]
    speeds: NDArray[np.float64]
    loads: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.values)


def read_rigs(folders: Sequence[Path]) -> list[Vibration]:
    """The recordings in folders of gear files, one folder a rig; each file is of one fault.

    Raises:
        InputError: a folder without a file, or twice; a file that is not as it should be; a
            recording without a fault, or of a shaft that stands.
    """
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        raise InputError("data", "folders of different names", ", ".join(names))
    vibrations = []
    for name, folder in zip(names, folders, strict=True):
        paths = sorted(folder.glob("*.csv"))
        if not paths:
            raise InputError(str(folder), "gear files, *.csv", "none")
        for vibration in (item for path in paths for item in read_gear(path)):
            if not vibration.fault:
                raise InputError(vibration.name, "a fault", "none")
            conditions = vibration.conditions
            if not float(conditions["speed"]) > 0:
                raise InputError(f"speed of {name}/{vibration.name}", "over 0", conditions["speed"])
            both = f"{conditions['speed']}, {conditions['load']}"
            vibrations.append(
                replace(
                    vibration,
                    name=f"{name}/{vibration.name}",
                    conditions={**conditions, "unit": name, SPEED_AND_LOAD: both},
                )
            )
    return vibrations


def list_faults(vibrations: Sequence[Vibration]) -> tuple[str, ...]:
    """All faults, each once, in alphabetical order."""
    return tuple(sorted({vibration.fault for vibration in vibrations}))


def cut_examples(vibrations: Sequence[Vibration], faults: Sequence[str]) -> Examples:
    """All windows of recordings, half overlapping; what is left over at an end is not used.

    Raises:
        InputError: a sensor is missing, rates differ, or a recording is shorter than a window.
    """
    rate_hz = vibrations[0].sample_rate_hz
    windows, recordings = [], []
    for number, vibration in enumerate(vibrations):
        missing = [name for name in SENSORS if name not in vibration.channels]
        if missing:
            raise InputError(vibration.name, ", ".join(SENSORS), f"no {missing[0]}")
        if vibration.sample_rate_hz != rate_hz:
            field = f"sample rate of {vibration.name}"
            raise InputError(field, f"{rate_hz:g} Hz as the others", vibration.sample_rate_hz)
        samples = vibration.values.shape[1]
        if samples < WINDOW:
            raise InputError(f"samples of {vibration.name}", f"{WINDOW} or more", samples)
        values = vibration.values[[vibration.channels.index(name) for name in SENSORS]]
        every = np.lib.stride_tricks.sliding_window_view(values, WINDOW, axis=1)[:, ::_HOP]
        windows.append(every.transpose(1, 0, 2))
        recordings += [number] * every.shape[1]
    places = np.array(recordings, np.int64)

    def spread(name: str) -> NDArray[np.float64]:
        return np.array([float(vibration.conditions[name]) for vibration in vibrations])[places]

    labels = np.array([faults.index(vibration.fault) for vibration in vibrations], np.int64)
    return Examples(
        values=np.concatenate(windows),
        sample_rate_hz=rate_hz,
        recordings=places,
        faults=labels[places],
        speeds=spread("speed"),
        loads=spread("load"),
    )
