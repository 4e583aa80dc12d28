"""Writes simulated pumps and gear rigs in the layouts of the files that wearcast reads.

A pump's folder has a file for each sensor, sensor1.csv to sensor4.csv: no header, the columns time
in s from 0, then g of each fault in the order of `rotor_csv.FAULTS`. The columns are recordings of
different days that only share their times.

A rig's folder has a file for each fault, such as no_fault.csv: a header, readings in V, the block's
time in s from 0, its speed in turns a second, its load in percent, and the fault.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.simulation.gear import BLOCK_ROWS, FAULTS, GearRig, list_blocks
from wearcast.signals.simulation.gear_signal import simulate_gear
from wearcast.signals.simulation.rotor import RotorUnit
from wearcast.signals.simulation.rotor_signal import simulate_rotor
from wearcast.signals.vibration import gear_csv, rotor_csv

# Rows that become text at once: many enough to be fast, few enough to need little memory.
_CHUNK = 10_000


def write_rotor(
    folder: Path,
    unit: RotorUnit,
    *,
    seconds: float = 140.0,
    advance: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Write a pump's folder; gives its files. `advance` is called after each fault.

    Raises:
        InputError: the folder has such files already, or `seconds` is below 1 or not finite.
    """
    paths = [folder / f"{channel}.csv" for channel in rotor_csv.CHANNELS]
    _refuse_known(paths)
    recordings = []
    for fault in rotor_csv.FAULTS:
        recordings.append(simulate_rotor(unit, fault, seconds))
        advance()
    folder.mkdir(parents=True, exist_ok=True)
    for path, step_s, *columns in zip(paths, rotor_csv.STEPS_S.values(), *recordings, strict=True):
        times_s = np.arange(len(columns[0])) * step_s
        # Microseconds and micro-g: the steps stay even, and less than the sensors' noise is lost.
        _write_rows(path, "", "%.6f,%.6f,%.6f,%.6f,%.6f\n", np.column_stack([times_s, *columns]))
    return paths


def write_gear(
    folder: Path, rig: GearRig, *, advance: Callable[[], None] = lambda: None
) -> list[Path]:
    """Write a rig's folder; gives its files. `advance` is called after each.

    Raises:
        InputError: the folder has such files already.
    """
    paths = [folder / f"{fault.replace(' ', '_')}.csv" for fault in FAULTS]
    _refuse_known(paths)
    folder.mkdir(parents=True, exist_ok=True)
    times_s = np.arange(BLOCK_ROWS) / gear_csv.SAMPLE_RATE_HZ
    header = ",".join(gear_csv.COLUMNS) + "\n"
    for path, fault in zip(paths, FAULTS, strict=True):
        blocks = [
            np.column_stack([*volts, times_s, *np.broadcast_to(block, (len(times_s), 2)).T])
            for volts, block in zip(
                simulate_gear(rig, fault), list_blocks(rig.design), strict=True
            )
        ]  # fmt: skip
        _write_rows(path, header, f"%.6f,%.6f,%.4f,%g,%g,{fault}\n", np.concatenate(blocks))
        advance()
    return paths


def _refuse_known(paths: list[Path]) -> None:
    for path in paths:
        if path.exists():
            raise InputError("out", "a folder without such files", path)


def _write_rows(path: Path, header: str, row: str, table: NDArray[np.float64]) -> None:
    # Renamed when whole, so that nobody sees half a file.
    part = path.with_suffix(".part")
    with part.open("w", encoding="ascii", newline="") as file:
        file.write(header)
        for first in range(0, len(table), _CHUNK):
            chunk = table[first : first + _CHUNK]
            file.write(row * len(chunk) % tuple(chunk.ravel().tolist()))
    part.replace(path)
