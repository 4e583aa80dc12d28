"""ModelStreamInfer: in order, bounded, and told when the server goes away."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc import StatusCode
from numpy.typing import NDArray
from running import running_server
from tiny import mean_abs_fraction
from waiting import wait_until
from wire import Failure, failure

from wearcast.inference import open_inference_pb2 as pb
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub

TIMEOUT_S = 200


def windows_of(rows: int, seed: int) -> NDArray[np.float32]:
    size = np.float32(0.1 + seed % 17 / 20)
    return np.random.RandomState(seed).uniform(-size, size, (rows, 3, 2, 64)).astype(np.float32)


def make_request(identity: int, rows: int = 1) -> pb.ModelInferRequest:
    windows = windows_of(rows, identity)
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="blocks", datatype="FP32", shape=windows.shape
    )
    return pb.ModelInferRequest(
        model_name="tiny",
        id=str(identity),
        inputs=[tensor],
        raw_input_contents=[windows.tobytes()],
    )


def check(answer: pb.ModelStreamInferResponse, identity: int, rows: int = 1) -> None:
    assert answer.error_message == ""
    response = answer.infer_response
    assert response.id == str(identity)
    assert response.parameters["triton_final_response"].bool_param
    got = np.frombuffer(response.raw_output_contents[0], "<f4")
    expected = mean_abs_fraction(windows_of(rows, identity))
    np.testing.assert_allclose(got, expected, atol=1e-5)


def read_to_failure(call: Any) -> tuple[list[pb.ModelStreamInferResponse], Failure]:
    """The answers that came, and how the stream failed then."""
    answers = []
    try:
        for answer in call:
            answers.append(answer)  # noqa: PERF402  # what came before the error counts
    except grpc.RpcError as error:
        return answers, failure(error)
    raise AssertionError(f"the stream ended well: {answers}")


class Outbox:
    """What a client sends when it is told to."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._messages.get, None)

    def put(self, *messages: Any) -> None:
        for message in messages:
            self._messages.put(message)

    def close(self) -> None:
        self._messages.put(None)


def test_large_and_small_requests_are_answered_in_order(stub: GRPCInferenceServiceStub) -> None:
    # Of 64 requests at once some would be refused, as more than 1,024 rows would wait.
    sizes = [int(rows) for rows in np.random.RandomState(3).choice([1, 2, 7, 60, 70], 400)]
    requests = (make_request(number, rows) for number, rows in enumerate(sizes))
    answers = list(stub.ModelStreamInfer(requests, timeout=TIMEOUT_S))
    assert len(answers) == len(sizes)
    for number, (rows, answer) in enumerate(zip(sizes, answers, strict=True)):
        check(answer, number, rows)


def test_an_answer_does_not_wait_for_the_next_request(stub: GRPCInferenceServiceStub) -> None:
    outbox = Outbox()
    answers = stub.ModelStreamInfer(iter(outbox), timeout=TIMEOUT_S)
    for number in range(5):
        outbox.put(make_request(number))
        check(next(answers), number)
    outbox.close()
    assert list(answers) == []


def test_errors_say_whose_they_are_and_the_stream_goes_on(stub: GRPCInferenceServiceStub) -> None:
    requests = [make_request(number) for number in range(6)]
    requests[1].inputs[0].datatype = "INT8"
    requests[3].model_name = "nobody"
    requests[4].parameters["timeout"].int64_param = 1
    answers = list(stub.ModelStreamInfer(iter(requests), timeout=TIMEOUT_S))
    for number in (0, 2, 5):
        check(answers[number], number)
    for number, text in ((1, "inputs[0].datatype"), (3, "nobody"), (4, "deadline")):
        assert text in answers[number].error_message
        assert answers[number].infer_response == pb.ModelInferResponse(id=str(number))


def test_a_slow_reader_is_read_slowly(stub: GRPCInferenceServiceStub) -> None:
    # Ids come back, so that answers which nobody reads would fill memory: 20 GB here.
    count, sent = 20_000, 0
    padding = "x" * 1_000_000

    def requests() -> Iterator[pb.ModelInferRequest]:
        nonlocal sent
        for number in range(count):
            request = make_request(number)
            request.id = padding
            sent = number + 1
            yield request

    call = stub.ModelStreamInfer(requests(), timeout=TIMEOUT_S)
    for _ in range(3):
        assert next(call).infer_response.id == padding
    # A second client has all the server's attention meanwhile.
    for number in range(200):
        response = stub.ModelInfer(make_request(number), timeout=TIMEOUT_S)
        assert response.id == str(number)
    stuck = sent
    call.cancel()
    assert stuck < 500


def test_a_client_that_hangs_up_leaves_nothing_behind(stub: GRPCInferenceServiceStub) -> None:
    for number in range(50):
        outbox = Outbox()
        call = stub.ModelStreamInfer(iter(outbox), timeout=TIMEOUT_S)
        outbox.put(*(make_request(number, 60) for _ in range(20)))
        next(call)
        call.cancel()
        outbox.close()
    # The fixture of the server looks for what went wrong in its log.
    wait_until(lambda: is_answered(stub))


def is_answered(stub: GRPCInferenceServiceStub) -> bool:
    """Not so while rows of streams that were hung up still wait."""
    try:
        return stub.ModelInfer(make_request(1), timeout=TIMEOUT_S).id == "1"
    except grpc.RpcError as error:
        if failure(error).reason != "BUSY":
            raise
        return False


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_streams_end_when_the_server_goes_away(tiny_models: Path, *, busy: bool) -> None:
    with (
        running_server(tiny_models) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        outbox = Outbox()
        call = GRPCInferenceServiceStub(channel).ModelStreamInfer(iter(outbox), timeout=TIMEOUT_S)
        outbox.put(make_request(0))
        check(next(call), 0)
        stopping = threading.Event()

        def send() -> None:
            number = 1
            while not stopping.is_set():
                outbox.put(make_request(number))
                number += 1
                stopping.wait(0.001)

        sender = threading.Thread(target=send)
        if busy:
            sender.start()
            check(next(call), 1)
        assert server.terminate() == 0
        answers, got = read_to_failure(call)
        for number, answer in enumerate(answers, start=2 if busy else 1):
            check(answer, number)
        stopping.set()
        outbox.close()
        if busy:
            sender.join()
    assert (got.code, got.reason) == (StatusCode.UNAVAILABLE, "DRAINING")
