"""What must hold after a soak: memory flat, files small, nothing lost, nothing twice.

Each check gives what is wrong, in words; nothing: it holds. What was sent is compared with the
plant's file as the csv module reads it here, and with what the service itself keeps.
"""

import csv
import json
import sqlite3
import statistics
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

_MINUTE = timedelta(minutes=1)
_TEN = timedelta(minutes=10)
_CHANNELS = ("flow_rate", "pressure")
_FEWEST_DAYS = 4
# What memory and store may grow by once all is running: a share, and MB on top of it.
_SHARE, _MEMORY_MB, _STORE_MB = 0.1, 5.0, 1.0

Readings = dict[datetime, tuple[float | None, ...]]


class Sample(NamedTuple):
    """The edge service at one moment; day: how far it is in the record, in days.

    store_mb: all its files. outbox_mb: what of it waits to be sent.
    """

    day: float
    rss_mb: float
    store_mb: float
    rows: int
    waiting: int
    outbox_mb: float


def check_memory(samples: Sequence[Sample]) -> Iterator[str]:
    """The median of the last third is at most 10% and 5 MB above that of the second day."""
    yield from _compare("memory", [(it.day, it.rss_mb) for it in samples], 1.0, _MEMORY_MB)


def check_store(samples: Sequence[Sample], keep_days: float) -> Iterator[str]:
    """The same of the store's files without what waits, once the first rows have been purged.

    Up to the end of the record: behind it the outbox drains, and its room is given back at the end.
    """
    end = max((it.day for it in samples), default=0.0)
    sizes = [(it.day, it.store_mb - it.outbox_mb) for it in samples if it.day < end]
    yield from _compare("store", sizes, keep_days + 1, _STORE_MB)


def _compare(
    name: str, measured: Sequence[tuple[float, float]], begin: float, more_mb: float
) -> Iterator[str]:
    last = max((day for day, _ in measured), default=0.0)
    early = [size for day, size in measured if begin <= day < begin + 1]
    late = [size for day, size in measured if day >= last * 2 / 3]
    if last < max(_FEWEST_DAYS, 1.5 * (begin + 1)):
        return  # too short to tell
    if not early:
        yield f"{name}: expected samples of day {begin + 1:g}, got none"
        return
    first_mb, last_mb = statistics.median(early), statistics.median(late)
    if last_mb > first_mb * (1 + _SHARE) + more_mb:
        yield f"{name}: expected about {first_mb:.1f} MB as on day {begin + 1:g}, got {last_mb:.1f}"


def read_plant(path: Path) -> tuple[Readings, int]:
    """Readings by minute, of its first line, and how many later ones differ from it."""
    readings: Readings = {}
    others = 0
    with path.open(newline="") as file:
        for line in csv.DictReader(file):
            moment = datetime.fromisoformat(line["time"]).replace(tzinfo=UTC)
            values = tuple(_read_number(line[channel]) for channel in _CHANNELS)
            first = readings.setdefault(moment, values)
            others += sum(one != other for one, other in zip(first, values, strict=True))
    return readings, others


def check_rows(plant: Path, central: Path) -> Iterator[str]:
    """Each minute of the ten minutes that have ended is there once, judged, as the file has it."""
    readings, _ = read_plant(plant)
    expected = list_minutes(readings)
    rows = _query(central, "SELECT time, row FROM plant_rows ORDER BY time")
    got = {datetime.fromisoformat(moment): json.loads(row) for moment, row in rows}
    if list(got) != expected:
        lost, more = sorted({*expected} - {*got}), sorted({*got} - {*expected})
        yield f"rows: expected {len(expected)}, got {len(got)}; lost {lost[:3]}, more {more[:3]}"
    nothing = (None,) * len(_CHANNELS)
    for moment in filter(got.__contains__, expected):
        there = tuple(got[moment][channel] for channel in _CHANNELS)
        wanted = readings.get(moment, nothing)
        if there != wanted:
            yield f"row {moment}: expected {wanted}, got {there}"
        if any(cell is None for name, cell in got[moment].items() if name.endswith("_stage")):
            yield f"row {moment}: expected a stage of each detector, got {got[moment]}"
    yield from _check_spans(central, expected)


def _check_spans(central: Path, expected: list[datetime]) -> Iterator[str]:
    """Ten-minute parcels cover the record without a hole, each once."""
    spans = _query(
        central, "SELECT first_time, end_time FROM parcels WHERE kind = 'ROWS' ORDER BY first_time"
    )
    begins = [datetime.fromisoformat(first) for first, _ in spans]
    wanted = expected[::10]
    if begins != wanted:
        yield f"parcels of ten minutes: expected {len(wanted)}, got {len(begins)}"
    for first, end in spans:
        if datetime.fromisoformat(end) - datetime.fromisoformat(first) != _TEN:
            yield f"parcel of {first}: expected ten minutes, got up to {end}"


def check_forecasts(plant: Path, central: Path, edge: Path) -> Iterator[str]:
    """One is there for each hour, and those that the service keeps are there as it has them."""
    hours = len(list_minutes(read_plant(plant)[0])) // 60
    sent = dict(_query(central, "SELECT window_end, forecast FROM plant_forecasts"))
    if len(sent) != hours:
        yield f"forecasts: expected {hours}, got {len(sent)}"
    texts = {_drop_zone(moment): json.loads(text)["answer"] for moment, text in sent.items()}
    kept = _query(edge, "SELECT window_end_us, estimate FROM kept_forecasts")
    for end_us, text in kept:
        moment = datetime.fromtimestamp(end_us / 1e6, UTC).replace(tzinfo=None)
        if texts.get(moment) != json.loads(text)["answer"]:
            yield f"forecast of {moment}: expected as the service keeps it, got {sent.get(moment)}"


def check_alerts(alerts: Path, central: Path) -> Iterator[str]:
    """Each alert that was told is there once, and no other."""
    lines = alerts.read_text().splitlines() if alerts.exists() else []
    told = [json.loads(line)["id"] for line in lines]
    sent = [name for (name,) in _query(central, "SELECT id FROM plant_alerts")]
    if len(set(told)) < len(told):
        yield f"alerts: expected each told once, got {len(told) - len(set(told))} again"
    if sorted(set(told)) != sorted(sent):
        yield f"alerts: expected {len(told)} as told, got {len(sent)}"


def check_kept(plant: Path, edge: Path, keep_days: float) -> Iterator[str]:
    """Nothing waits or was refused, and what has no place in the table is kept apart."""
    ((waiting,),) = _query(edge, "SELECT count(*) FROM outbox")
    if waiting:
        yield f"outbox: expected none, got {waiting}"
    readings, others = read_plant(plant)
    ((spare,),) = _query(edge, "SELECT count(*) FROM spare")
    days = (max(readings) - min(readings)) / timedelta(days=1)
    if days <= keep_days and spare != others:
        yield f"spare: expected {others} second readings of a minute, got {spare}"


def list_minutes(readings: Readings) -> list[datetime]:
    """All minutes from the first one on, of whole ten minutes."""
    first, last = min(readings), max(readings)
    count = (last - first + _MINUTE) // _TEN * 10
    return [first + number * _MINUTE for number in range(count)]


def _read_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _drop_zone(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


def _query(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()
