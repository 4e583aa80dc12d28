"""A block of a gear file, one speed and one load, as the forecaster of part C is fitted to it.

Of 25,000 rows the first 14,000 are to train and the next 6,000 to test; the last 5,000 are not
used, as in part C. A window is seven rows, and the row after them is what is forecast: 14,000 rows
have 13,993 windows. Those of the test part may begin in the training part, so that each of its
6,000 rows is forecast.
"""

from dataclasses import dataclass

import numpy as np
import torch

from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.signals.vibration.vibration import Vibration
from wearcast.training.forecast.config import ForecastConfig
from wearcast.training.forecast.gear import GearLstmConfig
from wearcast.training.forecast.windows import Array, Lessons, Parts, Record, Windows, list_windows

# Inputs in the order of part C; the last is the target.
CHANNELS = ("speedSet", "load_value", "sensor1", "sensor2")
TARGET = CHANNELS[3]
# Rows of a window. Source: part C.
SEQUENCE = 7
QUANTILES = (0.1, 0.5, 0.9)
# Of a block's rows, in 25ths: 14,000, then 6,000. Source: part C.
_WHOLE, _TRAINED, _TESTED = 25, 14, 6
# Of the training part's rows, so many at its end are for validation: to choose the epoch by, and
# after those to calibrate the quantiles on, which a choice must not have seen. Chosen.
_TO_CHOOSE, _TO_CALIBRATE = 0.10, 0.05
# So few that nine rows calibrate, which quantiles of 0.1 and 0.9 need.
_LEAST_ROWS = 320


@dataclass(frozen=True, eq=False)
class GearRows:
    """Rows of one speed and one load.

    name: of the recording. speed, load: as in the file. rows: readings of `CHANNELS`, from time 0.
    units: of each channel.
    """

    name: str
    speed: float
    load: float
    rows: Rows
    units: dict[str, str]

    @property
    def parts(self) -> Parts:
        """Rows to fit to, to choose by, to calibrate on and to test."""
        return split_block(len(self.rows))


@dataclass(frozen=True)
class GearWindows:
    """The windows of a block by what they are for."""

    fit: Windows
    choose: Windows
    calibrate: Windows
    test: Windows

    @property
    def training(self) -> int:
        """Number of windows of the training part."""
        return len(self.fit) + len(self.choose) + len(self.calibrate)

    @property
    def lessons(self) -> Lessons:
        """What a network is fitted to and chosen by."""
        return Lessons(fit=self.fit, choose=self.choose, learn=self.fit)


def make_block(vibration: Vibration) -> GearRows:
    """The block that a recording of a gear file is, its speed and load as channels.

    Raises:
        InputError: a sensor, the speed or the load is missing; too short.
    """
    sensors = CHANNELS[2:]
    missing = [name for name in sensors if name not in vibration.channels]
    if missing:
        raise InputError(vibration.name, ", ".join(sensors), f"no {missing[0]}")
    conditions = [_read_condition(vibration, name) for name in ("speed", "load")]
    places = [vibration.channels.index(name) for name in sensors]
    readings = vibration.values[places].astype(np.float64)
    split_block(readings.shape[1])
    constant = np.repeat(np.array(conditions)[:, None], readings.shape[1], axis=1)
    step_us = round(1e6 / vibration.sample_rate_hz)
    # As `wearcast.signals.vibration.gear_csv` assumes: no file tells them.
    units = {"speedSet": "rev/s", "load_value": "%"}
    return GearRows(
        name=vibration.name,
        speed=conditions[0],
        load=conditions[1],
        rows=Rows(CHANNELS, 0, step_us, np.concatenate([constant, readings]).T),
        units=units | {name: vibration.units[at] for name, at in zip(sensors, places, strict=True)},
    )


def split_block(count: int) -> Parts:
    """Parts of a block of so many rows; what follows the test part is not used.

    >>> parts = split_block(25_000)
    >>> parts.training, parts.test
    (range(0, 14000), range(14000, 20000))
    >>> parts.fit, parts.choose, parts.calibrate
    (range(0, 11900), range(11900, 13300), range(13300, 14000))

    Raises:
        InputError: too few rows.
    """
    if count < _LEAST_ROWS:
        raise InputError("rows of a block", f"{_LEAST_ROWS} or more", count)
    trained = count * _TRAINED // _WHOLE
    tested = count * (_TRAINED + _TESTED) // _WHOLE
    calibrated = round(trained * _TO_CALIBRATE)
    fitted = trained - calibrated - round(trained * _TO_CHOOSE)
    return Parts(
        fit=range(fitted),
        choose=range(fitted, trained - calibrated),
        calibrate=range(trained - calibrated, trained),
        test=range(trained, tested),
        training=range(trained),
    )


def make_config(block: GearRows, hidden: int) -> GearLstmConfig:
    """The forecaster of part C for a block, with layers of so many units."""
    return GearLstmConfig(
        channels=len(CHANNELS),
        targets=(CHANNELS.index(TARGET),),
        sequence=SEQUENCE,
        horizons=(1,),
        step_min=block.rows.step_us / 60e6,
        quantiles=QUANTILES,
        hidden=hidden,
    )


def make_windows(block: GearRows, config: ForecastConfig) -> GearWindows:
    """All windows of a block whose values lie in its parts.

    All but the first part's may begin in the part before: the past is known when a row is forecast.
    """
    readings: Array = block.rows.values
    record = Record(
        readings=torch.from_numpy(readings.astype(np.float32)),
        means=readings,
        minutes=torch.zeros(len(readings)),
        due=np.ones(len(readings), np.bool_),
    )
    parts = block.parts
    return GearWindows(
        list_windows(record, config, parts.fit, due=False),
        *(
            list_windows(record, config, part, due=False, lead_in=True)
            for part in (parts.choose, parts.calibrate, parts.test)
        ),
    )


def _read_condition(vibration: Vibration, name: str) -> float:
    text = vibration.conditions.get(name, "")
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{name} of {vibration.name}", "a number", text or "none") from error
