"""Reader of the gear layout: one CSV file a fault, with two sensors and what the rig was set to.

    sensor1,sensor2,time_x,speedSet,load_value,gear_fault_desc
    2.523465,2.430168,0.0000,8.33,0,no fault

Rows are 0.0002 s apart (5 kHz); where `speedSet` or `load_value` changes, a new block begins.
Assumed, as the layout does not say: `time_x` in s, which may start anew with each block; `speedSet`
in revolutions a second; `load_value` in % of the brake's range; sensors in V.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.even_time import check_step, find_step
from wearcast.signals.vibration.number_csv import CsvText, open_csv, parse_numbers, parse_texts
from wearcast.signals.vibration.vibration import Vibration

SAMPLE_RATE_HZ = 5_000.0
CHANNELS = ("sensor1", "sensor2")
COLUMNS = ("sensor1", "sensor2", "time_x", "speedSet", "load_value", "gear_fault_desc")
_FAULT = COLUMNS[-1]
# Chosen: less than this is a slip of the settings and no block; whole ones have 25,000.
_MIN_ROWS = 100
_HEADER_BYTES = 4_096


@dataclass(frozen=True, eq=False)
class GearBlock:
    """Rows at one speed and load: `values` float64 (sensors, rows); row: its first, from 1."""

    speed: float
    load: float
    fault: str
    row: int
    values: NDArray[np.float64]


def is_gear(path: Path) -> bool:
    """Whether a file's first line names this layout's columns."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            line = file.readline(_HEADER_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return False
    return all(name in line for name in COLUMNS[2:])


def read_gear(path: Path) -> list[Vibration]:
    """One recording for each block of a file, named STEM-SPEED-LOAD; sensor1 and sensor2 at 5 kHz.

    Conditions: `speed` and `load` as the file has them, and `unit`, the name of the folder.

    Raises:
        InputError: see `read_gear_blocks`.
    """
    blocks = read_gear_blocks(path)
    unit = path.resolve().parent.name
    names = [f"{path.stem}-{block.speed:g}-{block.load:g}" for block in blocks]
    alike = Counter(names)
    return [
        Vibration(
            # A rig that returns to a setting gives two blocks of one name.
            name=f"{name}-{block.row}" if alike[name] > 1 else name,
            channels=CHANNELS,
            units=("V",) * len(CHANNELS),
            sample_rate_hz=SAMPLE_RATE_HZ,
            values=block.values.astype(np.float32),
            fault=block.fault,
            conditions={"speed": f"{block.speed:g}", "load": f"{block.load:g}", "unit": unit},
        )
        for name, block in zip(names, blocks, strict=True)
    ]


def read_gear_blocks(path: Path) -> list[GearBlock]:
    """The blocks of a file in order.

    Raises:
        InputError: a column is missing or stands twice, a cell is no finite number, there is more
            than one fault, a block has less than 100 rows, or its times don't rise evenly at 5 kHz.
    """
    text = open_csv(path)
    for name in COLUMNS:
        if text.header.count(name) != 1:
            got = ", ".join(text.header) or "no header"
            raise InputError(f"{path.name}: header", f"one column {name!r}", got)
    places = {name: text.header.index(name) for name in COLUMNS}
    fault = _read_fault(text, places.pop(_FAULT))
    sensor1, sensor2, times_s, speeds, loads = parse_numbers(text, places)
    changes = np.flatnonzero((np.diff(speeds) != 0) | (np.diff(loads) != 0)) + 1
    firsts = [0, *changes.tolist()]
    blocks = []
    for first, end in zip(firsts, [*firsts[1:], len(speeds)], strict=True):
        row = first + text.first_row
        if end - first < _MIN_ROWS:
            field = f"{path.name}: rows at speedSet {speeds[first]:g}, load_value {loads[first]:g}"
            got = f"{end - first} from row {row} on"
            raise InputError(field, f"{_MIN_ROWS} or more", got)
        step_s = find_step(path.name, times_s[first:end], row)
        check_step(path.name, step_s, 1 / SAMPLE_RATE_HZ)
        values = np.stack([sensor1[first:end], sensor2[first:end]])
        blocks.append(GearBlock(float(speeds[first]), float(loads[first]), fault, row, values))
    return blocks


def _read_fault(text: CsvText, place: int) -> str:
    cells = parse_texts(text, place)
    for row, cell in enumerate(cells, text.first_row):
        if not cell or cell != cells[0]:
            expected = f"{cells[0]!r} in all rows" if cells[0] else "the name of a fault"
            raise InputError(f"{text.path.name}: row {row}: {_FAULT}", expected, repr(cell))
    return cells[0]
