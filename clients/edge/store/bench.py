"""Times one way of keeping the plant's table, in the process that calls it."""

import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from itertools import chain
from pathlib import Path

import msgspec

from wearcast.clients.edge.store.opening import open_store
from wearcast.clients.edge.store.table_files import read_parquet, write_parquet
from wearcast.signals.plant_table import Columns, PlantRow

BATCH = 10_000
# Each row is committed alone as the service does it live; so many fewer are written.
FEWER = 100
_DAY_US = 86_400_000_000
_MINUTE_US = 60_000_000
_START_US = 1_577_836_800_000_000  # 2020-01-01
# Those of the model of a simulated plant, see docs/outlier.md.
COLUMNS = Columns(
    (("flow_rate", "m3/h"), ("pressure", "bar")),
    (
        *((name, "flow_rate") for name in ("system", "actual", "predicted", "night")),
        *((name, "pressure") for name in ("system", "actual", "predicted")),
        ("multivariate", ""),
    ),
)


class Part(StrEnum):
    """A way of keeping rows."""

    SQLITE = "SQLite"
    SQLITE_ROWS = "SQLite, a commit a row"
    CSV = "CSV files"
    PARQUET = "Parquet"


class Cost(msgspec.Struct, frozen=True):
    """What it took; peak_mb: of the whole process, in 10^6 bytes."""

    rows: int
    write_s: float
    read_s: float
    peak_mb: float
    size_bytes: int


def measure_part(part: Part, rows: int, folder: Path) -> Cost:
    """Write rows in batches, each on disk before the next, and read them back a day at a time.

    Making the rows is not timed. Parquet is one file, flushed at its end.

    Raises:
        StoreError: the folder can't be written.
    """
    if part is Part.PARQUET:
        return _measure_parquet(rows, folder / "plant.parquet")
    batch = BATCH
    if part is Part.SQLITE_ROWS:
        rows, batch = -(-rows // FEWER), 1
    with closing(
        open_store(folder / "edge.sqlite", COLUMNS, "csv" if part is Part.CSV else "sqlite")
    ) as store:
        write_s = 0.0
        for those in _make_batches(rows, batch):
            began_s = time.perf_counter()
            with store.transaction():
                store.table.write(those)
            write_s += time.perf_counter() - began_s
        began_s = time.perf_counter()
        read = 0
        for first_us in range(_START_US, _START_US + rows * _MINUTE_US, _DAY_US):
            read += len(store.table.read(first_us, first_us + _DAY_US))
        read_s = time.perf_counter() - began_s
        _check_count(rows, read)
        store.maintain()
        return Cost(rows, write_s, read_s, _peak_mb(), store.size_bytes())


def _measure_parquet(rows: int, path: Path) -> Cost:
    made_s = 0.0

    def make_parts() -> Iterator[list[PlantRow]]:
        nonlocal made_s
        batches = _make_batches(rows, BATCH)
        while True:
            began_s = time.perf_counter()
            those = next(batches, None)
            made_s += time.perf_counter() - began_s
            if those is None:
                return
            yield those

    parts = make_parts()
    first = next(parts)
    import pyarrow.parquet  # noqa: F401, PLC0415 - its import is not part of the work

    made_s, began_s = 0.0, time.perf_counter()
    write_parquet(path, COLUMNS, chain([first], parts))
    with path.open("rb") as file:
        os.fsync(file.fileno())
    write_s = time.perf_counter() - began_s - made_s
    began_s = time.perf_counter()
    read = sum(map(len, read_parquet(path, COLUMNS)))
    read_s = time.perf_counter() - began_s
    _check_count(rows, read)
    return Cost(rows, write_s, read_s, _peak_mb(), path.stat().st_size)


def _make_batches(rows: int, batch: int) -> Iterator[list[PlantRow]]:
    for first in range(0, rows, batch):
        yield [_make_row(number) for number in range(first, min(first + batch, rows))]


def _make_row(number: int) -> PlantRow:
    """A row of minute `number`: two decimals, as sensors give, and forecasts with all of theirs."""
    flow_rate, pressure = 40 + number % 977 / 100, 4 + number % 83 / 100
    return PlantRow(
        _START_US + number * _MINUTE_US,
        (flow_rate, pressure if number % 500 else None),
        (flow_rate * 1.01, pressure * 0.99),
        (0, number % 5, 0, None, 0, 1, 0, 0),
        () if number % 500 else ("MISSING",),
    )


def _check_count(written: int, read: int) -> None:
    if read != written:
        text = f"{written} rows were written and {read} read"
        raise RuntimeError(text)


def _peak_mb() -> float:
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
