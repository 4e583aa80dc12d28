"""Reader of the rotor layout: a folder with `sensor1.csv` to `sensor4.csv`, one machine in each.

No file has a header. Columns: time in s from 0, then the acceleration in g with each of the faults
`FAULTS`, which were taken one after the other and stand side by side. The four sensors have
different rates; all are brought to 1 kHz. One folder becomes one recording for each fault.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.even_time import check_step, find_step
from wearcast.signals.vibration.number_csv import open_csv, parse_numbers
from wearcast.signals.vibration.resample import resample, resample_linear
from wearcast.signals.vibration.vibration import Vibration

SAMPLE_RATE_HZ = 1_000.0
STEPS_S = {"sensor1": 0.000736, "sensor2": 0.000760, "sensor3": 0.000714, "sensor4": 0.000761}
CHANNELS = tuple(STEPS_S)
FAULTS = ("normal", "unbalance", "looseness", "unbalance+looseness")
COLUMNS = ("time", "normal", "type1", "type2", "type3")
_MAX_DIFFERENCE_S = 1.0


def is_rotor(folder: Path) -> bool:
    """Whether a folder holds any of the four files."""
    return any((folder / f"{channel}.csv").is_file() for channel in CHANNELS)


def read_rotor(folder: Path, *, linear: bool = False) -> list[Vibration]:
    """One recording for each fault, named UNIT-FAULT; channels sensor1 to sensor4 in g, at 1 kHz.

    They last as long as the shortest file, in whole seconds: 140,000 samples of files of 140 s.
    Condition: `unit`, the name of the folder. linear: straight lines instead of the filter, see
    `wearcast.signals.vibration.resample`.

    Raises:
        InputError: a file is missing, empty, or not of five columns of finite numbers; times don't
            begin at 0, don't rise evenly, or have another step than that sensor's; or the files
            differ in length by more than 1 s.
    """
    unit = folder.resolve().name
    missing = [f"{name}.csv" for name in CHANNELS if not (folder / f"{name}.csv").is_file()]
    if missing:
        expected = ", ".join(f"{name}.csv" for name in CHANNELS)
        raise InputError(f"{unit}: files", expected, f"no {', '.join(missing)}")
    read = {name: _read_sensor(folder / f"{name}.csv", STEPS_S[name]) for name in CHANNELS}
    # The last sample stands for a step as well.
    lengths_s = {name: len(times_s) * step_s for name, (times_s, step_s, _) in read.items()}
    if max(lengths_s.values()) - min(lengths_s.values()) > _MAX_DIFFERENCE_S:
        got = ", ".join(f"{name} {length_s:.1f} s" for name, length_s in lengths_s.items())
        raise InputError(f"{unit}: lengths", f"equal within {_MAX_DIFFERENCE_S:g} s", got)
    # Files of 140 s may lack up to a step of it.
    seconds = int(min(lengths_s.values()) + max(STEPS_S.values()))
    if seconds == 0:
        raise InputError(f"{unit}: length", "1 s or more", f"{min(lengths_s.values()):.3g} s")
    count = round(seconds * SAMPLE_RATE_HZ)
    sensors = [
        resample_linear(times_s, values, SAMPLE_RATE_HZ, count)
        if linear
        else resample(values, 1 / step_s, SAMPLE_RATE_HZ)[:, :count]
        for times_s, step_s, values in read.values()
    ]
    return [
        Vibration(
            name=f"{unit}-{fault}",
            channels=CHANNELS,
            units=("g",) * len(CHANNELS),
            sample_rate_hz=SAMPLE_RATE_HZ,
            values=np.stack([sensor[place] for sensor in sensors]),
            fault=fault,
            conditions={"unit": unit},
        )
        for place, fault in enumerate(FAULTS)
    ]


def _read_sensor(
    path: Path, expected_s: float
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Times in s (n,), their step, and values in g (faults, n)."""
    text = open_csv(path)
    if text.header:
        got = repr(", ".join(text.header)[:80])
        raise InputError(f"{path.name}: row 1", "numbers, as there is no header", got)
    if text.width != len(COLUMNS):
        expected = f"{len(COLUMNS)} ({', '.join(COLUMNS)})"
        raise InputError(f"{path.name}: row 1: columns", expected, text.width)
    numbers = parse_numbers(text, {name: place for place, name in enumerate(COLUMNS)})
    times_s = numbers[0]
    step_s = find_step(path.name, times_s)
    check_step(path.name, step_s, expected_s)
    if abs(times_s[0]) > step_s:
        raise InputError(f"{path.name}: row 1: time", 0, f"{times_s[0]:g}")
    return times_s, step_s, numbers[1:]
