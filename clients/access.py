"""How to get into one server: its address, the certificates of TLS, and a token."""

import contextlib
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import grpc.aio

from wearcast.signals.errors import InputError

Options = Sequence[tuple[str, int]]
Metadata = Sequence[tuple[str, str]]


class _Secrets(NamedTuple):
    credentials: grpc.ChannelCredentials | None
    token: str


class Access:
    """Opens channels to one server; each has what the files hold then, so they may be renewed.

    tls_ca: authority (PEM) that signed the server's certificate; without it the connection is plain
    text. tls_cert, tls_key: the client's own, for a server that asks for one. token: a bearer
    token, or as Path the file that holds it. field: put before the names in errors.

    Raises:
        InputError: a file can't be read; only one of tls_cert and tls_key, or these without tls_ca;
            a token that would go to another machine in plain text.
    """

    def __init__(
        self,
        address: str,
        *,
        tls_ca: Path | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        token: str | Path | None = None,
        field: str = "",
    ) -> None:
        self.address = address
        self._files = {"tls_ca": tls_ca, "tls_key": tls_key, "tls_cert": tls_cert}
        self._token = token
        self._field = field
        if (tls_cert is None) != (tls_key is None):
            raise InputError(f"{field}tls_cert, {field}tls_key", "both or neither", "one")
        if tls_cert is not None and tls_ca is None:
            raise InputError(f"{field}tls_ca", "one, with tls_cert", "none")
        if token is not None and tls_ca is None and not _is_loopback(address):
            # Who listens on the way could use it from then on.
            expected = "tls_ca too, to send it to another machine"
            raise InputError(f"{field}token", expected, f"none, for {address}")
        self._secrets = self._read()

    def open_channel(self, options: Options) -> grpc.Channel:
        """A new channel; the caller closes it."""
        # In the middle of a renewal, what was there before may still do.
        with contextlib.suppress(InputError):
            self._secrets = self._read()
        credentials, token = self._secrets
        if credentials is None:
            channel = grpc.insecure_channel(self.address, options)
        else:
            channel = grpc.secure_channel(self.address, credentials, options)
        return grpc.intercept_channel(channel, _Bearer(token)) if token else channel

    def open_async_channel(self, options: Options) -> tuple[grpc.aio.Channel, Metadata]:
        """The same for asyncio, and the metadata that each call must carry."""
        with contextlib.suppress(InputError):
            self._secrets = self._read()
        credentials, token = self._secrets
        metadata = [_header_of(token)] if token else []
        if credentials is None:
            return grpc.aio.insecure_channel(self.address, options), metadata
        return grpc.aio.secure_channel(self.address, credentials, options), metadata

    def _read(self) -> _Secrets:
        contents = {name: self._read_file(name, path) for name, path in self._files.items()}
        credentials = None
        if contents["tls_ca"] is not None:
            credentials = grpc.ssl_channel_credentials(*contents.values())
        if self._token is None:
            return _Secrets(credentials, "")
        if isinstance(self._token, Path):
            token = (self._read_file("token", self._token) or b"").decode(errors="replace").strip()
        else:
            token = self._token
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            # Not what is there: it may be a token with something around it.
            expected = "letters, digits and signs in one line"
            raise InputError(f"{self._field}token", expected, "something else")
        return _Secrets(credentials, token)

    def _read_file(self, name: str, path: Path | None) -> bytes | None:
        if path is None:
            return None
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"{self._field}{name}", "a readable file", error) from error


class _CallDetails(NamedTuple):
    """What gRPC wants to know of a call, with other metadata."""

    method: str
    timeout: float | None
    metadata: list[tuple[str, str | bytes]]
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _Bearer(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]  # grpc has no types
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
    grpc.StreamStreamClientInterceptor,  # type: ignore[misc]
):
    """Sends a token with each call. gRPC's own way to do so works with TLS only."""

    def __init__(self, token: str) -> None:
        self._header = _header_of(token)

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:  # noqa: ANN401
        return continuation(self._add(details), request)

    intercept_unary_stream = intercept_unary_unary
    intercept_stream_stream = intercept_unary_unary

    def _add(self, details: Any) -> _CallDetails:  # noqa: ANN401
        return _CallDetails(
            details.method,
            details.timeout,
            [*(details.metadata or ()), self._header],
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )


def _header_of(token: str) -> tuple[str, str]:
    return "authorization", f"Bearer {token}"


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
