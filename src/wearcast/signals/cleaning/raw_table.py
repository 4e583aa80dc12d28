"""What stood in a plant file: readings at the times of the file, in the order of the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Unread:
    """Cells or rows that could not be read: their count, and the first of them.

    row: its line in a CSV file, without lines that are empty, and for cells without broken rows; in
    Parquet its row, counted from 1.
    """

    count: int
    row: int
    text: str

    def __str__(self) -> str:
        """Count and example."""
        return f"{self.count:,} (row {self.row:,}: {self.text!r})"


@dataclass(frozen=True)
class RawTable:
    """Readings as they stood in the file.

    times_us: int64 (N,), microseconds since 1970-01-01 UTC, in any order.
    values: float64 (N, channels), one contiguous column a channel; NaN where the cell is empty or
        no finite number.
    time_zone: of times that stood there without an offset; days begin by its clock.
    texts: cells of a channel that held no finite number and were not empty.
    untimed: rows left out because their time is none. broken: because they have more or fewer
    cells than the header. left_out: columns that are no numbers.
    """

    times_us: NDArray[np.int64]
    values: NDArray[np.float64]
    names: tuple[str, ...]
    time_zone: str = "UTC"
    texts: Mapping[str, Unread] = field(default_factory=dict)
    untimed: Unread | None = None
    broken: Unread | None = None
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.times_us)
