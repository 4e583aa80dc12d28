"""What needs no model: forecasts that any other must beat.

Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, OTexts (2021), 5.2.
"""

import numpy as np

from wearcast.training.forecast.model import Forecaster
from wearcast.training.forecast.windows import Array, Windows

_DAY_MIN = 1_440
_WEEK_MIN = 7 * _DAY_MIN


def persist(windows: Windows) -> Array:
    """The newest value known at a window's end, whatever the horizon: (n, targets, horizons)."""
    means = _targets_of(windows)
    for column in means.T:
        known = np.maximum.accumulate(np.where(np.isfinite(column), np.arange(len(column)), -1))
        column[:] = np.where(known >= 0, column[known], np.nan)
    newest = means[windows.ends]
    return np.repeat(newest[..., None], len(windows.config.horizons), axis=2)


def repeat_season(windows: Windows, period: int) -> Array:
    """The newest known value of the same time of a period, (n, targets, horizons); NaN if none.

    period: rows. Where the value is missing, that of the period before, up to four of them.
    """
    means = _targets_of(windows)
    values = np.full((len(windows), means.shape[1], len(windows.config.horizons)), np.nan)
    for place, horizon in enumerate(windows.config.horizons):
        rows = windows.ends + horizon - period * -(-horizon // period)
        for _ in range(4):
            earlier = np.where((rows >= 0)[:, None], means[np.maximum(rows, 0)], np.nan)
            known = values[:, :, place]
            values[:, :, place] = np.where(np.isfinite(known), known, earlier)
            rows = rows - period
    return values


def expect_usual(model: Forecaster, windows: Windows) -> Array:
    """What is usual at that time of the model's calendar, (n, targets, horizons)."""
    usual, _ = model.target_scale(windows.minutes(windows.ends))
    values: Array = usual.numpy().astype(np.float64)
    return values


def list_baselines(
    windows: Windows, calendar: tuple[Forecaster, Windows] | None
) -> dict[str, Array]:
    """Baselines by name; those of a season only where it is a whole number of rows.

    calendar: a model that has one, and its windows with the same ends.
    """
    step_min = windows.config.step_min
    ways = {"persistence": persist(windows)}
    for name, minutes in (("a day before", _DAY_MIN), ("a week before", _WEEK_MIN)):
        period = minutes / step_min
        if period >= 1 and period == int(period):
            ways[name] = repeat_season(windows, int(period))
    if calendar is not None:
        ways["climatology"] = expect_usual(*calendar)
    return ways


def _targets_of(windows: Windows) -> Array:
    """Values of each row, float64 (N, targets), a copy."""
    return windows.record.means[:, list(windows.config.targets)].copy()
