"""A gRPC client that sends frames by hand, and can stop in the middle of one.

Frames as in RFC 9113, headers as literals without a table, as in RFC 7541.
"""

import socket
import struct

from waiting import LONG_S

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_HEADERS = 4
_STREAM = 1
_LINGER_NOT = struct.pack("ii", 1, 0)


def frame(kind: int, content: bytes, *, flags: int = 0, stream: int = _STREAM) -> bytes:
    return (
        struct.pack(">I", len(content))[1:]
        + bytes((kind, flags))
        + struct.pack(">I", stream)
        + content
    )


def headers_frame(path: str) -> bytes:
    """The begin of a call."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "localhost",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    texts = (text.encode() for item in headers.items() for text in item)
    literals = [bytes((len(text),)) + text for text in texts]
    pairs = zip(literals[::2], literals[1::2], strict=True)
    content = b"".join(b"\0" + name + value for name, value in pairs)
    return frame(_HEADERS, content, flags=_END_HEADERS)


def message_frame(message: bytes) -> bytes:
    """One message of a call, which does not end with it."""
    return frame(_DATA, b"\0" + struct.pack(">I", len(message)) + message)


def connect(address: str) -> socket.socket:
    """A connection that the server has taken, as its own settings say."""
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=LONG_S)
    connection.sendall(_PREFACE + frame(_SETTINGS, b"", stream=0))
    assert connection.recv(65536)
    return connection


def send_and_vanish(address: str, content: bytes, *, reset: bool) -> None:
    """Send some bytes, and end the connection: with a reset, or as if there were no more."""
    with connect(address) as connection:
        connection.sendall(content)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)


def read_answer(address: str, content: bytes) -> bytes:
    """What the server says until it has ended the call that was begun."""
    with connect(address) as connection:
        connection.sendall(content)
        got = b""
        while b"grpc-status" not in got:
            part = connection.recv(65536)
            assert part, "the server ended the connection"
            got += part
    return got
