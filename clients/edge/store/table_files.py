"""The plant's table as one file: CSV as `csv_table` writes it, or Parquet."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from wearcast.clients.edge.store.csv_day import make_cells
from wearcast.clients.edge.store.tables import Table
from wearcast.signals.errors import InputError
from wearcast.signals.plant_table import Columns, PlantRow

# Rows are read in parts, so that years of them fit into memory.
_PART_US = 31 * 86_400_000_000
_SUFFIXES = {".csv", ".parquet"}


def read_parts(table: Table, first_us: int, end_us: int) -> Iterator[list[PlantRow]]:
    """Rows from first to before end, times rising, a month at a time.

    Raises:
        StoreError: they can't be read now.
    """
    newest_us = table.newest_us()
    end_us = min(end_us, -1 if newest_us is None else newest_us + 1)
    for part_us in range(first_us, end_us, _PART_US):
        yield table.read(part_us, min(part_us + _PART_US, end_us))


def check_suffix(path: Path) -> None:
    """Refuse a file that is neither CSV nor Parquet.

    Raises:
        InputError: it is neither.
    """
    if path.suffix not in _SUFFIXES:
        raise InputError("out", "a name that ends in .csv, .parquet or .png", path)


def write_file(path: Path, columns: Columns, parts: Iterable[Sequence[PlantRow]]) -> int:
    """Write rows so that nobody ever sees half a file; gives how many. Parquet needs pyarrow.

    Raises:
        InputError: the file is neither CSV nor Parquet.
        OSError: it can't be written.
    """
    check_suffix(path)
    with _unfinished(path) as unfinished:
        if path.suffix == ".parquet":
            return write_parquet(unfinished, columns, parts)
        with unfinished.open("w", newline="") as file:
            return write_csv(file, columns, parts)


def write_csv(file: IO[str], columns: Columns, parts: Iterable[Sequence[PlantRow]]) -> int:
    """Write rows behind a header; gives how many."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns.names)
    count = 0
    for rows in parts:
        writer.writerows(map(make_cells, rows))
        count += len(rows)
    return count


def write_parquet(path: Path, columns: Columns, parts: Iterable[Sequence[PlantRow]]) -> int:
    """Write rows; gives how many. Times are timestamps in UTC, stages int8."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415

    kinds = [
        pa.timestamp("us", "UTC"),
        *[pa.float64()] * (2 * len(columns.channels)),
        *[pa.int8()] * len(columns.points),
        pa.string(),
    ]
    schema = pa.schema(list(zip(columns.names, kinds, strict=True)))
    count = 0
    with pq.ParquetWriter(path, schema) as writer:
        for rows in parts:
            cells = list(zip(*map(_list_values, rows), strict=True)) or [()] * len(kinds)
            arrays = [pa.array(column, kind) for column, kind in zip(cells, kinds, strict=True)]
            writer.write_table(pa.table(arrays, schema=schema))
            count += len(rows)
    return count


def read_parquet(path: Path, columns: Columns) -> Iterator[list[PlantRow]]:
    """Rows of a file that `write_parquet` wrote, in parts."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415

    channels = len(columns.channels)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            times = batch.column(0).cast(pa.int64()).to_pylist()
            others = [batch.column(place).to_pylist() for place in range(1, batch.num_columns)]
            yield [
                PlantRow(
                    time,
                    tuple(cells[:channels]),
                    tuple(cells[channels : 2 * channels]),
                    tuple(cells[2 * channels : -1]),
                    tuple(cells[-1].split()),
                )
                for time, *cells in zip(times, *others, strict=True)
            ]


def _list_values(row: PlantRow) -> list[Any]:
    return [row.time_us, *row.readings, *row.predictions, *row.stages, " ".join(row.quality)]


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """A file beside another one, which it replaces in the end."""
    if not path.parent.is_dir():
        raise InputError("out", "a file in a folder that is there", path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
