"""Parcels to the IngestService of `wearcast serve --store FILE`."""

import threading
from pathlib import Path
from typing import Annotated, Literal

import grpc
from pydantic import BaseModel, ConfigDict, Field, field_validator

from wearcast.clients.access import Access
from wearcast.clients.edge.carriers.carrier import RefusedError
from wearcast.clients.edge.carriers.messages import encode_parcel
from wearcast.clients.errors import decode_error
from wearcast.signals.errors import InputError, UnreachableError, WearcastError
from wearcast.signals.parcel import Parcel
from wearcast.v1 import ingest_pb2
from wearcast.v1.ingest_pb2_grpc import IngestServiceStub

_OPTIONS = [
    # A try of its own each time, and not what another channel of this process has come to.
    ("grpc.use_local_subchannel_pool", 1),
]
_LARGEST_PORT = 65535


class GrpcSettings(BaseModel):
    """A `wearcast serve` that has a store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["grpc"]
    address: str
    """HOST:PORT."""
    tls_ca: Path | None = None
    """Certificate authority (PEM) that signed the server's certificate; not set: no TLS."""
    tls_cert: Path | None = None
    """The edge's own certificate in PEM, for a server that asks for one."""
    tls_key: Path | None = None
    """Its private key in PEM."""
    token_file: Path | None = None
    """File with the bearer token, of role ingest."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30
    """How long the server may take to acknowledge a parcel."""
    longest_pause_s: Annotated[float, Field(ge=1, le=86_400)] = 300
    """Pauses between attempts grow up to so long."""

    @field_validator("address")
    @classmethod
    def _check_address(cls, address: str) -> str:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) <= _LARGEST_PORT:
            raise ValueError("expected HOST:PORT")
        return address


class GrpcCarrier:
    """Sends by gRPC; connects anew after each failure.

    Raises:
        InputError: a file of TLS or the token's can't be read.
    """

    def __init__(self, settings: GrpcSettings) -> None:
        self._settings = settings
        self._access = Access(
            settings.address,
            tls_ca=settings.tls_ca,
            tls_cert=settings.tls_cert,
            tls_key=settings.tls_key,
            token=settings.token_file,
            field="delivery.",
        )
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None

    def send(self, parcel: Parcel) -> None:
        """Send a parcel; returns once the server has committed it, now or before.

        Raises:
            UnreachableError: it did not acknowledge it; the same parcel may go through later.
            RefusedError: it will never take this parcel.
        """
        try:
            request = encode_parcel(parcel)
        except (WearcastError, TypeError, ValueError) as error:
            raise RefusedError(
                f"parcel: expected what the protocol can say, got {error}"
            ) from error
        try:
            stub = IngestServiceStub(self._connect())
            response = stub.Ingest(request, timeout=self._settings.timeout_s)
        except grpc.RpcError as error:
            self.close()
            raise _judge(decode_error(error, self._settings.address)) from None
        except ValueError as error:  # what gRPC raises where the channel was closed meanwhile
            raise UnreachableError(f"server {self._settings.address}: {error}") from error
        if response.result == ingest_pb2.INGEST_RESULT_UNSPECIFIED:
            raise UnreachableError(f"server {self._settings.address}: it does not say what it did")

    def close(self) -> None:
        """Hang up; a parcel that is on its way counts as not arrived."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
                self._channel = None

    def _connect(self) -> grpc.Channel:
        with self._lock:
            if self._channel is None:
                self._channel = self._access.open_channel(_OPTIONS)
            return self._channel


def _judge(error: WearcastError) -> WearcastError:
    """Refused is what is about the parcel; a person may mend all else at the server."""
    too_large = "larger than max" in str(error)  # as gRPC itself says it
    if isinstance(error, InputError) or (error.status == "INVALID_ARGUMENT") or too_large:
        return RefusedError(str(error))
    if isinstance(error, UnreachableError):
        return error
    return UnreachableError(str(error))
