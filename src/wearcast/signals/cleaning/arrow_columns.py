"""Columns of Arrow tables to NumPy and back.

By their buffers, without pyarrow's own `array` and `to_numpy`: these import pandas where it is
installed, which takes longer than reading most files.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wearcast.signals.cleaning.raw_table import Unread
from wearcast.signals.errors import InputError

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"

_NOTHING = pa.nulls(1, pa.string())[0]


def copy_numbers(column: pa.ChunkedArray, out: NDArray[np.generic], empty: float) -> None:
    """Copy a column of 8-byte numbers into `out` (N,), with `empty` where it has none."""
    begin = 0
    for chunk in column.chunks:
        part = out[begin : begin + len(chunk)]
        begin += len(chunk)
        bits, numbers = chunk.buffers()
        if chunk.null_count == len(chunk):
            part[:] = empty
            continue
        part[:] = np.frombuffer(numbers, out.dtype, len(chunk), chunk.offset * out.itemsize)
        if chunk.null_count:
            part[~_unpack(bits, chunk)] = empty


def read_integers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A column of 8-byte integers or timestamps as int64 (N,); 0 where it has none."""
    integers = np.empty(len(column), np.int64)
    copy_numbers(column, integers, 0)
    return integers


def make_array(
    numbers: NDArray[np.generic], kind: pa.DataType, valid: NDArray[np.bool_] | None = None
) -> pa.Array:
    """Numbers of 8 bytes (N,) as an Arrow array; where they are not `valid` it is empty."""
    buffers = [None if valid is None else _pack(valid), pa.py_buffer(np.ascontiguousarray(numbers))]
    return pa.Array.from_buffers(kind, len(numbers), buffers)


def make_texts(texts: Sequence[str], counts: NDArray[np.int64]) -> pa.Array:
    """Each text as often as its count says, as an Arrow array; an empty text is an empty cell."""
    coded = [text.encode() for text in texts]
    data = b"".join([text * count for text, count in zip(coded, counts.tolist(), strict=True)])
    lengths = np.repeat(np.array([len(text) for text in coded], np.int64), counts)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return pa.LargeStringArray.from_buffers(
        len(lengths), pa.py_buffer(ends), pa.py_buffer(data), _pack(lengths > 0)
    )


def is_valid(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Which cells of a column are not empty, bool (N,)."""
    valid = np.ones(len(column), bool)
    begin = 0
    for chunk in column.chunks:
        if chunk.null_count:
            bits = chunk.buffers()[0]
            valid[begin : begin + len(chunk)] = _unpack(bits, chunk) if bits else False
        begin += len(chunk)
    return valid


def read_floats(
    field: str, column: pa.ChunkedArray, out: NDArray[np.float64], first_row: int
) -> Unread | None:
    """Copy a column into `out` float64 (N,), NaN where it is empty or holds no finite number.

    field: what an error calls the column. first_row: the number of its first row.

    Returns:
        Cells that were not empty and are no finite number.

    Raises:
        InputError: the column's type has no numbers in it.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    source, is_text = column, pa.types.is_string(column.type)
    try:
        # Even a cast to the same type imports all of Arrow's functions, 0.1 s.
        if not pa.types.is_float64(column.type):
            column = column.cast(pa.float64(), safe=is_text)
        is_text = False
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        if not is_text:
            raise InputError(field, "a column of numbers", column.type) from error
        column = _coerce(column)
    copy_numbers(column, out, np.nan)
    odd = np.isinf(out)
    out[odd] = np.nan
    if is_text:
        odd |= np.isnan(out) & _is_filled(source)
    if not odd.any():
        return None
    row = int(odd.argmax())
    return Unread(int(np.count_nonzero(odd)), row + first_row, str(source[row].as_py()).strip())


def _is_filled(texts: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Which texts are more than blanks, bool (N,)."""
    import pyarrow.compute as pc  # noqa: PLC0415 - 0.1 s, and the usual file needs none of it

    return _booleans(pc.match_substring_regex(texts, r"\S"))


def _coerce(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts as float64, empty where one is no decimal number."""
    import pyarrow.compute as pc  # noqa: PLC0415

    trimmed = pc.utf8_trim_whitespace(texts)
    is_number = pc.match_substring_regex(trimmed, _NUMBER)
    return pc.if_else(is_number, trimmed, _NOTHING).cast(pa.float64())


def _booleans(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """A column of booleans, bool (N,); false where it has none."""
    return read_integers(column.cast(pa.int64())).astype(bool)


def _unpack(bits: Any, chunk: pa.Array) -> NDArray[np.bool_]:  # noqa: ANN401
    packed = np.frombuffer(bits, np.uint8)
    end = chunk.offset + len(chunk)
    return np.unpackbits(packed, count=end, bitorder="little")[chunk.offset :].astype(bool)


def _pack(valid: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(valid, bitorder="little"))
