"""Files of plants: a column of times and one a channel, in CSV or Parquet.

    time,flow_rate,pressure
    2024-03-01T00:00:00Z,21.4,4.02
    2024-03-01T00:01:00Z,21.9,

What stands in a file is read by `read_plant_file`, at its own times and with its own mistakes; see
`cleaning.load_rows` for what follows. `write_rows` writes what is clean. Both need pyarrow, which
is imported when they are called: `pip install 'wearcast[files]'`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.cleaning.raw_table import RawTable, Unread
from wearcast.signals.cleaning.time_forms import find_column, find_time, is_number, no_time
from wearcast.signals.cleaning.time_zones import to_utc
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

    from wearcast.signals.cleaning.plant_csv import CsvFile
    from wearcast.signals.cleaning.plant_parquet import ParquetFile

SUFFIXES = (".csv", ".parquet", ".pq")


def read_plant_file(
    path: Path,
    channels: Sequence[str] | None = None,
    *,
    time: str | None = None,
    time_zone: str = "UTC",
) -> RawTable:
    """Readings of a file, as they stand there.

    channels: names of columns, in the order they are wanted in; None: every column with numbers.
    time: name of the column of times; None: one of a usual name, else the first with dates.
    time_zone: of times that stand there without an offset (see `time_zones`).

    A CSV file may be UTF-8 or cp949, its delimiter `,`, `;` or a tab; Parquet is known by its first
    bytes. The forms of times are in `time_forms`. Rows without a time, and rows with more or fewer
    cells than the header, are left out and counted.

    Raises:
        InputError: no such file, column or time zone; no CSV or Parquet file, or in another
            encoding; no rows, no times, no numbers.
    """
    source = _open(path)
    file, names = path.name, source.names
    place = find_time(file, names, source.samples, time)
    places = _find_channels(file, source, place, channels)
    columns, broken = source.read(place, places)
    if not len(columns[0]):
        raise InputError(f"{file}: rows", "1 or more", f"broken ones only: {broken}")
    times_us, known, untimed = _read_times(
        f"{file}: {names[place]}", columns.pop(0), time_zone, source.first_row
    )
    values, texts = _read_values(file, [names[other] for other in places], columns, source)
    empty = [bool(np.isnan(column).all()) for column in values]
    if channels is None:
        kept = [row for row, nothing in enumerate(empty) if not nothing]
        if not kept:
            raise InputError(f"{file}: channels", "columns of numbers", "none")
        if len(kept) < len(places):
            places, values = [places[row] for row in kept], values[kept]
    if untimed is not None:
        times_us, values = times_us[known], values[:, known]
    chosen = tuple(names[other] for other in places)
    for name, nothing in zip(channels or (), empty, strict=False):
        if nothing and name in texts:
            raise InputError(f"{file}: {name}", "a column of numbers", f"texts: {texts[name]}")
    left_out = [] if channels else [name for name in names if name not in (names[place], *chosen)]
    return RawTable(
        times_us=times_us,
        values=values.T,
        names=chosen,
        time_zone=time_zone,
        texts={name: texts[name] for name in chosen if name in texts},
        untimed=untimed,
        broken=broken,
        left_out=tuple(filter(None, left_out)),
    )


def write_rows(path: Path, rows: Rows, filled: NDArray[np.bool_] | None = None) -> None:
    """Write rows as CSV or, where the name ends in .parquet or .pq, as Parquet.

    Columns are `time` (ISO 8601 in UTC), one a channel, and `quality`: what was not read, in the
    order of the channels, such as `flow_rate:FILLED;pressure:MISSING`; empty where all was read.
    A MISSING cell is empty. filled: bool (N, channels), which cells were not read but filled.

    Raises:
        InputError: the name ends in neither .csv nor .parquet nor .pq.
    """
    check_suffix(path)
    from wearcast.signals.cleaning.plant_writing import write_csv, write_parquet  # noqa: PLC0415

    write = write_csv if path.suffix.lower() == SUFFIXES[0] else write_parquet
    write(path, rows, filled)


def check_suffix(path: Path) -> None:
    """Refuse a name that stands for no form that rows are written in.

    Raises:
        InputError: it ends in neither .csv nor .parquet nor .pq.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError("out", f"a name that ends in {', '.join(SUFFIXES)}", repr(path.name))


def _open(path: Path) -> "CsvFile | ParquetFile":
    from wearcast.signals.cleaning.plant_csv import CsvFile  # noqa: PLC0415

    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise InputError(path.name, "a readable file", error.strerror or error) from error
    if magic == b"PAR1":
        from wearcast.signals.cleaning.plant_parquet import ParquetFile  # noqa: PLC0415

        return ParquetFile(path)
    return CsvFile(path)


def _find_channels(
    file: str, source: "CsvFile | ParquetFile", time: int, channels: Sequence[str] | None
) -> list[int]:
    """Places of the channels; of all columns that may be numbers if none are named."""
    names = source.names
    if channels is not None:
        places = [find_column(f"{file}: channels", names, name) for name in channels]
        if len({time, *places}) != len(places) + 1:
            expected = f"each once, and not the times {names[time]!r}"
            raise InputError(f"{file}: channels", expected, ", ".join(channels))
    else:
        places = [
            place
            for place, sample in enumerate(source.samples)
            if place != time and names[place] and _may_be_numbers(sample)
        ]
        for other in places:
            find_column(f"{file}: header", names, names[other])
    if not places:
        raise InputError(f"{file}: channels", "columns of numbers", "none")
    return places


def _read_values(
    file: str,
    names: Sequence[str],
    columns: "list[pa.ChunkedArray]",
    source: "CsvFile | ParquetFile",
) -> tuple[NDArray[np.float64], dict[str, Unread]]:
    """Values float64 (channels, N), and texts among them; empties `columns`."""
    from wearcast.signals.cleaning.arrow_columns import read_floats  # noqa: PLC0415

    values = np.empty((len(columns), len(columns[0])))
    texts = {}
    for name, out in zip(names, values, strict=True):
        # Each column is let go of as soon as it is copied.
        unread = read_floats(f"{file}: {name}", columns.pop(0), out, source.first_row)
        if unread is not None:
            texts[name] = unread
    return values, texts


def _read_times(
    field: str, column: "pa.ChunkedArray", zone: str, first_row: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_], Unread | None]:
    """Times in UTC, which of them are known, and what the others are.

    Raises:
        InputError: fewer than half of the cells are times.
    """
    import pyarrow as pa  # noqa: PLC0415

    from wearcast.signals.cleaning.arrow_columns import is_valid, read_integers  # noqa: PLC0415

    texts = None
    if pa.types.is_timestamp(column.type):
        times_us, known = read_integers(column), is_valid(column)
        zoned = np.full(len(column), column.type.tz is not None)
    else:
        from wearcast.signals.cleaning.time_texts import parse_times  # noqa: PLC0415

        texts = column.cast(pa.string())
        times_us, zoned, known = parse_times(field, texts)
    odd = np.flatnonzero(~known)
    untimed = None
    if len(odd):
        row = int(odd[0])
        cell = None if texts is None else texts[row].as_py()
        untimed = Unread(len(odd), row + first_row, (cell or "").strip())
        if 2 * len(odd) > len(known):
            raise no_time(field, [untimed.text])
    times_us[known & ~zoned] = to_utc(times_us[known & ~zoned], zone)
    return times_us, known, untimed


def _may_be_numbers(sample: Sequence[str]) -> bool:
    """Whether there is a number among the texts, or nothing at all."""
    filled = [text for text in sample if text]
    return not filled or any(is_number(text) for text in filled)
