"""BYTES tensors: as tritonclient writes them, and nothing else is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritons import Triton

from wearcast.serving.open_inference.byte_tensors import decode_bytes, encode_bytes
from wearcast.signals.errors import InputError

ELEMENTS = [b"", b"a", "Lager 1 \u20ac".encode(), bytes(range(256)), b"\0" * 1000]


def test_they_are_what_tritonclient_sends(drive: Triton) -> None:
    sent = drive("byte_tensor", "nowhere", elements=[element.hex() for element in ELEMENTS])
    assert bytes.fromhex(sent) == encode_bytes(ELEMENTS)


@given(st.lists(st.binary()))
def test_they_round_trip(elements: list[bytes]) -> None:
    assert decode_bytes("raw", encode_bytes(elements)) == elements


@given(st.lists(st.binary(), min_size=1), st.data())
def test_a_part_is_refused_or_fewer_elements(elements: list[bytes], data: st.DataObject) -> None:
    whole = encode_bytes(elements)
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    ends = {len(encode_bytes(elements[:count])): count for count in range(len(elements))}
    if len(part) in ends:
        assert decode_bytes("raw", part) == elements[: ends[len(part)]]
    else:
        with pytest.raises(InputError, match="raw: expected"):
            decode_bytes("raw", part)


@given(st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        elements = decode_bytes("raw", raw)
    except InputError:
        return
    assert encode_bytes(elements) == raw
