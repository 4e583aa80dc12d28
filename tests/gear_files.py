"""Small gear files whose figures are known, in the layout of part C."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.vibration.gear_csv import COLUMNS
from wearcast.signals.vibration.vibration import Vibration
from wearcast.training.forecast.gear_block import GearRows, make_block

SPEEDS = (8.33, 25.0, 40.0)
LOADS = (0.0, 80.0)
ROWS = 25_000
# Part C's first row, and what its scaling to 0 to 1 makes of it: 16 of 23 steps, 25 of 54.
FIRST = (2.523465, 2.430168)
FIRST_SCALED = (0.695652, 0.462963)
_STEPS = ((16, 23), (25, 54))
_STEP_V = 0.004


def make_sensors(rows: int, speed: float, load: float, seed: int = 0) -> NDArray[np.float64]:
    """Two sensors float64 (rows, 2): a tone at a multiple of the speed, more under load, noise."""
    random = np.random.default_rng(seed)
    times_s = np.arange(rows) / 5_000
    phase = random.uniform(0, 2 * np.pi)
    tone = (0.01 + 0.0002 * load) * np.sin(2 * np.pi * 12 * speed * times_s + phase)
    noise = 0.004 * random.standard_normal((2, rows))
    return np.stack([2.52 + tone, 2.43 + 0.5 * tone], axis=1) + noise.T


def make_first_block(rows: int = ROWS) -> NDArray[np.float64]:
    """A block whose first row is part C's, and whose training part has the ranges that go with it.

    The test part reaches far beyond them.
    """
    values = make_sensors(rows, SPEEDS[0], LOADS[0])
    trained = rows * 14 // 25
    for sensor, (first, (steps, whole)) in enumerate(zip(FIRST, _STEPS, strict=True)):
        low = first - steps * _STEP_V
        high = low + whole * _STEP_V
        values[:trained, sensor] = np.clip(values[:trained, sensor], low, high)
        values[[0, 1, trained - 1], sensor] = first, low, high
        values[[trained, trained + 1], sensor] = low - 1, high + 1
    return values


def write_gear(
    path: Path,
    *,
    fault: str = "no fault",
    rows: int = ROWS,
    speeds: tuple[float, ...] = SPEEDS,
    loads: tuple[float, ...] = LOADS,
    seed: int = 0,
) -> None:
    """A file of one fault; its block 0 is that of `make_first_block`."""
    lines = [",".join(COLUMNS)]
    settings = [(speed, load) for speed in speeds for load in loads]
    for number, (speed, load) in enumerate(settings):
        values = make_first_block(rows)
        if number or seed:
            values = make_sensors(rows, speed, load, seed + number)
        lines += [
            f"{one:.6f},{other:.6f},{row / 5_000:.4f},{speed:g},{load:g},{fault}"
            for row, (one, other) in enumerate(values)
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def as_vibration(values: np.ndarray, speed: str = "8.33", load: str = "0") -> Vibration:
    return Vibration(
        name=f"no_fault-{speed}-{load}",
        channels=("sensor1", "sensor2"),
        units=("V", "V"),
        sample_rate_hz=5_000.0,
        values=values.T.astype(np.float32),
        fault="no fault",
        conditions={"speed": speed, "load": load},
    )


def small_block(rows: int = 1_000) -> GearRows:
    return make_block(as_vibration(make_sensors(rows, 8.33, 0.0)))
