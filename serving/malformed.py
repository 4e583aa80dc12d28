"""Bytes that are no message: INVALID_ARGUMENT, where gRPC itself would say UNKNOWN."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from wearcast.signals.errors import InputError

_MALFORMED = object()

Decode = Callable[[bytes], Any]


def be_lenient(decode: Decode) -> Decode:
    """A decoder that raises nothing: what it raised would end a call before anyone heard of it."""

    def be_lenient(content: bytes) -> Any:  # noqa: ANN401
        try:
            return decode(content)
        except DecodeError:
            return _MALFORMED

    return be_lenient


def check_decoded(request: Any) -> Any:  # noqa: ANN401
    """A message as it is.

    Raises:
        InputError: there was none in the bytes.
    """
    if request is _MALFORMED:
        raise InputError(
            "message", "one of the method's", "bytes that are none", reason="MALFORMED"
        )
    return request
