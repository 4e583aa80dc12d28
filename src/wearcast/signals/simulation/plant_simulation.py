"""A simulated water district: flow and pressure at its inlet, a reading a minute.

- Demand is in `plant_demand`.
- Leakage adds to it, and grows with pressure.
- Pressure is what the inlet's valve holds, lower at night, less what is lost on the way to the
  gauge, which grows with the square of the flow.
- Sensors add noise and round. What goes wrong besides is in `plant_faults`.

Sources: May, Pressure dependent leakage, World Water and Environmental Engineering (1994), for
leakage against pressure; Darcy-Weisbach with a constant friction factor, for loss of pressure by
the square of the flow.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.clock import parse_time
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.signals.simulation.plant_demand import (
    DAY_MIN,
    STEP_US,
    Demand,
    simulate_demand,
    smooth,
)
from wearcast.signals.simulation.plant_faults import (
    CHANNELS,
    NO_FAULTS,
    Event,
    Label,
    Rates,
    draw_events,
    label_events,
    open_leaks,
    spoil_readings,
)

# Streams of random numbers: one for each, so that a seed's demand is the same with and without
# faults.
_DEMAND, _VALVE, _SENSORS, _EVENTS = range(4)


@dataclass(frozen=True)
class Plant:
    """All that a simulated plant hangs on."""

    start: str = "2020-01-01"
    """The first row's stamp, ISO 8601, a full minute; without an offset it counts as UTC."""
    days: int = 366
    """Length. The last row's stamp ends the last day, so there are 1,440 x days + 1 rows."""
    seed: int = 0
    """The same seed gives the same plant."""
    rates: Rates = field(default_factory=Rates)
    """How often things go wrong at random; `NO_FAULTS` for never."""
    events: tuple[Event, ...] = ()
    """What goes wrong besides, at given times."""

    demand: Demand = field(default_factory=Demand)
    """What is drawn."""
    leakage_m3h: float = 7.0
    """Steady leakage at the mean pressure. Chosen: 16% of the inflow, a fair network."""
    leakage_exponent: float = 1.5
    """Steady leakage grows with this power of the pressure. Source: Lambert, What do we know about
    pressure: leakage relationships in distribution systems?, IWA (2001): many small leaks."""
    leak_exponent: float = 0.5
    """The same for leaks that are events. Source: May (1994): a hole of fixed area."""

    day_bar: float = 5.0
    """Pressure that the inlet's valve holds by day. Chosen."""
    night_bar: float = 4.8
    """The same at night, lower, as leakage is. Chosen."""
    night: tuple[float, float] = (23.0, 5.0)
    """Hours between which the night's setting holds. Chosen."""
    valve_minutes: int = 20
    """Time in which the valve goes from one setting to the other. Chosen."""
    valve_spread_bar: float = 0.02
    """Standard deviation of what it holds. Chosen."""
    valve_memory: float = 8.0
    """Minutes after which 37% of such a deviation is left. Chosen."""
    loss_bar: float = 0.3
    """Pressure lost on the way to the gauge at the mean flow. Chosen: so that 0.02 bar are lost
    at night and 1.2 at a peak."""

    flow_noise: float = 0.005
    """Standard deviation of a flow reading, as a share of it. Chosen: a usual flow meter."""
    pressure_noise_bar: float = 0.005
    """Standard deviation of a pressure reading. Chosen: 0.05% of the range."""
    ranges: tuple[float, float] = (200.0, 10.0)
    """Tops of the sensors' ranges, m3/h and bar. Chosen: about twice what occurs."""
    decimals: tuple[int, int] = (1, 2)
    """Digits that the log keeps after the point, of m3/h and bar. Chosen."""

    def __post_init__(self) -> None:
        try:
            whole = parse_time(self.start) % STEP_US == 0
        except ValueError:
            whole = False
        if not whole:
            raise InputError("start", "an ISO 8601 time on a full minute", repr(self.start))
        if self.days < 1:
            raise InputError("days", "1 or more", self.days)
        last = max((event.span.stop for event in self.events), default=0)
        if last > self.rows:
            raise InputError("events", f"ends up to minute {self.rows}", last)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.days * DAY_MIN + 1

    @property
    def mean_flow_m3h(self) -> float:
        """Mean flow without events."""
        return self.demand.mean_m3h + self.leakage_m3h

    @property
    def mean_bar(self) -> float:
        """Pressure at the gauge by day, at the mean flow."""
        return self.day_bar - self.loss_bar


@dataclass(frozen=True)
class SimulatedPlant:
    """What happened, and what was logged; both have the channels flow_rate (m3/h), pressure (bar).

    true: without leaks, faults and the sensors' noise. measured: what the log's file holds, but for
    its duplicates and its order; NaN where it holds no number. labels: by time, one of each event.
    """

    plant: Plant
    true: Rows
    measured: Rows
    events: tuple[Event, ...]
    labels: tuple[Label, ...]


def simulate_plant(plant: Plant) -> SimulatedPlant:
    """A plant's record.

    Raises:
        InputError: the rates are too high for its days.
    """
    events = (*draw_events(plant.rates, plant.rows, (plant.seed, _EVENTS)), *plant.events)
    events = tuple(sorted(events, key=lambda event: event.start_min))
    start_us = parse_time(plant.start)
    demand_m3h = simulate_demand(plant.demand, start_us, plant.rows, (plant.seed, _DEMAND))
    held_bar = _hold_pressure(plant)
    leaks_m3h = plant.mean_flow_m3h * open_leaks(events, plant.rows)
    true = _balance(plant, demand_m3h, held_bar, np.zeros(plant.rows))
    with_leaks = _balance(plant, demand_m3h, held_bar, leaks_m3h)
    spoilt = spoil_readings(
        _read_sensors(plant, with_leaks),
        events,
        means=(plant.mean_flow_m3h, plant.mean_bar),
        ranges=plant.ranges,
    )
    return SimulatedPlant(
        plant=plant,
        true=Rows(CHANNELS, start_us, STEP_US, true),
        measured=Rows(CHANNELS, start_us, STEP_US, _round(plant, spoilt)),
        events=events,
        labels=label_events(events, start_us, STEP_US),
    )


def leak_day(*, seed: int = 0, at_min: int = 660, minutes: int = 360, size: float = 0.25) -> Plant:
    """A plant of two workdays of which the second has one burst, and nothing else goes wrong.

    at_min: minute of the second day at which it bursts. minutes: until it is mended. size: as a
    share of the mean flow.
    """
    burst = Event("leak", DAY_MIN + at_min, minutes, size=size)
    # A Tuesday and a Wednesday in June, after the year that a plant has by default.
    return Plant(start="2021-06-15", days=2, seed=seed, rates=NO_FAULTS, events=(burst,))


def _hold_pressure(plant: Plant) -> NDArray[np.float64]:
    """What the inlet's valve holds in each minute, bar (N,)."""
    random = np.random.default_rng([plant.seed, _VALVE])
    of_day = np.arange(DAY_MIN)
    start, end = (round(60 * hour) for hour in plant.night)
    is_night = (of_day - start) % DAY_MIN < (end - start) % DAY_MIN
    setting = np.where(is_night, plant.night_bar, plant.day_bar)
    # The mean of the last minutes' settings goes from one to the other at an even pace.
    ramp = np.ones(plant.valve_minutes) / plant.valve_minutes
    setting = np.convolve(np.tile(setting, 2), ramp, "valid")[-DAY_MIN:]
    noise = smooth(random.standard_normal(plant.rows), plant.valve_memory)
    minutes = parse_time(plant.start) // STEP_US + np.arange(plant.rows)
    held: NDArray[np.float64] = setting[minutes % DAY_MIN]
    held += plant.valve_spread_bar * noise / noise.std()
    return held


def _balance(
    plant: Plant,
    demand_m3h: NDArray[np.float64],
    held_bar: NDArray[np.float64],
    leaks_m3h: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Flow and pressure that fit each other (N, 2); leaks_m3h: at the mean pressure."""
    relative = np.ones(plant.rows)  # pressure against its mean
    # Leakage hangs on pressure and pressure on flow; each pass brings them some 20 times nearer.
    for _ in range(4):
        flow = (
            demand_m3h
            + plant.leakage_m3h * relative**plant.leakage_exponent
            + leaks_m3h * relative**plant.leak_exponent
        )
        bar = held_bar - plant.loss_bar * (flow / plant.mean_flow_m3h) ** 2
        bar = np.maximum(bar, 0.0)
        relative = bar / plant.mean_bar
    return np.stack([flow, bar], axis=1)


def _read_sensors(plant: Plant, state: NDArray[np.float64]) -> NDArray[np.float64]:
    """What sound sensors read (N, 2)."""
    random = np.random.default_rng([plant.seed, _SENSORS])
    noise = random.standard_normal(state.shape)
    noise[:, 0] *= plant.flow_noise * state[:, 0]
    noise[:, 1] *= plant.pressure_noise_bar
    readings: NDArray[np.float64] = np.maximum(state + noise, 0.0)
    return readings


def _round(plant: Plant, readings: NDArray[np.float64]) -> NDArray[np.float64]:
    columns = zip(readings.T, plant.decimals, strict=True)
    return np.stack([np.round(column, digits) for column, digits in columns], axis=1)
