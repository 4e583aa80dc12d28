"""One asset's live stream over as many connections as it takes: nothing lost, nothing twice.

After a broken connection the server is told the last sequence whose estimate was received. It sends
again what it stored after that, and says from which block on it needs the readings.
"""

import queue
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import grpc

from wearcast.clients.decode import (
    Acknowledged,
    Notice,
    decode_alert,
    decode_estimates,
    decode_notice,
)
from wearcast.clients.encode import encode_block, encode_rules, encode_tag_rules
from wearcast.clients.errors import decode_error, is_passing
from wearcast.clients.source import Source
from wearcast.signals.alarm_rules import AlarmRules
from wearcast.signals.alerts import Alert
from wearcast.signals.contract import Contract
from wearcast.signals.errors import UnreachableError, WearcastError
from wearcast.signals.estimate import Estimate
from wearcast.signals.panel import join_contracts
from wearcast.v1 import alert_pb2, machine_health_pb2, samples_pb2
from wearcast.v1.machine_health_pb2_grpc import MachineHealthServiceStub

Event = Estimate | Alert | Notice | Acknowledged

_ENDED = "the server ended the stream"


@dataclass(frozen=True)
class MonitorSettings:
    """How a live stream reconnects.

    The wait before the n-th attempt in a row is `first_wait_s` x 2^(n-1), at most `longest_wait_s`,
    and between half and all of that, drawn at random so that many clients don't come at once.
    attempts: how many in a row may bring nothing new; None: for ever.
    """

    first_wait_s: float = 0.2
    longest_wait_s: float = 10.0
    attempts: int | None = None

    def wait_s(self, attempt: int) -> float:
        """How long to wait before an attempt, counted from 1."""
        longest_s = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(attempt - 1, 30))
        return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing


class Monitor:
    """The state that outlives a connection: what was received, and what was told."""

    def __init__(
        self,
        source: Source,
        contracts: Sequence[Contract],
        *,
        asset: str,
        age_at_start_s: float,
        address: str,
        open_channel: Callable[[], grpc.Channel],
        settings: MonitorSettings,
        stop: threading.Event,
        alarms: AlarmRules | None = None,
        alarms_by_tag: Mapping[str, AlarmRules] = MappingProxyType({}),
        received: Mapping[str, int] = MappingProxyType({}),
        acknowledged: int = -1,
    ) -> None:
        self._source = source
        self._alarms = None if alarms is None else encode_rules(alarms)
        self._alarms_by_tag = [encode_tag_rules(*item) for item in alarms_by_tag.items()]
        self._asset = asset
        self._age_at_start_s = age_at_start_s
        self._models = {contract.name: contract.version for contract in contracts}
        self._context = max(join_contracts(contracts).sequence - 1, 1)
        self._address = address
        self._open_channel = open_channel
        self._settings = settings
        self._stop = stop
        # Of each model, the last sequence whose estimate has come.
        self._received = {name: number for name, number in received.items() if number >= 0}
        self._sent = acknowledged
        self._acknowledged = acknowledged
        self._away = False
        self._noticed: set[Notice] = set()
        # Ids of the alerts that came, of each model, since its last estimate.
        self._alerted: dict[str, set[str]] = {}
        self._attempts = 0

    def run(self) -> Iterator[Event]:
        """Estimates, alerts, notices and acknowledgements, until the source ends or `stop` is set.

        Raises:
            UnreachableError: stopped while the server is away and has not answered all blocks.
        """
        while True:
            requests = _Requests(self._source, self._message_start(), self._stop)
            channel = self._open_channel()
            call = MachineHealthServiceStub(channel).Monitor(iter(requests))
            cause: WearcastError | None = None
            try:
                for response in call:
                    yield from self._read(response, requests)
            except grpc.RpcError as error:
                cause = decode_error(error, self._address)
                if not is_passing(error):
                    raise cause from None
            finally:
                requests.close()
                call.cancel()
                channel.close()
            self._sent = max(self._sent, requests.sent)
            if requests.ended and (cause is None or requests.all_stored):
                if requests.failure is not None:
                    raise requests.failure
                return
            self._attempts += 1
            allowed = self._settings.attempts
            if allowed is not None and self._attempts > allowed:
                text = f"{cause or _ENDED}; gave up, attempt {allowed}"
                raise UnreachableError(text)
            if not self._away:
                self._away = True
                yield Notice("RECONNECTING", None, f"{cause or _ENDED}; trying again")
            if self._stop.wait(self._settings.wait_s(self._attempts)):
                self._check_answered(cause)
                return

    def _check_answered(self, cause: WearcastError | None) -> None:
        if self._sent > self._acknowledged:
            blocks = f"blocks {self._acknowledged + 1} to {self._sent}"
            text = f"{cause or _ENDED}; stopped before {blocks} were answered"
            raise UnreachableError(text)

    def _message_start(self) -> machine_health_pb2.MonitorRequest:
        (model, version), *others = self._models.items()
        start = machine_health_pb2.MonitorStart(
            asset=self._asset,
            model=model,
            version=version,
            age_at_start_s=self._age_at_start_s,
            received_sequence=self._received.get(model),
            acknowledged_sequence=self._acknowledged if self._acknowledged >= 0 else None,
            further_models=[
                machine_health_pb2.FurtherModel(
                    model=name, version=number, received_sequence=self._received.get(name)
                )
                for name, number in others
            ],
            alarms=self._alarms,
            alarms_by_tag=self._alarms_by_tag,
        )
        return machine_health_pb2.MonitorRequest(start=start)

    def _read(self, response: Any, requests: "_Requests") -> Iterator[Any]:  # noqa: ANN401
        kind = response.WhichOneof("response")
        if kind == "started":
            requests.begin(response.started.next_sequence)
            if self._away:
                self._away = False
                yield Notice("RECONNECTED", None, f"server {self._address}: connected again")
        elif kind == "estimates":
            yield from self._read_estimates(response.estimates)
            if response.HasField("acknowledged_sequence"):
                yield self._note(response.acknowledged_sequence, requests)
        elif kind == "acknowledgement":
            yield self._note(response.acknowledgement.sequence, requests)
        elif kind == "alert":
            yield from self._read_alert(response.alert)
        elif kind == "notice":
            notice = decode_notice(response.notice)
            if notice.code == "DRAINING":
                requests.close()
            if notice not in self._noticed:
                self._noticed.add(notice)
                yield notice

    def _note(self, sequence: int, requests: "_Requests") -> Acknowledged:
        """All up to that block is stored."""
        requests.acknowledged = sequence
        self._acknowledged = max(self._acknowledged, sequence)
        self._attempts = 0
        self._source.release(sequence + 1 - self._context)
        return Acknowledged(sequence)

    def _read_estimates(self, batch: machine_health_pb2.EstimateBatch) -> Iterator[Estimate]:
        for estimate in decode_estimates(batch):
            if estimate.sequence > self._received.get(estimate.model, -1):
                self._received[estimate.model] = estimate.sequence
                self._alerted.pop(estimate.model, None)
                self._attempts = 0
                yield estimate

    def _read_alert(self, message: alert_pb2.Alert) -> Iterator[Alert]:
        # It comes before its estimate, and again if the connection breaks between the two.
        alert = decode_alert(message)
        alerted = self._alerted.setdefault(alert.model, set())
        if alert.id not in alerted:
            alerted.add(alert.id)
            yield alert


class _Requests:
    """The requests of one connection. gRPC reads them in a thread of its own."""

    def __init__(
        self, source: Source, start: machine_health_pb2.MonitorRequest, stop: threading.Event
    ) -> None:
        self._source = source
        self._start = start
        self._stop = stop
        self._next: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self.sent = -1
        self.ended = False
        self.acknowledged = -1
        self.failure: Exception | None = None

    def begin(self, next_sequence: int) -> None:
        """The server has said from where on it needs blocks."""
        self._next.put(next_sequence)

    def close(self) -> None:
        """Send nothing more."""
        self._closed.set()
        self._next.put(None)

    @property
    def all_stored(self) -> bool:
        """Whether the answers to all blocks that were sent have come."""
        return 0 <= self.sent <= self.acknowledged

    def __iter__(self) -> Iterator[machine_health_pb2.MonitorRequest]:
        yield self._start
        expected = self._next.get()
        if expected is None:
            return
        try:
            yield from self._blocks(expected)
        except Exception as error:  # noqa: BLE001 - raised again where the answers are read
            self.failure = error
            self.ended = True

    def _blocks(self, expected: int) -> Iterator[machine_health_pb2.MonitorRequest]:
        first = True
        for block in self._source.blocks(expected):
            if self._closed.is_set():
                return
            if self._stop.is_set():
                break
            if block is None:
                continue
            if first and block.sequence > expected:
                # The source has lost what the server still needs: say so instead of failing.
                block = replace(block, after_gap=True)  # noqa: PLW2901
            first = False
            self.sent = block.sequence
            batch = samples_pb2.BlockBatch(blocks=[encode_block(block)])
            yield machine_health_pb2.MonitorRequest(blocks=batch)
        self.ended = True
