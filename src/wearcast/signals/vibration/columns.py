"""CSV, Parquet and WAV files alike: columns of numbers, by name or by place."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.number_csv import open_csv, parse_numbers

SUFFIXES = (".csv", ".parquet", ".wav")


@dataclass(frozen=True)
class Columns:
    """A file's columns, not read yet.

    names: empty where the file has none. sample_rate_hz: as the file says, None where it does not.
    first_row: number of the first row, as errors count. load: gives the columns at some places,
    counted from 0, by what they are called in errors: float64 (columns, n).
    """

    path: Path
    count: int
    names: tuple[str, ...]
    sample_rate_hz: float | None
    first_row: int
    load: Callable[[dict[str, int]], NDArray[np.float64]]

    def read(self, wanted: Sequence[str | int]) -> NDArray[np.float64]:
        """Finite numbers float64 (columns, n) of columns by name, or by place from 1.

        Raises:
            InputError: there is no such column, or a cell is no finite number.
        """
        places = [self._find(column) for column in wanted]
        distinct = list(dict.fromkeys(places))
        numbers = self.load({self._call(place): place for place in distinct})
        return numbers[[distinct.index(place) for place in places]]

    def _find(self, column: str | int) -> int:
        if isinstance(column, int):
            if not 1 <= column <= self.count:
                field = f"{self.path.name}: columns"
                raise InputError(field, f"{column} or more", self.count)
            return column - 1
        if self.names.count(column) != 1:
            got = ", ".join(self.names) or f"{self.count} without names"
            raise InputError(f"{self.path.name}: columns", f"one column {column!r}", got)
        return self.names.index(column)

    def _call(self, place: int) -> str:
        name = self.names[place] if self.names else ""
        return name if name and self.names.count(name) == 1 else f"column {place + 1}"


def open_columns(path: Path) -> Columns:
    """The columns of a file; its suffix says which of the three it is.

    Raises:
        InputError: it can't be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".wav":
        return _open_wav(path)
    if suffix == ".parquet":
        return _open_parquet(path)
    text = open_csv(path)
    return Columns(
        path,
        text.width,
        text.header,
        None,
        text.first_row,
        lambda places: parse_numbers(text, places),
    )


def _open_parquet(path: Path) -> Columns:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(path.name, "a Parquet file", error) from error
    if not table.num_rows:
        raise InputError(f"{path.name}: rows", "1 or more", 0)

    def load(places: dict[str, int]) -> NDArray[np.float64]:
        read = []
        for name, place in places.items():
            column = table.column(place)
            if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
                raise InputError(f"{path.name}: {name}", "a column of numbers", column.type)
            read.append(column.to_numpy().astype(np.float64))
        return _check(path, list(places), np.array(read))

    names = tuple(name.strip() for name in table.column_names)
    return Columns(path, len(names), names, None, 1, load)


def _open_wav(path: Path) -> Columns:
    from scipy.io import wavfile  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            # Chunks of notes are of no interest, a file that was cut off is.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            rate_hz, samples = wavfile.read(path)
    except Exception as error:
        # SciPy raises whatever a damaged file leads it to, even UnboundLocalError.
        raise InputError(path.name, "a WAV file of plain samples", error) from error
    channels = samples.reshape(len(samples), -1).T
    if not channels.size:
        raise InputError(f"{path.name}: samples", "1 or more", 0)

    def load(places: dict[str, int]) -> NDArray[np.float64]:
        return _check(path, list(places), _share(channels[list(places.values())]))

    return Columns(path, len(channels), (), float(rate_hz), 1, load)


def _share(samples: NDArray[np.generic]) -> NDArray[np.float64]:
    """Whole numbers as shares of the full scale; 8 bits have no sign and stand around 128.

    >>> _share(np.array([0, 192], np.uint8)), _share(np.array([-32768, 16384], np.int16))
    (array([-1. ,  0.5]), array([-1. ,  0.5]))
    """
    values = samples.astype(np.float64)
    if samples.dtype.kind == "f":
        return values
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    return (values - half if samples.dtype.kind == "u" else values) / half


def _check(path: Path, names: list[str], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    wrong = np.argwhere(~np.isfinite(numbers))
    if len(wrong):
        column, row = wrong[0]
        field = f"{path.name}: row {row + 1}: {names[column]}"
        raise InputError(field, "a finite number", numbers[column, row])
    return numbers
