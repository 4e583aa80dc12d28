"""Writing rows to CSV and Parquet files, with a column that says what was not read."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from wearcast.signals.cleaning.arrow_columns import make_array, make_texts
from wearcast.signals.rows import Rows

TIME, QUALITY = "time", "quality"
_SECOND_US = 1_000_000
_ROWS = 1 << 16


def write_csv(path: Path, rows: Rows, filled: NDArray[np.bool_] | None) -> None:
    """Write UTF-8, cells apart by commas; times are ISO 8601 with a Z."""
    header = [TIME, *rows.channels, QUALITY]
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(header)
    # Arrow puts all texts into quotes, or none.
    bare = not any(mark in name for name in rows.channels for mark in ',"\r\n')
    options = pa_csv.WriteOptions(include_header=False, quoting_style="none" if bare else "needed")
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(line.getvalue().encode())
        # Texts take much room: a part of the rows at a time.
        for begin in range(0, len(rows), _ROWS):
            some = rows.between(begin, begin + _ROWS)
            flags = None if filled is None else filled[begin : begin + _ROWS]
            columns = [
                _format_times(some),
                *_list_values(some),
                _list_quality(some, flags),
            ]
            pa_csv.write_csv(pa.Table.from_arrays(columns, header), file, options)
    part.replace(path)


def write_parquet(path: Path, rows: Rows, filled: NDArray[np.bool_] | None) -> None:
    """Write times as timestamps in UTC and values as doubles."""
    times = make_array(rows.times_us, pa.timestamp("us", "UTC"))
    columns = [times, *_list_values(rows), _list_quality(rows, filled)]
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        pq.write_table(pa.Table.from_arrays(columns, [TIME, *rows.channels, QUALITY]), file)
    part.replace(path)


def _list_values(rows: Rows) -> list[pa.Array]:
    return [make_array(column, pa.float64(), ~np.isnan(column)) for column in rows.values.T]


def _list_quality(rows: Rows, filled: NDArray[np.bool_] | None) -> pa.Array:
    """What was not read in each row, such as `pressure:FILLED;flow:MISSING`; made once a run."""
    missing = np.isnan(rows.values)
    changes = np.zeros(len(rows), bool)
    for flags in (missing, *(() if filled is None else (filled,))):
        for column in flags.T:
            changes[1:] |= column[1:] != column[:-1]
    starts = np.flatnonzero(changes)
    starts = np.concatenate([[0], starts]) if len(rows) else starts
    texts = [
        _name_quality(rows.channels, missing[row], None if filled is None else filled[row])
        for row in starts
    ]
    lengths = np.diff(np.append(starts, len(rows)))
    return make_texts(texts, lengths)


def _name_quality(
    channels: Sequence[str], missing: NDArray[np.bool_], filled: NDArray[np.bool_] | None
) -> str:
    marks = [
        f"{channel}:MISSING" if missing[place] else f"{channel}:FILLED"
        for place, channel in enumerate(channels)
        if missing[place] or (filled is not None and filled[place])
    ]
    return ";".join(marks)


def _format_times(rows: Rows) -> pa.Array:
    """ISO 8601 with a Z; without fractions of seconds where no row has any."""
    whole = rows.start_us % _SECOND_US == rows.step_us % _SECOND_US == 0
    moments = rows.times_us.astype("datetime64[us]")
    texts = np.datetime_as_string(moments, "s" if whole else "us", timezone="UTC").tolist()
    return make_texts(texts, np.ones(len(texts), np.int64))
