"""A client made of the bare stubs, to say exactly what a test wants said."""

import queue
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from wearcast.signals.series import Block
from wearcast.v1 import machine_health_pb2 as pb
from wearcast.v1 import samples_pb2
from wearcast.v1.machine_health_pb2_grpc import MachineHealthServiceStub

TIMEOUT_S = 120


def block_message(block: Block, **changes: Any) -> samples_pb2.Block:
    message = samples_pb2.Block(
        sequence=block.sequence,
        sample_rate_hz=block.sample_rate_hz,
        channels=len(block.values),
        format=samples_pb2.SAMPLE_FORMAT_FLOAT32_LE,
        data=block.values.astype("<f4").tobytes(),
        after_gap=block.after_gap,
        quality=[samples_pb2.QUALITY_FLAG_FILLED] if block.filled else [],
    )
    message.start_time.FromMicroseconds(block.start_us)
    message.MergeFrom(samples_pb2.Block(**changes))
    return message


class Failure(NamedTuple):
    """How a call ended, and what its details say."""

    code: grpc.StatusCode
    text: str
    reason: str
    field: str


def failure(error: grpc.RpcError) -> Failure:
    reason = field = ""
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            assert info.domain == "wearcast"
            reason = info.reason
        elif detail.Unpack(bad):
            field = bad.field_violations[0].field
    return Failure(error.code(), error.details(), reason, field)


class OpenStream:
    """A Monitor or Predict stream that says what it is told to, when it is told."""

    def __init__(
        self,
        channel: grpc.Channel,
        method: str,
        *,
        start: bool = True,
        metadata: Sequence[tuple[str, str]] = (),
        **named: Any,
    ):
        self.method = method
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._request = pb.MonitorRequest if method == "Monitor" else pb.PredictRequest
        if start:
            message = pb.MonitorStart if method == "Monitor" else pb.PredictStart
            self.send_raw(start=message(model=named.pop("model", "tiny"), **named))
        call = getattr(MachineHealthServiceStub(channel), method)
        requests = iter(self._outbox.get, None)
        self.call = call(requests, timeout=TIMEOUT_S, metadata=metadata)
        if start and method == "Monitor":
            self.started: pb.MonitorStarted | None = None

    def open(self) -> "OpenStream":
        """Wait for `started`."""
        self.started = next(self.call).started
        return self

    def send_raw(self, **request: Any) -> None:
        self._outbox.put(self._request(**request))

    def send(self, *blocks: Block | samples_pb2.Block) -> None:
        messages = [
            item if isinstance(item, samples_pb2.Block) else block_message(item) for item in blocks
        ]
        self.send_raw(blocks=samples_pb2.BlockBatch(blocks=messages))

    def finish(self) -> list[Any]:
        """Say no more, and read to the end."""
        self._outbox.put(None)
        return list(self.call)

    def hang_up(self) -> None:
        self._outbox.put(None)
        self.call.cancel()

    def responses_until(self, sequence: int) -> list[Any]:
        """Responses up to the acknowledgement of a block, or the estimate of one (Predict)."""
        responses = []
        for response in self.call:
            responses.append(response)
            if self.method == "Predict":
                done = response.estimates.estimates[-1].sequence >= sequence
            else:
                done = acknowledged_by(response) >= sequence > 0
            if done:
                return responses
        raise AssertionError(f"the stream ended before {sequence}: {responses}")

    def fail(self) -> tuple[list[Any], Failure]:
        """What came before the stream failed, and how it failed."""
        responses = []
        try:
            for response in self.call:
                responses.append(response)  # noqa: PERF402  # what came before the error counts
        except grpc.RpcError as error:
            self._outbox.put(None)
            return responses, failure(error)
        raise AssertionError(f"the stream ended well: {responses}")


def acknowledged_by(response: pb.MonitorResponse) -> int:
    """How far everything is stored; -1 where it does not say."""
    if response.HasField("acknowledged_sequence"):
        return response.acknowledged_sequence
    return response.acknowledgement.sequence if response.HasField("acknowledgement") else -1


def estimates_of(responses: list[Any]) -> list[Any]:
    return [item for response in responses for item in response.estimates.estimates]


def notices_of(responses: list[Any]) -> list[pb.Notice]:
    return [response.notice for response in responses if response.HasField("notice")]


def batches(blocks: list[Block], size: int) -> Iterator[list[Block]]:
    for start in range(0, len(blocks), size):
        yield blocks[start : start + size]
