"""Clients that stop in the middle, a thousand times: nothing of them stays."""

import random
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from every_method import Method, infer_request, list_methods
from footprint import Footprint, footprint_of, needs_proc
from raw_http2 import headers_frame, message_frame, read_answer, send_and_vanish
from running import RunningServer, running_server
from tiny import write_tiny_model
from tiny_plant import write_plant_models
from tiny_slow import ENDLESS, write_slow_model
from waiting import wait_until
from wire import TIMEOUT_S, OpenStream, failure

from wearcast.inference import open_inference_pb2 as inference
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub

TIMES = 1000
WARM = 200
# Few of each, so that what is not given back is soon missed.
STREAMS = 16
ROWS = 8
METHODS = {
    method.path.rpartition("/")[2]: method
    for method in list_methods()
    if method.path.rpartition("/")[2]
    in {"Monitor", "Predict", "Ingest", "ModelInfer", "ModelStreamInfer"}
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with little room, that must not have met an error that it did not expect."""
    folder = tmp_path_factory.mktemp("aborts")
    models, log, config = folder / "models", folder / "log", folder / "wearcast.toml"
    write_tiny_model(models)
    write_plant_models(models)
    write_slow_model(models)
    config.write_text(f"max_streams = {STREAMS}\nwaiting = {ROWS}\nworkers = 1\n")
    flags = ("--config", str(config), "--store", str(folder / "store"))
    with running_server(models, *flags, log=log) as server:
        yield server
        assert server.terminate() == 0
    text = log.read_text()
    assert "ERROR" not in text, text[-5000:]
    assert "Traceback" not in text, text[-5000:]


def cut_off(address: str, method: Method, chance: random.Random) -> None:
    """Begin a call by hand, and vanish anywhere in it."""
    messages = chance.choice(method.calls)
    content = headers_frame(method.path)
    for message in messages:
        content += message_frame(message.SerializeToString())
    place = chance.randrange(len(content))
    send_and_vanish(address, content[:place], reset=chance.random() < 0.5)


def cancel(channel: grpc.Channel, method: Method, chance: random.Random) -> None:
    """Begin a call, and cancel it after some messages."""
    messages = chance.choice(method.calls)
    if not method.is_stream:
        call = channel.unary_unary(method.path).future(messages[0].SerializeToString())
        call.cancel()
        return
    sent = messages[: chance.randint(0, len(messages))]
    contents = (message.SerializeToString() for message in sent)
    answers = channel.stream_stream(method.path)(contents, timeout=TIMEOUT_S)
    if len(sent) == len(messages) and chance.random() < 0.5:
        try:
            next(answers)
        except grpc.RpcError as error:
            if failure(error).reason != "BUSY":  # those before have not given their places back yet
                raise
    answers.cancel()


def begun(stub: GRPCInferenceServiceStub) -> int:
    """How many requests have begun to run."""
    stats = stub.ModelStatistics(inference.ModelStatisticsRequest(name="slow"))
    return stats.model_stats[0].inference_stats.queue.count


def endless_request() -> inference.ModelInferRequest:
    request = infer_request(ENDLESS)
    request.model_name = "slow"
    return request


def check_nothing_stayed(server: RunningServer, before: Footprint) -> None:
    """All places are free, memory is flat, and what was opened is closed."""
    with grpc.insecure_channel(server.address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        wait_until(lambda: can_open_all(channel))
        wait_until(lambda: are_answered(stub))
        slow = infer_request(0.25)
        slow.model_name = "slow"
        output = stub.ModelInfer(slow, timeout=TIMEOUT_S).raw_output_contents[0]
        assert np.frombuffer(output, "<f4").tolist() == [0.25]

    def is_small() -> bool:
        after = footprint_of(server.process.pid)
        return (
            after.descriptors <= before.descriptors
            and after.memory_mib < before.memory_mib + 16
            and after.threads <= before.threads + 4
        )

    # It may not have heard of the last ones yet.
    wait_until(is_small, told=lambda: f"{before} became {footprint_of(server.process.pid)}")


def are_answered(stub: GRPCInferenceServiceStub) -> bool:
    """As many rows as may wait; not so while others still do."""
    answers = [stub.ModelInfer.future(infer_request(), timeout=TIMEOUT_S) for _ in range(ROWS)]
    refused = [error for answer in answers if (error := answer.exception()) is not None]
    assert all(failure(error).reason == "BUSY" for error in refused)
    good = [answer.result() for answer in answers if answer.exception() is None]
    outputs = [np.frombuffer(answer.raw_output_contents[0], "<f4").tolist() for answer in good]
    assert outputs == [[0.5]] * len(good)
    return not refused


def can_open_all(channel: grpc.Channel) -> bool:
    streams = [OpenStream(channel, "Monitor", asset=f"place {number}") for number in range(STREAMS)]
    try:
        for stream in streams:
            stream.open()
    except grpc.RpcError:
        return False
    finally:
        for stream in streams:
            stream.hang_up()
    return True


def test_frames_by_hand_are_understood(server: RunningServer) -> None:
    """Else a cut-off call would be no call at all."""
    method = METHODS["Predict"]
    content = headers_frame(method.path)
    for message in method.calls[0]:
        content += message_frame(message.SerializeToString())
    wrong = read_answer(server.address, content + message_frame(b"\xff"))
    assert b"bytes that are none" in wrong
    assert b"tiny" in wrong  # the estimates that came before


@needs_proc
@pytest.mark.parametrize("name", METHODS)
def test_connections_that_end_in_the_middle_of_a_frame(server: RunningServer, name: str) -> None:
    chance = random.Random(name)
    for _ in range(WARM // len(METHODS)):
        cut_off(server.address, METHODS[name], chance)
    before = footprint_of(server.process.pid)
    for _ in range(TIMES):
        cut_off(server.address, METHODS[name], chance)
    check_nothing_stayed(server, before)


@needs_proc
@pytest.mark.parametrize("name", METHODS)
def test_calls_that_are_cancelled(server: RunningServer, name: str) -> None:
    chance = random.Random(name)
    with grpc.insecure_channel(server.address) as channel:
        for _ in range(WARM // len(METHODS)):
            cancel(channel, METHODS[name], chance)
        before = footprint_of(server.process.pid)
        for _ in range(TIMES):
            cancel(channel, METHODS[name], chance)
    check_nothing_stayed(server, before)


@needs_proc
def test_runs_that_nobody_waits_for_any_more(server: RunningServer) -> None:
    """Of each, one row runs and others wait, until their clients go."""
    before = footprint_of(server.process.pid)
    with grpc.insecure_channel(server.address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        for _ in range(TIMES // 20):
            count = begun(stub)
            calls = [stub.ModelInfer.future(endless_request()) for _ in range(ROWS // 2)]
            wait_until(lambda count=count: begun(stub) > count)
            for call in calls:
                call.cancel()
    check_nothing_stayed(server, before)
