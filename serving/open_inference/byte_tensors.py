"""Tensors of type BYTES: each element behind its length, as 4 bytes, little-endian.

No model takes or gives one: they are all of numbers.
"""

import struct
from collections.abc import Iterable

from wearcast.signals.errors import InputError

_LENGTH = struct.Struct("<I")


def encode_bytes(elements: Iterable[bytes]) -> bytes:
    """Elements as one run of bytes.

    >>> encode_bytes([b"ab", b""])
    b'\\x02\\x00\\x00\\x00ab\\x00\\x00\\x00\\x00'
    """
    return b"".join(_LENGTH.pack(len(element)) + element for element in elements)


def decode_bytes(field: str, raw: bytes) -> list[bytes]:
    """The elements in a run of bytes.

    >>> decode_bytes("raw", b"\\x02\\x00\\x00\\x00ab")
    [b'ab']

    Raises:
        InputError: it ends within an element.
    """
    elements: list[bytes] = []
    place = 0
    while place < len(raw):
        start = place + _LENGTH.size
        length = _LENGTH.unpack_from(raw, place)[0] if start <= len(raw) else 0
        place = start + length
        if place > len(raw):
            expected = f"{place} bytes for {len(elements) + 1} elements"
            raise InputError(field, expected, len(raw), reason="SIZE")
        elements.append(raw[start:place])
    return elements
