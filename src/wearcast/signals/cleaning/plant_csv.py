"""CSV files of plants: a header, and cells apart by `,`, `;` or tabs; UTF-8 or cp949.

Arrow reads the usual file straight into numbers: UTF-8 or not, digits are ASCII, so the header is
decoded apart. A file with texts among its numbers, or with other forms of time, is read as text.
"""

import csv
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from wearcast.signals.cleaning.raw_table import Unread
from wearcast.signals.cleaning.time_forms import find_iso, is_number, is_time
from wearcast.signals.errors import InputError

ENCODINGS = ("utf-8-sig", "cp949")
_DELIMITERS = ",;\t"
# Where samples are taken, and how much of each.
_PLACES, _SAMPLE_BYTES = 5, 8_192
_HEADER_BYTES = 1 << 20
# A few blocks are in memory at once; a row must fit into one.
_BLOCK_BYTES = 1 << 22
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_MARKS = (b"\xff\xfe", b"\xfe\xff")
_TYPES = {None: pa.string(), "naive": pa.timestamp("us"), "zoned": pa.timestamp("us", "UTC")}


class CsvFile:
    """A CSV file, opened: the names of its columns, and samples of their texts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._size = path.stat().st_size
            head, rows = self._read_ends()
        except OSError as error:
            raise InputError(path.name, "a readable file", error.strerror or error) from error
        if not head.strip():
            raise InputError(path.name, "a header and rows", "an empty file")
        self._begin = len(head)
        self.first_row = head.count(b"\n") + 1
        self._encoding = _find_encoding(path, head, rows)
        line = head.decode(self._encoding).splitlines()[-1]
        self._delimiter = max(_DELIMITERS, key=line.count)
        self.names = [_normalize(name) for name in self._split([line])[0]]
        sample = self._split(rows.decode(self._encoding, "replace").splitlines())
        if not sample:
            raise InputError(f"{path.name}: rows", "1 or more", 0)
        whole = [[cell.strip() for cell in row] for row in sample if len(row) == len(self.names)]
        self._check(sample, whole)
        # Where commas don't part cells they may stand for points, as in 3,14.
        self._comma = self._delimiter != "," and any(
            _COMMA.fullmatch(cell) for row in whole for cell in row
        )
        self.samples = [
            [self._point(cell) for cell in column] for column in zip(*whole, strict=True)
        ]

    def read(
        self, time: int, channels: Sequence[int]
    ) -> tuple[list[pa.ChunkedArray], Unread | None]:
        """The columns of times and of channels, at those places in the header; then broken rows.

        Raises:
            InputError: the file is no CSV file, or neither UTF-8 nor cp949.
        """
        iso = find_iso(self.samples[time])
        types = {time: _TYPES[iso], **dict.fromkeys(channels, pa.float64())}
        texts = dict.fromkeys(types, pa.string())
        try:
            with pa.OSFile(str(self._path)) as file:
                file.seek(self._begin)
                return self._parse(file, types).columns, None
        except pa.ArrowInvalid as error:
            # Texts where numbers or times were expected; else broken rows.
            attempts = [texts] if "conversion error" in str(error) else [types, texts]
        columns, broken = self._read_slowly(attempts)
        if self._comma:
            import pyarrow.compute as pc  # noqa: PLC0415

            columns[1:] = [pc.replace_substring(column, ",", ".") for column in columns[1:]]
        return columns, broken

    def _read_slowly(
        self, attempts: Sequence[Mapping[int, pa.DataType]]
    ) -> tuple[list[pa.ChunkedArray], Unread | None]:
        """Columns of the rows that have as many cells as the header, and the other rows.

        attempts: types of the columns; the first that fit are taken.
        """
        text = self._read_utf8()
        broken: list[pa_csv.InvalidRow] = []

        def skip(row: pa_csv.InvalidRow) -> str:
            broken.append(row)
            return "skip"

        for types in attempts:
            broken.clear()
            try:
                columns = self._parse(pa.BufferReader(text), types, skip).columns
            except pa.ArrowInvalid as error:
                if types is attempts[-1]:
                    raise InputError(self._path.name, "a CSV file", error) from error
            else:
                break
        if not broken:
            return columns, None
        # Arrow counts from 1, and all rows.
        first = broken[0]
        return columns, Unread(len(broken), first.number - 1 + self.first_row, first.text)

    def _parse(
        self,
        source: pa.NativeFile,
        types: Mapping[int, pa.DataType],
        skip: Callable[[pa_csv.InvalidRow], str] | None = None,
    ) -> pa.Table:
        # Names may be empty or alike; places are not.
        wanted = [str(place) for place in types]
        return pa_csv.read_csv(
            source,
            pa_csv.ReadOptions(
                column_names=[str(place) for place in range(len(self.names))],
                block_size=_BLOCK_BYTES,
                # Arrow numbers broken rows only if it reads one block after the other.
                use_threads=skip is None,
            ),
            pa_csv.ParseOptions(delimiter=self._delimiter, invalid_row_handler=skip),
            pa_csv.ConvertOptions(
                column_types=dict(zip(wanted, types.values(), strict=True)),
                include_columns=wanted,
                strings_can_be_null=True,
                decimal_point="," if self._comma else ".",
            ),
        )

    def _read_utf8(self) -> bytes:
        """All below the header."""
        text = self._path.read_bytes()[self._begin :]
        if _decodes(text, "utf-8"):
            return text
        try:
            return text.decode(ENCODINGS[-1]).encode()
        except UnicodeDecodeError as error:
            row = text.count(b"\n", 0, error.start) + self.first_row
            raise _bad_encoding(self._path, f"other bytes in row {row}") from error

    def _point(self, cell: str) -> str:
        return cell.replace(",", ".") if self._comma and _COMMA.fullmatch(cell) else cell

    def _read_ends(self) -> tuple[bytes, bytes]:
        """The first line that is not empty and all before it; and some rows from all over."""
        with self._path.open("rb") as file:
            head = line = file.readline(_HEADER_BYTES)
            while line and not line.strip():
                line = file.readline(_HEADER_BYTES)
                head += line
            begin = len(head)
            rows = b""
            for place in range(_PLACES):
                file.seek(begin + (self._size - begin) * place // _PLACES)
                if place:
                    file.readline()
                part = file.read(_SAMPLE_BYTES)
                if file.tell() < self._size:
                    part = part[: part.rfind(b"\n") + 1]
                rows += part
                if file.tell() >= self._size:
                    break
        return head, rows

    def _split(self, lines: Sequence[str]) -> list[list[str]]:
        return [row for row in csv.reader(lines, delimiter=self._delimiter) if row]

    def _check(self, sample: Sequence[Sequence[str]], whole: Sequence[Sequence[str]]) -> None:
        """Refuse what has no header, and what has other columns than its header."""
        if not whole:
            got = f"{len(sample[0])} in the rows"
            raise InputError(
                f"{self._path.name}: columns", f"{len(self.names)} as in the header", got
            )
        if all(not name or is_number(name) or is_time([name]) for name in self.names):
            raise InputError(
                f"{self._path.name}: header", "names of columns", repr(", ".join(self.names)[:80])
            )


def _find_encoding(path: Path, head: bytes, rows: bytes) -> str:
    if head.startswith(_MARKS):
        raise _bad_encoding(path, "UTF-16")
    for encoding in ENCODINGS:
        try:
            # A sample may end inside a character; rows are looked at again when they are read.
            head.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == ENCODINGS[0] and head.isascii() and not _decodes(rows, encoding):
            continue
        return encoding
    raise _bad_encoding(path, f"a header {head[:40]!r}")


def _decodes(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _bad_encoding(path: Path, got: str) -> InputError:
    return InputError(f"{path.name}: encoding", "UTF-8 or cp949", got)


def _normalize(name: str) -> str:
    # Some systems write 유 as one character, some as its two letters.
    return unicodedata.normalize("NFC", name.strip())
