"""Brute-force oracle of the outlier model: one window, one point and one row at a time."""

import math

import numpy as np
from numpy.typing import NDArray

from wearcast.training.outlier.config import CAUSES, OutlierConfig
from wearcast.training.outlier.model import OutlierModel

Array = NDArray[np.float64]
Said = tuple[float, float, int, int]
NOTHING: Said = (0.0, 0.0, -1, 0)
WEEK_MIN = 10_080


def naive_outlier(
    model: OutlierModel, window: NDArray[np.float32], minute_of_week: float | None
) -> list[Said]:
    """(value, percentile, stage, cause) of each point for a window float32 (S, channels)."""
    config = model.config
    fitted = {name: part.numpy().astype(np.float64) for name, part in model.state_dict().items()}
    rows = window.astype(np.float64)
    said = []
    for channel in range(config.size):
        said.append(naive_system(fitted, rows[:, channel], channel))
        said.append(naive_actual(config, fitted, rows[:, channel], channel, minute_of_week))
        said.append(naive_predicted(config, fitted, rows[:, channel], channel, minute_of_week))
        if config.night_slots:
            said.append(naive_night(config, fitted, rows[:, channel], channel, minute_of_week))
    if config.size > 1:
        said.append(naive_multivariate(config, fitted, rows, minute_of_week))
    return said


def naive_stage(percentile: float) -> int:
    if percentile < 90:
        return 0
    if percentile < 95:
        return 1
    if percentile < 98:
        return 2
    return 3 if percentile < 99 else 4


def say(value: float, z: float, side: str) -> Said:
    below = (1 + math.erf(z / math.sqrt(2))) / 2
    percentile = {
        "upper": 100 * below,
        "lower": 100 * (1 - below),
        "both": 100 * abs(2 * below - 1),
    }[side]
    return value, percentile, naive_stage(percentile), 0


def naive_hour(config: OutlierConfig, minute_of_week: float | None, lag: int) -> int:
    """Hour of the week of the row `lag` before the newest; 0 without a clock."""
    if minute_of_week is None:
        return 0
    seconds = round(minute_of_week * 60) - lag * config.step_s
    return int(seconds // 3600 % (WEEK_MIN // 60))


def naive_z(config, fitted, column, channel, minute_of_week) -> list[float]:
    """Standardised readings of a channel, NaN where missing, oldest first."""
    standardised = []
    for row, reading in enumerate(column):
        hour = naive_hour(config, minute_of_week, len(column) - 1 - row)
        mean, sd = fitted["table.mean"][hour, channel], fitted["table.sd"][hour, channel]
        standardised.append((reading - mean) / sd)
    return standardised


def naive_system(fitted, column, channel) -> Said:
    newest = column[-1]
    cause = ""
    before = [reading for reading in column[-5:-1] if not math.isnan(reading)]
    needed = int(fitted["system.stuck_rows"][channel])
    if math.isnan(newest):
        cause = "MISSING"
    elif needed and all(reading == newest for reading in column[-needed:]):
        cause = "STUCK"
    elif not fitted["system.low"][channel] <= newest <= fitted["system.high"][channel]:
        cause = "RANGE"
    elif before and abs(newest - before[-1]) > fitted["system.jump"][channel]:
        cause = "JUMP"
    value = 0.0 if math.isnan(newest) else newest
    return (value, 100.0, 4, CAUSES.index(cause) + 1) if cause else (value, 0.0, 0, 0)


def naive_actual(config, fitted, column, channel, minute_of_week) -> Said:
    if math.isnan(column[-1]):
        return NOTHING
    z = naive_z(config, fitted, column, channel, minute_of_week)
    return say(column[-1], z[-1], config.sides[channel])


def naive_predicted(config, fitted, column, channel, minute_of_week) -> Said:
    z = naive_z(config, fitted, column, channel, minute_of_week)
    past = [None if math.isnan(item) else max(-6.0, min(6.0, item)) for item in z[: config.history]]
    known = [item for item in past if item is not None]
    if math.isnan(column[-1]) or len(known) < config.history / 2:
        return NOTHING
    typical = sum(known) / len(known)
    forecast = 0.0
    for row, item in enumerate(past):
        weight = fitted["predicted.weights"][row, channel]
        forecast += weight * (typical if item is None else item)
    hour = naive_hour(config, minute_of_week, 0)
    mean = fitted["predicted.table.mean"][hour, channel]
    sd = fitted["predicted.table.sd"][hour, channel]
    residual = z[-1] - forecast
    value = residual * fitted["table.sd"][hour, channel]
    return say(value, (residual - mean) / sd, config.sides[channel])


def naive_night(config, fitted, column, channel, minute_of_week) -> Said:
    """Walks back from the newest row to the slot that was complete last."""
    if config.channels[channel] not in config.flows or config.step_s > 600:
        return NOTHING
    newest_s = round(minute_of_week * 60)
    end_s = newest_s + config.step_s
    while end_s % 600:
        end_s -= 1
    slot = (end_s / 60 - 10 - config.night_start_min) % 1440 / 10
    readings = [
        reading
        for lag, reading in enumerate(reversed(column))
        if end_s - 600 <= newest_s - lag * config.step_s < end_s and not math.isnan(reading)
    ]
    if slot >= config.night_slots or len(readings) < 300 / config.step_s:
        return NOTHING
    mean = sum(readings) / len(readings)
    usual = fitted["night.table.mean"][int(slot), channel]
    return say(mean, (mean - usual) / fitted["night.table.sd"][int(slot), channel], "upper")


def naive_multivariate(config, fitted, rows, minute_of_week) -> Said:
    apart = []
    for channel in range(config.size):
        z = naive_z(config, fitted, rows[:, channel], channel, minute_of_week)
        newest = [item for item in z[-config.smoothing :] if not math.isnan(item)]
        if len(newest) < config.smoothing / 2:
            return NOTHING
        apart.append(sum(newest) / len(newest) - fitted["multivariate.center"][channel])
    square = 0.0
    for direction in fitted["multivariate.whitening"].T:
        square += sum(a * b for a, b in zip(apart, direction, strict=True)) ** 2
    z = (square ** (1 / 3) - fitted["multivariate.root_mean"][0]) / fitted["multivariate.root_sd"][
        0
    ]
    return say(math.sqrt(square), z, "upper")
