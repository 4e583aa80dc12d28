"""Messages of all kinds of wrong, to every method: each is answered with what is wrong in it."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from every_method import BLOCKS, SPARE, Method, infer_request, list_methods
from footprint import footprint_of, needs_proc
from google.protobuf.message import Message
from grpc import StatusCode
from malforming import distort
from oracle import naive_estimates
from running import RunningServer, running_server
from tiny import tiny_contract, write_tiny_model
from tiny_plant import write_plant_models
from waiting import wait_until
from wire import OpenStream, estimates_of, failure

from wearcast.inference import open_inference_pb2 as inference
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from wearcast.v1 import machine_health_pb2 as pb

METHODS = list_methods()
OTHER_PATHS = (
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
WARM = 2_000
AT_ONCE = 16
TIMEOUT_S = 120
# INTERNAL and UNKNOWN: the server met what it did not expect. UNAVAILABLE: it is gone.
NEVER = {StatusCode.INTERNAL, StatusCode.UNKNOWN, StatusCode.UNAVAILABLE, StatusCode.CANCELLED}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that must not have met an error that it did not expect."""
    folder = tmp_path_factory.mktemp("malformed")
    models, log = folder / "models", folder / "log"
    write_tiny_model(models)
    write_tiny_model(models, tiny_contract(SPARE))
    write_plant_models(models)
    with running_server(models, "--store", str(folder / "store"), log=log) as server:
        yield server
        assert server.terminate() == 0
    text = log.read_text()
    assert "ERROR" not in text, text[-5000:]
    assert "Traceback" not in text, text[-5000:]


def call(channel: grpc.Channel, method: Method, messages: list[bytes]) -> StatusCode:
    """How the call ends."""
    try:
        if method.is_stream:
            for response in channel.stream_stream(method.path)(iter(messages), timeout=TIMEOUT_S):
                if method.path.endswith("/ModelStreamInfer"):
                    answer = inference.ModelStreamInferResponse.FromString(response)
                    assert "internal error" not in answer.error_message
        else:
            channel.unary_unary(method.path)(messages[0], timeout=TIMEOUT_S)
    except grpc.RpcError as error:
        got = failure(error)
        # With a reason it is from us: a deadline in the message, and not ours as it hangs.
        assert got.code not in NEVER, got
        assert got.reason, got
        return got.code
    return StatusCode.OK


def follow(asset: str, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages of a Monitor stream, for another asset."""
    start = pb.MonitorRequest()
    start.CopyFrom(messages[0])
    start.start.asset = asset
    return (start, *messages[1:])


def make_call(method: Method, number: int, chance: random.Random) -> list[bytes]:
    """The messages of a call, of which one is wrong and those before it are as they should be."""
    messages = chance.choice(method.calls)
    if method.path.endswith("/Monitor"):  # of an asset that no other call follows
        messages = follow(f"asset {number}", messages)
    place = chance.randrange(len(messages))
    made = [message.SerializeToString() for message in messages]
    made[place] = distort(messages[place], chance)
    return made


def send(address: str, numbers: range) -> Counter[tuple[str, StatusCode]]:
    """Send the calls of these numbers, in turn to each method; how they ended."""
    with grpc.insecure_channel(address) as channel, ThreadPoolExecutor(AT_ONCE) as threads:

        def work(number: int) -> tuple[str, StatusCode]:
            method = METHODS[number % len(METHODS)]
            messages = make_call(method, number, random.Random(number))
            return method.path, call(channel, method, messages)

        return Counter(threads.map(work, numbers))


def check_answers(address: str) -> None:
    """The server still answers, and answers right."""
    with grpc.insecure_channel(address) as channel:
        answer = GRPCInferenceServiceStub(channel).ModelInfer(infer_request(), timeout=TIMEOUT_S)
        assert np.frombuffer(answer.raw_output_contents[0], "<f4").tolist() == [0.5]
        for method in ("Predict", "Monitor"):
            stream = OpenStream(
                channel, method, **({"asset": "right"} if method == "Monitor" else {})
            )
            stream.send(*BLOCKS)
            got = [it.remaining_life.life_fraction for it in estimates_of(stream.finish())]
            wanted = [it.answer.life_fraction for it in naive_estimates(BLOCKS)]
            np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_requests_as_they_should_be_are_answered(server: RunningServer) -> None:
    with grpc.insecure_channel(server.address) as channel:
        for method in METHODS:
            for messages in method.calls:
                made = [message.SerializeToString() for message in messages]
                assert call(channel, method, made) == StatusCode.OK, method.path


@pytest.mark.parametrize("path", [*(method.path for method in METHODS), *OTHER_PATHS])
def test_bytes_that_are_no_message(server: RunningServer, path: str) -> None:
    """Also of methods whose message has no field: their bytes are read all the same."""
    with grpc.insecure_channel(server.address) as channel:
        answers = channel.stream_stream(path)(
            iter([b"\x0a\xff\xff\xff\xff\x07"]), timeout=TIMEOUT_S
        )
        with pytest.raises(grpc.RpcError) as raised:
            next(answers)
        got = failure(raised.value)
    assert (got.code, got.reason) == (StatusCode.INVALID_ARGUMENT, "MALFORMED")


@pytest.mark.parametrize("method", ["Monitor", "Predict"])
def test_what_came_before_bytes_that_are_no_message_is_answered(
    server: RunningServer, method: str
) -> None:
    path = f"/wearcast.v1.MachineHealthService/{method}"
    (messages, *_) = next(it.calls for it in METHODS if it.path == path)
    if method == "Monitor":
        messages = follow("before", messages)
    made = [*(message.SerializeToString() for message in messages), b"\xff"]
    response = pb.MonitorResponse if method == "Monitor" else pb.PredictResponse
    with grpc.insecure_channel(server.address) as channel:
        answers = channel.stream_stream(path, response_deserializer=response.FromString)
        got = []
        with pytest.raises(grpc.RpcError) as raised:  # noqa: PT012
            for answer in answers(iter(made), timeout=TIMEOUT_S):
                got.append(answer)  # noqa: PERF402  # what came before the error counts
    assert failure(raised.value).reason == "MALFORMED"
    assert [item.sequence for item in estimates_of(got)] == [2, 3, 4, 5]


@needs_proc
@pytest.mark.parametrize("messages", [3_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_malformed_messages(server: RunningServer, messages: int) -> None:
    send(server.address, range(WARM))
    before = footprint_of(server.process.pid)
    ends = send(server.address, range(WARM, WARM + messages))
    # It may not have heard yet that the connection is closed.
    most = before.descriptors + 4
    wait_until(lambda: footprint_of(server.process.pid).descriptors <= most)
    after = footprint_of(server.process.pid)
    assert ends.total() == messages
    refused = {path for path, code in ends if code != StatusCode.OK}
    assert refused == {method.path for method in METHODS}
    assert after.memory_mib < before.memory_mib + 32
    check_answers(server.address)
