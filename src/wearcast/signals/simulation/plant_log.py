"""Writes a simulated plant as its logger would: rows missing, double, late, or with words in them.

NAME.csv has the header `time,flow_rate,pressure` and a row a minute; stamps are of the plant's
clock, without an offset. NAME.labels.csv has the header `start,end,kind,channel` and a row an
event: from start to before end; kinds are those of `plant_faults`, and an empty channel means all.
"""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.simulation.plant_demand import DAY_MIN, STEP_US
from wearcast.signals.simulation.plant_faults import Event
from wearcast.signals.simulation.plant_simulation import SimulatedPlant

# What loggers write where they have no number. Chosen: each stands for another way to go wrong.
TEXTS = ("Bad", "", "No Data", "---", "#N/A", "I/O Timeout")

_MINUTE_STAMPS = [f"{minute // 60:02d}:{minute % 60:02d}:00" for minute in range(DAY_MIN)]


def name_labels(path: Path) -> Path:
    """The file of labels that belongs to a plant's file.

    >>> str(name_labels(Path("plant.csv")))
    'plant.labels.csv'
    """
    return path.with_suffix(".labels.csv")


def write_plant(path: Path, simulated: SimulatedPlant) -> int:
    """Write a plant's file and, beside it, its labels; gives the number of lines below the header.

    path: NAME.csv. What was there is replaced.
    """
    measured, digits = simulated.measured, simulated.plant.decimals
    stamps = _list_stamps(measured.times_us)
    row = f"%s,%.{digits[0]}f,%.{digits[1]}f\n"
    columns = (stamps, *(column.tolist() for column in measured.values.T))
    rows = [row % cells for cells in zip(*columns, strict=True)]
    for number in np.flatnonzero(np.isnan(measured.values).any(axis=1)).tolist():
        rows[number] = _write_row(stamps[number], measured.values[number], digits, number)
    numbers, copies = order_lines(simulated.events, len(rows))
    lines = [rows[number] for number in numbers.tolist()]
    for line, size in copies.items():
        number = int(numbers[line])
        flow, *others = measured.values[number].tolist()
        lines[line] = _write_row(stamps[number], [flow * (1 + size), *others], digits, number)
    _write_text(path, [f"time,{','.join(measured.channels)}\n", *lines])

    ends_us = [(label.start_us, label.end_us) for label in simulated.labels]
    spans = _list_stamps(np.array(ends_us, dtype=np.int64).ravel())
    labels = zip(spans[::2], spans[1::2], simulated.labels, strict=True)
    rows = [f"{start},{end},{label.kind},{label.channel}\n" for start, end, label in labels]
    _write_text(name_labels(path), ["start,end,kind,channel\n", *rows])
    return len(lines)


def order_lines(events: tuple[Event, ...], rows: int) -> tuple[NDArray[np.int64], dict[int, float]]:
    """The file's lines: the row of each, int64 (lines,), and which stand for a second time.

    The latter are line numbers, each with the size of the event that doubled its row.

    >>> duplicate, late = Event("duplicate", 1, 1, size=0.05), Event("disorder", 2, 3)
    >>> order_lines((duplicate, late, Event("gap", 6, 1)), 8)
    (array([0, 1, 1, 3, 4, 2, 5, 7]), {2: 0.05})
    """
    places = np.arange(rows, dtype=np.float64)
    is_there = np.ones(rows, dtype=bool)
    seconds: dict[int, float] = {}
    for event in events:
        if event.kind == "gap":
            is_there[event.span] = False
        elif event.kind == "disorder":
            places[event.start_min] = event.span.stop - 0.5
        elif event.kind == "duplicate":
            seconds |= dict.fromkeys(range(rows)[event.span], event.size)
    numbers = np.flatnonzero(is_there)
    again = np.array([number for number in seconds if is_there[number]], dtype=np.int64)
    order = np.argsort(np.concatenate([places[numbers], places[again] + 0.25]))
    lines = np.concatenate([numbers, again])[order]
    copies = np.flatnonzero(order >= len(numbers)).tolist()
    return lines, {line: seconds[int(lines[line])] for line in copies}


def _list_stamps(times_us: NDArray[np.int64]) -> list[str]:
    minutes = times_us // STEP_US
    days, places = np.unique(minutes // DAY_MIN, return_inverse=True)
    dates = np.datetime_as_string(days.astype("datetime64[D]")).tolist()
    of_day = (minutes % DAY_MIN).tolist()
    return [
        f"{dates[place]} {_MINUTE_STAMPS[minute]}"
        for place, minute in zip(places.tolist(), of_day, strict=True)
    ]


def _write_row(stamp: str, readings: Iterable[float], digits: tuple[int, ...], number: int) -> str:
    cells = [
        TEXTS[number % len(TEXTS)] if math.isnan(reading) else f"{reading:.{places}f}"
        for reading, places in zip(readings, digits, strict=True)
    ]
    return ",".join([stamp, *cells]) + "\n"


def _write_text(path: Path, lines: list[str]) -> None:
    # Renamed when whole, so that nobody sees half a file.
    part = path.with_suffix(".part")
    part.write_text("".join(lines), encoding="ascii", newline="")
    part.replace(path)
