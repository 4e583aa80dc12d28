"""The client: one object for one server.

client = Client("127.0.0.1:8561")
client.models()                                     # contracts of all that is served
client.predict(blocks, model="bearing-rul")         # a recording: estimates
client.monitor(source, asset="pump-7", model=...)   # live: estimates, alerts, notices, ...
"""

import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import grpc

from wearcast.clients.access import Access
from wearcast.clients.decode import decode_estimates, decode_model
from wearcast.clients.encode import encode_block
from wearcast.clients.errors import decode_error
from wearcast.clients.monitor import Event, Monitor, MonitorSettings
from wearcast.clients.source import Source
from wearcast.signals.alarm_rules import AlarmRules
from wearcast.signals.contract import Contract
from wearcast.signals.errors import UnreachableError
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block
from wearcast.v1 import machine_health_pb2, samples_pb2
from wearcast.v1.machine_health_pb2_grpc import MachineHealthServiceStub

DEFAULT_ADDRESS = "127.0.0.1:8561"
_OPTIONS = [
    # Else all channels of a process share one connection attempt and its waiting time.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 64 * 2**20),
    # A server that vanished is noticed within 40 s, also on a stream that is silent for long.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
]


@dataclass(frozen=True)
class ClientSettings:
    """How a client waits and retries.

    connect_timeout_s: how long a server may take to answer the first time. call_timeout_s: how long
    one short call may take. blocks_per_message: of `predict`; 16 snapshots are 330 kB. monitor: how
    a live stream reconnects.
    """

    connect_timeout_s: float = 5.0
    call_timeout_s: float = 30.0
    blocks_per_message: int = 16
    monitor: MonitorSettings = field(default_factory=MonitorSettings)


class Client:
    """Asks one server. Synchronous; threads may share it.

    tls_ca: file of the certificate authority (PEM) that signed the server's certificate; without it
    the connection is plain text. tls_cert, tls_key: files of the client's own certificate and key,
    for a server that asks for one. token: a bearer token, or as Path the file that holds it; it
    goes to another machine only with TLS.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        tls_ca: Path | None = None,
        *,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        token: str | Path | None = None,
        settings: ClientSettings = ClientSettings(),
    ) -> None:
        self.address = address
        self._settings = settings
        self.access = Access(
            address, tls_ca=tls_ca, tls_cert=tls_cert, tls_key=tls_key, token=token
        )
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
                self._channel = None

    def models(self) -> list[Contract]:
        """Contracts of every version of every model that is served, by name and version.

        Raises:
            UnreachableError: no server answers.
        """
        response = self._call("ListModels", machine_health_pb2.ListModelsRequest())
        return [decode_model(model) for model in response.models]

    def labels(self) -> dict[tuple[str, int], list[str]]:
        """Labels of every version that is served, by its model's name and its number.

        Raises:
            UnreachableError: no server answers.
        """
        response = self._call("ListModels", machine_health_pb2.ListModelsRequest())
        return {(model.name, model.version): list(model.labels) for model in response.models}

    def model(self, name: str, version: int = 0, label: str = "") -> Contract:
        """Contract of one model, in a version, or in the one that a label names.

        Without both it is the version labelled stable, or, if there is none, the newest.

        Raises:
            NotFoundError: it is not served, or has no such label.
            InputError: both a version and a label.
            UnreachableError: no server answers.
        """
        request = machine_health_pb2.GetModelRequest(name=name, version=version, label=label)
        return decode_model(self._call("GetModel", request).model)

    def predict(
        self,
        blocks: Iterable[Block],
        *,
        model: str,
        version: int = 0,
        label: str = "",
        age_at_start_s: float = 0.0,
    ) -> Iterator[Estimate]:
        """Score a recording: an estimate for each full window, in order. Nothing is stored.

        version, label: as in `model`. age_at_start_s: operating time of the asset at block 0, in
        seconds.

        Raises:
            InputError, MismatchError, NotFoundError: what the server refused, and why.
            UnreachableError: no server answers, or the connection broke.
        """
        failures: list[Exception] = []
        start = machine_health_pb2.PredictStart(
            model=model, version=version, label=label, age_at_start_s=age_at_start_s
        )
        requests = self._predict_requests(start, blocks, failures)
        call = MachineHealthServiceStub(self._connect()).Predict(requests)
        try:
            for response in call:
                yield from decode_estimates(response.estimates)
        except grpc.RpcError as error:
            raise decode_error(error, self.address) from None
        finally:
            call.cancel()
        if failures:
            raise failures[0]

    def monitor(
        self,
        source: Source,
        *,
        asset: str,
        model: str | Sequence[str],
        version: int = 0,
        label: str = "",
        age_at_start_s: float = 0.0,
        stop: threading.Event | None = None,
        alarms: AlarmRules | None = None,
        alarms_by_tag: Mapping[str, AlarmRules] = MappingProxyType({}),
        received: Mapping[str, int] = MappingProxyType({}),
        acknowledged: int = -1,
    ) -> Iterator[Event]:
        """Follow one asset live, over as many connections as it takes; see `Monitor`.

        model: one, or several that answer about the same blocks; `Estimate.model` tells which one
        does. Blocks then have the channels of the first, and after those what the others add; see
        `wearcast.signals.panel.join_contracts`. version, label: of the first, as in `model`; a
        label counts when the stream begins, and the version that it names then is kept. stop: once
        it is set, no further block is sent, and the iterator ends with the answers to those that
        were. alarms: the server watches the stages of models of kind outlier by these rules, and
        alerts come too; alarms_by_tag: other rules for single detectors and channels, by "CHANNEL
        DETECTOR". received, acknowledged: to go on where an earlier iterator ended: of each model
        the block of the last estimate that came, and the last acknowledged one; -1: none.

        Raises:
            InputError, MismatchError, NotFoundError: what the server refused, and why.
            UnreachableError: no server answers at first, or more often than the settings allow, or
                at `stop`, with blocks sent that have no answer.
            ReplacedError: another stream follows the same asset now.
        """
        names = [model] if isinstance(model, str) else list(model)
        contracts = [
            self.model(name) if place else self.model(name, version, label)
            for place, name in enumerate(names)
        ]
        return Monitor(
            source,
            contracts,
            asset=asset,
            age_at_start_s=age_at_start_s,
            address=self.address,
            open_channel=self._open_channel,
            settings=self._settings.monitor,
            stop=stop or threading.Event(),
            alarms=alarms,
            alarms_by_tag=alarms_by_tag,
            received=received,
            acknowledged=acknowledged,
        ).run()

    def _open_channel(self) -> grpc.Channel:
        return self.access.open_channel(_OPTIONS)

    def _connect(self) -> grpc.Channel:
        with self._lock:
            if self._channel is None:
                channel = self._open_channel()
                timeout_s = self._settings.connect_timeout_s
                try:
                    grpc.channel_ready_future(channel).result(timeout_s)
                except grpc.FutureTimeoutError:
                    channel.close()
                    message = f"no server answers at {self.address} (waited {timeout_s:g} s)"
                    raise UnreachableError(message) from None
                self._channel = channel
            return self._channel

    def _call(self, method: str, request: object) -> Any:  # noqa: ANN401 - gRPC's stubs are untyped
        stub = MachineHealthServiceStub(self._connect())
        try:
            return getattr(stub, method)(request, timeout=self._settings.call_timeout_s)
        except grpc.RpcError as error:
            raise decode_error(error, self.address) from None

    def _predict_requests(
        self,
        start: machine_health_pb2.PredictStart,
        blocks: Iterable[Block],
        failures: list[Exception],
    ) -> Iterator[machine_health_pb2.PredictRequest]:
        """Requests; what goes wrong while reading blocks ends them, after those already read."""
        yield machine_health_pb2.PredictRequest(start=start)
        messages = (encode_block(block) for block in _until_failure(blocks, failures))
        while batch := list(itertools.islice(messages, self._settings.blocks_per_message)):
            yield machine_health_pb2.PredictRequest(blocks=samples_pb2.BlockBatch(blocks=batch))


def _until_failure(blocks: Iterable[Block], failures: list[Exception]) -> Iterator[Block]:
    # gRPC reads requests in a thread of its own: an exception there would only be logged.
    try:
        yield from blocks
    except Exception as error:  # noqa: BLE001 - it is raised again where the answers are read
        failures.append(error)
