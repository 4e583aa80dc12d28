"""Demand for water in a simulated district, minute by minute.

It is a steady night use and the humps of a day, which differ between workdays and free days; their
height follows the weekday, the season, the day's weather and the hour's chance. It comes as single
draws of water, at random times and of random volume: so it is noisy, and the more so the greater it
is.

Source: Buchberger and Wu, Model for instantaneous residential water demands, J. Hydraul. Eng. 121
(1995), for demand as draws at random times.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError

STEP_US = 60_000_000
DAY_MIN = 1_440

Humps = tuple[tuple[float, float, float], ...]

_SATURDAY, _SUNDAY = 5, 6


@dataclass(frozen=True)
class Demand:
    """All that the demand hangs on."""

    mean_m3h: float = 38.0
    """Mean. Chosen: 5,000 people and some business."""
    night_use_m3h: float = 3.0
    """The part of it that never sleeps. Source: McKenzie, SANFLOW user guide, WRC TT 109/99
    (1999): 6% of the people draw 10 litres in a night hour."""
    workday: Humps = (
        (5.6, 0.9, 0.2),
        (7.2, 0.8, 0.9),
        (9.2, 1.8, 0.55),
        (12.9, 2.2, 0.6),
        (16.5, 1.8, 0.35),
        (19.3, 1.6, 0.85),
        (22.2, 1.7, 0.35),
    )
    """Humps of demand on a workday: hour, width in hours (standard deviation of a bell), height
    against the others. Chosen: the usual two peaks, before work and in the evening."""
    free_day: Humps = (
        (6.5, 1.1, 0.15),
        (9.6, 1.6, 0.9),
        (12.8, 2.0, 0.6),
        (16.2, 2.0, 0.5),
        (19.2, 1.7, 0.75),
        (22.5, 2.0, 0.35),
    )
    """The same on Saturdays, Sundays and holidays: people rise later and stay at home. Chosen."""
    week: tuple[float, ...] = (1.02, 1.0, 0.99, 0.99, 0.98, 1.03, 1.06)
    """Demand of each day from Monday on, against the others. Chosen."""
    holidays: tuple[str, ...] = ("01-01", "12-25", "12-26")
    """Month and day of what counts as a Sunday. Chosen."""
    season: float = 0.1
    """Swing of the demand over the year, up and down, as a share. Chosen."""
    season_peak_day: float = 200.0
    """Day of the year of its top. Chosen: mid July."""
    day_spread: float = 0.04
    """Standard deviation of one day's demand from what the calendar says, as a share. Chosen."""
    day_memory: float = 3.0
    """Days after which 37% of such a deviation is left. Chosen: weather changes in some days."""
    hour_spread: float = 0.04
    """The same for deviations within a day. Chosen."""
    hour_memory: float = 2.0
    """Hours after which 37% of those is left. Chosen."""
    draw_litres: float = 8.0
    """Mean volume of one draw of water; volumes are exponential. Chosen: a flush or a short tap."""
    draw_minutes: float = 3.0
    """Minutes in which 63% of a draw has passed the inlet. Chosen: the network's storage smooths
    it."""

    def __post_init__(self) -> None:
        if not 0 <= self.night_use_m3h < self.mean_m3h < math.inf:
            raise InputError("demand: mean_m3h", f"over {self.night_use_m3h:g}", self.mean_m3h)


def simulate_demand(
    demand: Demand, start_us: int, rows: int, seed: tuple[int, ...]
) -> NDArray[np.float64]:
    """Demand of each minute from start_us on, m3/h, float64 (rows,)."""
    random = np.random.default_rng(seed)
    expected_m3h = _expect_demand(demand, start_us, rows, random)
    draws = random.poisson(expected_m3h * 1000 / 60 / demand.draw_litres)
    # The sum of so many exponential volumes.
    litres = demand.draw_litres * random.gamma(draws)
    return smooth(litres, demand.draw_minutes) * 60 / 1000


def smooth(values: NDArray[np.float64], memory: float) -> NDArray[np.float64]:
    """Weighted mean of each and those before it; weights fall to 37% in `memory` steps."""
    reach = min(math.ceil(6 * memory), len(values) - 1)
    weights = np.exp(-np.arange(reach + 1) / memory)
    mirrored = np.concatenate([values[reach:0:-1], values])
    smoothed: NDArray[np.float64] = np.convolve(mirrored, weights / weights.sum(), "valid")
    return smoothed


def _expect_demand(
    demand: Demand, start_us: int, rows: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Demand that the calendar, the weather and the hour make likely, m3/h, float64 (rows,)."""
    minutes = start_us // STEP_US + np.arange(rows)
    # From the day before on: its late evening reaches past midnight.
    first_day = minutes[0] // DAY_MIN - 1
    days = np.arange(first_day, minutes[-1] // DAY_MIN + 1)
    dates = days.astype("datetime64[D]")
    weekdays = (days + 3) % 7  # 1970-01-01 was a Thursday
    is_holiday = [text[5:] in demand.holidays for text in np.datetime_as_string(dates).tolist()]
    weekdays[is_holiday] = _SUNDAY
    day_of_year = (dates - dates.astype("datetime64[Y]")).astype(np.int64)
    season = np.cos(2 * math.pi * (day_of_year - demand.season_peak_day) / 365.25)
    week = np.array(demand.week) / np.mean(demand.week)
    levels = week[weekdays] * (1 + demand.season * season)
    levels *= np.exp(_wander(random, len(days), demand.day_spread, demand.day_memory))

    shapes = np.array([_shape(demand.workday), _shape(demand.free_day)])
    kinds = (weekdays >= _SATURDAY).astype(np.int64)
    day, minute = minutes // DAY_MIN - first_day, minutes % DAY_MIN
    today = levels[day] * shapes[kinds[day], minute]
    yesterday = levels[day - 1] * shapes[kinds[day - 1], minute + DAY_MIN]

    hours = np.arange(rows // 60 + 2)
    chance = _wander(random, len(hours), demand.hour_spread, demand.hour_memory)
    by_minute = np.exp(np.interp(np.arange(rows) / 60, hours, chance))
    awake_m3h = demand.mean_m3h - demand.night_use_m3h
    expected: NDArray[np.float64] = (
        demand.night_use_m3h + awake_m3h * (today + yesterday) * by_minute
    )
    return expected


def _shape(humps: Humps) -> NDArray[np.float64]:
    """Height of a day's humps at each minute of it and of the next, mean 1 over a day (2880,)."""
    hours = np.arange(2 * DAY_MIN) / 60
    shape = np.zeros(len(hours))
    for hour, width, height in humps:
        shape += height * np.exp(-0.5 * ((hours - hour) / width) ** 2)
    shape *= DAY_MIN / shape.sum()
    return shape


def _wander(
    random: np.random.Generator, count: int, spread: float, memory: float
) -> NDArray[np.float64]:
    """Gaussian numbers of that spread, of which each step keeps exp(-1/memory) of the last."""
    kept = math.exp(-1 / memory)
    steps = random.standard_normal(count) * spread
    steps[1:] *= math.sqrt(1 - kept**2)
    for number in range(1, count):
        steps[number] += kept * steps[number - 1]
    return steps
