"""A load generator: callers that ask a server again as soon as they have its answer.

One event loop serves all callers, so that the generator itself takes little of the machine:

load = await press([caller.ask for caller in callers], seconds=5.0)
load.requests_per_s, load.quantile_s(0.99)
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import numpy as np
from numpy.typing import NDArray

from wearcast.clients.access import Metadata
from wearcast.clients.encode import encode_block
from wearcast.inference import open_inference_pb2
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError
from wearcast.signals.series import Block, Series
from wearcast.v1 import machine_health_pb2, samples_pb2

Ask = Callable[[], Awaitable[None]]

_INFER = "/inference.GRPCInferenceService/ModelInfer"
_STREAM_INFER = "/inference.GRPCInferenceService/ModelStreamInfer"
_PREDICT = "/wearcast.v1.MachineHealthService/Predict"
_START_US = 1_700_000_000_000_000
_WEEK_MIN = 10_080
# Chosen: who is refused does not ask again at once, so that refusals don't become the load.
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it in the measured time.

    latencies_s: float64 (n,), from a request to its whole answer, of those answered. errors: how
    often each gRPC status came instead. cpu_s: time of processors that this process took, and
    metered: what each meter rose by.
    """

    seconds: float
    latencies_s: NDArray[np.float64]
    errors: dict[str, int]
    cpu_s: float
    metered: tuple[float, ...] = ()

    @property
    def requests_per_s(self) -> float:
        """Those that were answered."""
        return len(self.latencies_s) / self.seconds

    def quantile_s(self, probability: float) -> float:
        """So long took that share of the requests at most; NaN if none was answered."""
        if not len(self.latencies_s):
            return float("nan")
        return float(np.quantile(self.latencies_s, probability))


async def press(
    asks: Sequence[Ask],
    *,
    seconds: float,
    warm_s: float = 0.5,
    meters: Sequence[Callable[[], float]] = (),
) -> Load:
    """Let callers ask for `warm_s`, which does not count, and then for `seconds`.

    asks: one a caller; each makes one request and returns with its whole answer. meters: read at
    both ends of the measured time. What is under way at the end is waited for, and not counted.
    """
    latencies_s: list[float] = []
    errors: Counter[str] = Counter()
    begin_s = time.perf_counter() + warm_s
    end_s = begin_s + seconds

    async def call(ask: Ask) -> None:
        while (asked_s := time.perf_counter()) < end_s:
            error = ""
            try:
                await ask()
            except grpc.aio.AioRpcError as failure:
                error = failure.code().name
            answered_s = time.perf_counter()
            if begin_s <= answered_s < end_s:
                if error:
                    errors[error] += 1
                else:
                    latencies_s.append(answered_s - asked_s)
            if error:
                await asyncio.sleep(_PAUSE_S)

    async def watch() -> list[float]:
        read = (time.perf_counter, time.process_time, *meters)
        await asyncio.sleep(begin_s - time.perf_counter())
        before = [meter() for meter in read]
        await asyncio.sleep(end_s - time.perf_counter())
        return [meter() - was for meter, was in zip(read, before, strict=True)]

    watching = asyncio.create_task(watch())
    await asyncio.gather(*map(call, asks))
    rises = await watching
    measured_s, cpu_s, *metered = rises
    return Load(measured_s, np.array(latencies_s), dict(errors), cpu_s, tuple(metered))


def make_request(contract: Contract, rows: int, *, seed: int = 0) -> bytes:
    """A request of the Open Inference Protocol with `rows` windows of noise."""
    shape = (rows, contract.sequence, len(contract.channels), contract.window)
    noise = np.random.default_rng(seed)
    request = open_inference_pb2.ModelInferRequest(
        model_name=contract.name, model_version=str(contract.version)
    )
    request.inputs.add(name="blocks", datatype="FP32", shape=shape)
    request.raw_input_contents.append(noise.standard_normal(shape, np.float32).tobytes())
    if contract.time_zone is not None:
        minutes = noise.integers(0, _WEEK_MIN, rows).astype("<f4")
        request.inputs.add(name="minute_of_week", datatype="FP32", shape=[rows])
        request.raw_input_contents.append(minutes.tobytes())
    content: bytes = request.SerializeToString()
    return content


class UnaryCaller:
    """Sends the same request again and again, each as a call of its own."""

    def __init__(self, channel: grpc.aio.Channel, request: bytes, metadata: Metadata = ()) -> None:
        # Without serialisers bytes go out and come in as they are.
        self._call = channel.unary_unary(_INFER)
        self._request = request
        self._metadata = metadata

    async def ask(self) -> None:
        """One request."""
        await self._call(self._request, metadata=self._metadata)


class _StreamCaller:
    """Asks on one stream, which is opened at the first request, and anew after one that failed.

    gRPC itself says INTERNAL in place of the server's status where it ends a stream while something
    is being written to it.
    """

    def __init__(self, stream: Callable[[], Any]) -> None:
        self._open = stream
        self._stream: Any = None

    async def ask(self) -> None:
        """One request."""
        stream = self._stream
        try:
            if stream is None:
                stream = self._stream = self._open()
                await self._begin(stream)
            await self._ask(stream)
        except asyncio.InvalidStateError:  # the stream has ended, and says why when it is read
            self._stream = None
            await self._fail(stream)
        except grpc.aio.AioRpcError:
            self._stream = None
            raise

    async def _begin(self, stream: Any) -> None:  # noqa: ANN401
        """What is sent before the first request."""

    async def _ask(self, stream: Any) -> None:  # noqa: ANN401
        raise NotImplementedError

    async def _read(self, stream: Any) -> Any:  # noqa: ANN401
        response = await stream.read()
        if response is grpc.aio.EOF:
            await self._fail(stream)
        return response

    async def _fail(self, stream: Any) -> None:  # noqa: ANN401
        raise grpc.aio.AioRpcError(
            await stream.code(),
            await stream.initial_metadata(),
            await stream.trailing_metadata(),
            await stream.details(),
        )


class OpenStreamCaller(_StreamCaller):
    """Sends the same request again and again on a ModelStreamInfer stream."""

    def __init__(self, channel: grpc.aio.Channel, request: bytes, metadata: Metadata = ()) -> None:
        call = channel.stream_stream(
            _STREAM_INFER,
            response_deserializer=open_inference_pb2.ModelStreamInferResponse.FromString,
        )
        super().__init__(lambda: call(metadata=metadata))
        self._request = request

    async def _ask(self, stream: Any) -> None:  # noqa: ANN401
        await stream.write(self._request)
        response = await self._read(stream)
        if response.error_message:
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNKNOWN, (), (), response.error_message)


class PredictCaller(_StreamCaller):
    """Sends blocks of a recording without end on a Predict stream, `rows` windows at a time.

    Raises:
        InputError: no rows.
    """

    def __init__(
        self, channel: grpc.aio.Channel, contract: Contract, rows: int, metadata: Metadata = ()
    ) -> None:
        if rows < 1:
            raise InputError("rows", "1 or more", rows)
        call = channel.stream_stream(
            _PREDICT,
            request_serializer=machine_health_pb2.PredictRequest.SerializeToString,
            response_deserializer=machine_health_pb2.PredictResponse.FromString,
        )
        super().__init__(lambda: call(metadata=metadata))
        self._contract = contract
        self._rows = rows
        shape = (len(contract.channels), contract.window)
        self._values = np.random.default_rng(0).standard_normal(shape, np.float32)

    async def _begin(self, stream: Any) -> None:  # noqa: ANN401
        # It tells which blocks lead to an answer, as it does in the server.
        self._series = Series(self._contract)
        start = machine_health_pb2.PredictStart(
            model=self._contract.name, version=self._contract.version
        )
        await stream.write(machine_health_pb2.PredictRequest(start=start))

    async def _ask(self, stream: Any) -> None:  # noqa: ANN401
        batch = samples_pb2.BlockBatch()
        due = 0
        while due < self._rows:
            number = self._series.next_sequence
            start_us = _START_US + round(number * self._contract.hop_s * 1e6)
            block = Block(number, start_us, self._contract.sample_rate_hz, self._values)
            batch.blocks.append(encode_block(block))
            due += self._series.push(block) is not None
        await stream.write(machine_health_pb2.PredictRequest(blocks=batch))
        while due > 0:
            response = await self._read(stream)
            due -= len(response.estimates.estimates)
