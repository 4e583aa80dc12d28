"""Parquet files of plants: a column of times, of whatever type, and columns of numbers."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from wearcast.signals.errors import InputError

_SAMPLE_ROWS = 500


class ParquetFile:
    """A Parquet file, opened: the names of its columns, and samples of their texts."""

    first_row = 1

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with pq.ParquetFile(path) as file:
                rows = file.metadata.num_rows
                self.names = [field.name.strip() for field in file.schema_arrow]
                sample = next(file.iter_batches(_SAMPLE_ROWS), None)
        except (pa.ArrowException, OSError) as error:
            raise InputError(path.name, "a Parquet file", error) from error
        if not rows or sample is None:
            raise InputError(f"{path.name}: rows", "1 or more", 0)
        self.samples = [_list_texts(column) for column in sample.columns]

    def read(self, time: int, channels: Sequence[int]) -> tuple[list[pa.ChunkedArray], None]:
        """The columns of times and of channels, at those places; no row of a table is broken."""
        with pq.ParquetFile(self._path) as file:
            columns = [file.schema_arrow.names[place] for place in (time, *channels)]
            table = file.read(columns)
        return [_plain(table.column(column)) for column in columns], None


def _list_texts(column: pa.Array) -> list[str]:
    if pa.types.is_temporal(column.type):
        # As Python's own times they would need pandas, which is slow to import.
        column = column.cast(pa.string())
    return ["" if cell is None else str(cell) for cell in column.to_pylist()]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times in microseconds, other columns as they are."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    if pa.types.is_date(column.type):
        return column.cast(pa.timestamp("us"))
    return column
