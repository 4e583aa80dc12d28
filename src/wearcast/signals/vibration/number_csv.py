"""CSV files of numbers, with a header or without: columns at once, and which cell is none.

Cells stand apart by `,`, `;` or tabs. A first line in which no cell is a number is a header.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError

_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class CsvText:
    """The rows of a file, not parsed yet; `header` is empty where there is none."""

    path: Path
    delimiter: str
    header: tuple[str, ...]
    rows: list[str]

    @property
    def first_row(self) -> int:
        """Number of the first row of numbers, counted from 1 as editors do."""
        return 2 if self.header else 1

    @property
    def width(self) -> int:
        """Number of columns, by the header or else the first row."""
        return len(self.header or _split(self.rows[0], self.delimiter))


def open_csv(path: Path) -> CsvText:
    """The text of a file.

    Raises:
        InputError: it can't be read, is no text, or has no rows.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path.name, "a readable text file", error) from error
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InputError(path.name, "rows of numbers", "an empty file")
    delimiter = max(_DELIMITERS, key=lines[0].count)
    try:
        cells = _split(lines[0], delimiter)
    except csv.Error as error:
        raise InputError(f"{path.name}: row 1", "cells of numbers", error) from error
    header = () if any(_is_number(cell) for cell in cells) else tuple(cells)
    rows = lines[1:] if header else lines
    if not rows:
        raise InputError(f"{path.name}: rows", "1 or more", 0)
    return CsvText(path, delimiter, header, rows)


def parse_numbers(text: CsvText, columns: Mapping[str, int]) -> NDArray[np.float64]:
    """Finite numbers float64 (columns, rows); `columns` are places from 0, by name.

    Raises:
        InputError: a row has more or fewer cells than the header or the first row, or a cell is
            no finite number; the message names row and column.
    """
    places = list(columns.values())
    try:
        # All cells where all are wanted, so that NumPy sees rows that are too long.
        usecols = None if len(places) == text.width else places
        numbers = np.loadtxt(
            text.rows, np.float64, None, text.delimiter, usecols=usecols, ndmin=2, quotechar='"'
        ).T
    except (ValueError, IndexError) as error:
        raise _find_fault(text, columns) from error
    # All rows alike may still differ from the header.
    if (usecols is None and len(numbers) != text.width) or not np.isfinite(numbers).all():
        raise _find_fault(text, columns)
    return np.ascontiguousarray(numbers[places] if usecols is None else numbers)


def parse_texts(text: CsvText, place: int) -> list[str]:
    """The cells of one column, without the spaces around them.

    Raises:
        InputError: a row lacks the cell.
    """
    texts: list[str] = []
    for number, cells in _iterate(text):
        if len(cells) <= place:
            field = f"{text.path.name}: row {number}: columns"
            raise InputError(field, text.width, len(cells))
        texts.append(cells[place].strip())
    return texts


def _find_fault(text: CsvText, columns: Mapping[str, int]) -> InputError:
    file = text.path.name
    for number, cells in _iterate(text):
        if len(cells) != text.width:
            return InputError(f"{file}: row {number}: columns", text.width, len(cells))
        for name, place in columns.items():
            if not _is_number(cells[place]) or not np.isfinite(float(cells[place])):
                field = f"{file}: row {number}: {name}"
                return InputError(field, "a finite number", repr(cells[place]))
    return InputError(file, "rows of finite numbers", "something else")


def _iterate(text: CsvText) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each row."""
    try:
        yield from enumerate(csv.reader(text.rows, delimiter=text.delimiter), text.first_row)
    except csv.Error as error:
        raise InputError(text.path.name, "rows of numbers", error) from error


def _split(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
