"""What goes wrong in a simulated plant: leaks, faults of sensors, flaws of the log.

    kind       channel  what the file shows                        size
    leak       all      more flow, less pressure                   share of the mean flow
    stuck      one      one reading, again and again               -
    jump       one      single readings far off                    share of the mean reading
    range      one      readings outside the sensor's range        below 0: under it, else over it
    drift      one      an error that grows to its size            share of the reading
    text       one      words instead of numbers                   -
    gap        all      rows that are not there                    -
    duplicate  all      a stamp that stands twice                  what the second flow differs by
    disorder   all      a row that stands some rows late           -

Kinds of all channels have the channel "".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError

CHANNELS = ("flow_rate", "pressure")
ALL = ""
SENSOR_KINDS = ("stuck", "jump", "range", "drift", "text")
PLANT_KINDS = ("leak", "gap", "duplicate", "disorder")

# Shares of the range at which a 4-20 mA transmitter says that it has failed: 3.6 and 21 mA.
# Source: NAMUR NE 43.
FAILED_LOW, FAILED_HIGH = (3.6 - 4) / 16, (21 - 4) / 16

_YEAR_MIN = 365.25 * 1440
_TRIES = 500


@dataclass(frozen=True)
class Event:
    """One thing that goes wrong; the table at the top of this file says what its kind does."""

    kind: str
    start_min: int
    """Its first minute, counted from the plant's first, which is 0."""
    minutes: int
    """How long it lasts."""
    channel: str = ALL
    """The sensor; "" with a kind that concerns all."""
    size: float = 0.0
    """A share, see there."""
    growth_min: int = 0
    """Minutes in which a leak grows to its size; 0: a burst."""

    def __post_init__(self) -> None:
        if self.kind not in (*SENSOR_KINDS, *PLANT_KINDS):
            kinds = ", ".join((*SENSOR_KINDS, *PLANT_KINDS))
            raise InputError("events: kind", f"one of {kinds}", repr(self.kind))
        channels = CHANNELS if self.kind in SENSOR_KINDS else (ALL,)
        if self.channel not in channels:
            raise InputError("events: channel", f"one of {channels}", repr(self.channel))
        if self.start_min < 0 or self.minutes < 1 or self.growth_min < 0:
            got = f"{self.start_min}, {self.minutes} and {self.growth_min}"
            raise InputError("events: minutes", "a start from 0 on, a length from 1 on", got)

    @property
    def span(self) -> slice:
        """Its rows."""
        return slice(self.start_min, self.start_min + self.minutes)


@dataclass(frozen=True)
class Label:
    """A span of time in which something goes wrong: from start_us to before end_us."""

    kind: str
    channel: str
    start_us: int
    end_us: int


@dataclass(frozen=True)
class Rates:
    """How often things go wrong, in events a year.

    Chosen, all of them: so often that a year holds a few of each kind, so seldom that most of it is
    sound.
    """

    leaks: float = 8.0
    """Leaks of 5 to 30% of the mean flow. Bursts run 4 hours to 4 days until they are mended."""
    growing: float = 0.25
    """Share of the leaks that grow: over 2 to 10 days, and run half as long again."""
    stuck: float = 12.0
    """For each channel: 30 minutes to 6 hours."""
    jumps: float = 60.0
    """For each channel: one reading, off by 40 to 100% of the mean."""
    ranges: float = 12.0
    """For each channel: 1 to 30 minutes."""
    drifts: float = 2.0
    """For each channel: 3 to 14 days, up to an error of 10 to 30%."""
    texts: float = 12.0
    """For each channel: one reading."""
    short_gaps: float = 300.0
    """Gaps of 1 to 3 minutes."""
    long_gaps: float = 4.0
    """Gaps of 1 to 24 hours."""
    duplicates: float = 60.0
    """Stamps that stand twice; half of them with flows that differ by 2 to 10%."""
    disorders: float = 12.0
    """Rows that stand 1 to 5 rows late."""

    def __post_init__(self) -> None:
        for name, rate in vars(self).items():
            if not 0 <= rate < math.inf:
                raise InputError(f"rates: {name}", "0 or more", rate)


NO_FAULTS = Rates(
    leaks=0, stuck=0, jumps=0, ranges=0, drifts=0, texts=0,
    short_gaps=0, long_gaps=0, duplicates=0, disorders=0,
)  # fmt: skip


class _Draw(NamedTuple):
    """How events of a kind are drawn: evenly in the logarithm of minutes, evenly in size."""

    kind: str
    per_year: float
    minutes: tuple[int, int]
    size: tuple[float, float] = (0.0, 0.0)
    signed: bool = False
    growth: float = 0.0  # share of its time in which it grows


def _list_draws(rates: Rates) -> Iterator[_Draw]:
    """Long events first, as long as there is room for them."""
    yield _Draw("leak", rates.leaks * (1 - rates.growing), (240, 5_760), (0.05, 0.3))
    yield _Draw("leak", rates.leaks * rates.growing, (4_320, 21_600), (0.05, 0.3), growth=2 / 3)
    yield _Draw("drift", rates.drifts, (4_320, 20_160), (0.1, 0.3), signed=True)
    yield _Draw("gap", rates.long_gaps, (60, 1_440))
    yield _Draw("stuck", rates.stuck, (30, 360))
    yield _Draw("range", rates.ranges, (1, 30), (1.0, 1.0), signed=True)
    yield _Draw("disorder", rates.disorders, (2, 6))
    yield _Draw("gap", rates.short_gaps, (1, 3))
    yield _Draw("duplicate", rates.duplicates / 2, (1, 1))
    yield _Draw("duplicate", rates.duplicates / 2, (1, 1), (0.02, 0.1), signed=True)
    yield _Draw("jump", rates.jumps, (1, 1), (0.4, 1.0), signed=True)
    yield _Draw("text", rates.texts, (1, 1))


def draw_events(rates: Rates, rows: int, seed: tuple[int, ...]) -> tuple[Event, ...]:
    """Events by time for a plant of that many minutes.

    There are as many of a kind as its rate gives for that time, rounded up or down at random, and
    none of a kind that lasts longer than all of it. No two events meet in one channel, else a gap
    would hide what its neighbour's label promises, and none meet the first and the last row. But
    leaks may meet all, and drifts, which last long too, all but other drifts.

    Raises:
        InputError: the time has no room for so many.
    """
    # A lane for each channel, and one for its drifts.
    taken = np.zeros((2 * len(CHANNELS), rows), dtype=bool)
    events: list[Event] = []
    for number, draw in enumerate(_list_draws(rates)):
        if draw.minutes[0] > rows - 2:
            continue
        for channel in CHANNELS if draw.kind in SENSOR_KINDS else (ALL,):
            # A stream of its own for each, so that one rate changes nothing for another's events.
            place = 1 + CHANNELS.index(channel) if channel else 0
            random = np.random.default_rng([*seed, number, place])
            expected = draw.per_year * rows / _YEAR_MIN
            count = math.floor(expected + random.uniform())
            events += [_place_event(draw, channel, taken, random) for _ in range(count)]
    return tuple(sorted(events, key=lambda event: (event.start_min, event.kind, event.channel)))


def open_leaks(events: tuple[Event, ...], rows: int) -> NDArray[np.float64]:
    """What all leaks together lose at the mean pressure, as a share of the mean flow (rows,)."""
    total = np.zeros(rows)
    for event in events:
        if event.kind == "leak":
            grown = np.ones(event.minutes)
            if event.growth_min:
                grown = np.minimum(np.arange(1, event.minutes + 1) / event.growth_min, 1)
            total[event.span] += event.size * grown
    return total


def spoil_readings(
    readings: NDArray[np.float64],
    events: tuple[Event, ...],
    *,
    means: tuple[float, ...],
    ranges: tuple[float, ...],
) -> NDArray[np.float64]:
    """Sound readings (N, channels) with all that befalls sensors and log; NaN: no number.

    means: typical reading of each channel. ranges: the top of each sensor's range, which starts
    at 0.
    """
    spoilt = readings.copy()
    for event in _of_kind(events, "drift"):
        grown = np.arange(1, event.minutes + 1) / event.minutes
        spoilt[_cells(event)] *= 1 + event.size * grown
    for event in _of_kind(events, "stuck"):
        spoilt[_cells(event)] = spoilt[event.start_min, CHANNELS.index(event.channel)]
    for event in _of_kind(events, "jump"):
        number = CHANNELS.index(event.channel)
        off = event.size * means[number]
        spoilt[_cells(event)] = np.clip(spoilt[_cells(event)] + off, 0, ranges[number])
    for event in _of_kind(events, "range"):
        share = FAILED_LOW if event.size < 0 else FAILED_HIGH
        spoilt[_cells(event)] = share * ranges[CHANNELS.index(event.channel)]
    for event in (*_of_kind(events, "gap"), *_of_kind(events, "text")):
        spoilt[_cells(event)] = np.nan
    return spoilt


def label_events(events: tuple[Event, ...], start_us: int, step_us: int) -> tuple[Label, ...]:
    """The label of each event, for rows each step_us from start_us on."""
    return tuple(
        Label(
            kind=event.kind,
            channel=event.channel,
            start_us=start_us + event.span.start * step_us,
            end_us=start_us + event.span.stop * step_us,
        )
        for event in events
    )


def _place_event(
    draw: _Draw, channel: str, taken: NDArray[np.bool_], random: np.random.Generator
) -> Event:
    """An event at a place that is free in its lanes, and is taken then."""
    rows = taken.shape[1]
    lanes = [CHANNELS.index(channel)] if channel else list(range(len(CHANNELS)))
    if draw.kind == "drift":
        lanes = [lane + len(CHANNELS) for lane in lanes]
    elif draw.kind == "leak":
        lanes = []
    shortest, longest = draw.minutes
    for _ in range(_TRIES):
        start = int(random.integers(1, rows - shortest))
        minutes = round(shortest * (longest / shortest) ** random.uniform())
        minutes = min(minutes, rows - 1 - start)
        span = slice(start, start + minutes)
        if taken[lanes, span].any():
            continue
        taken[lanes, span] = True
        sign = int(random.choice((-1, 1))) if draw.signed else 1
        size = sign * random.uniform(*draw.size)
        growth_min = round(minutes * draw.growth)
        return Event(draw.kind, start, minutes, channel, size, growth_min)
    raise InputError("rates", f"no more {draw.kind} than the days have room for", draw.per_year)


def _of_kind(events: tuple[Event, ...], kind: str) -> list[Event]:
    return [event for event in events if event.kind == kind]


def _cells(event: Event) -> tuple[slice, slice | int]:
    """Its rows and columns of readings."""
    return event.span, CHANNELS.index(event.channel) if event.channel else slice(None)
