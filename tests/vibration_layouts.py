"""Small files in the rotor's and the gear's layout, of which tests know every value."""

from pathlib import Path

import numpy as np

from wearcast.signals.vibration.gear_csv import COLUMNS
from wearcast.signals.vibration.rotor_csv import STEPS_S

TONES_HZ = (3.0, 5.0, 8.0, 13.0)
SETTINGS = tuple((speed, load) for speed in (8.33, 25.0, 40.0) for load in (0, 80))


def write_sensor(folder: Path, channel: str, seconds: float, *, step_s: float = 0.0) -> Path:
    """One file of a rotor: a tone a fault, in g, as high as the sensor's number."""
    folder.mkdir(parents=True, exist_ok=True)
    step_s = step_s or STEPS_S[channel]
    times_s = np.arange(round(seconds / step_s)) * step_s
    level = int(channel[-1])
    tones = [level * np.sin(2 * np.pi * tone_hz * times_s) for tone_hz in TONES_HZ]
    path = folder / f"{channel}.csv"
    np.savetxt(path, np.column_stack([times_s, *tones]), "%.9g", ",")
    return path


def write_rotor(folder: Path, seconds: float = 3.0) -> Path:
    for channel in STEPS_S:
        write_sensor(folder, channel, seconds)
    return folder


def write_gear(path: Path, fault: str = "no fault", rows: int = 200) -> Path:
    """One file of a gear: six blocks; sensor1 counts the rows, sensor2 counts them down."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(COLUMNS)]
    for speed, load in SETTINGS:
        lines += [
            f"{2 + row / 1000},{3 - row / 1000},{row / 5000:.4f},{speed},{load},{fault}"
            for row in range(rows)
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def change(path: Path, row: int, old: str, new: str) -> None:
    """Another text in one row, counted from 1."""
    rows = path.read_text().splitlines()
    assert old in rows[row - 1]
    rows[row - 1] = rows[row - 1].replace(old, new, 1)
    path.write_text("\n".join(rows) + "\n")
