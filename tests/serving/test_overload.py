"""A server with more to do than it can: who comes too late is told when to come again."""

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from running import running_server
from tiny_slow import ENDLESS, window_of, write_slow_model
from waiting import wait_until
from wire import TIMEOUT_S, failure

from wearcast.inference import open_inference_pb2 as inference
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub


@pytest.fixture(params=[1])
def channel(tmp_path, request):
    """A server with one worker, where so many rows may wait."""
    write_slow_model(tmp_path)
    with (
        running_server(tmp_path, "--workers", "1", "--waiting", str(request.param)) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield channel
        assert server.terminate() == 0


def request_of(value):
    request = inference.ModelInferRequest(model_name="slow")
    request.inputs.add(name="blocks", datatype="FP32", shape=[1, 3, 2, 64])
    request.raw_input_contents.append(window_of(value).tobytes())
    return request


def begun(stub):
    """How many requests have begun to run."""
    stats = stub.ModelStatistics(inference.ModelStatisticsRequest(name="slow"))
    return stats.model_stats[0].inference_stats.queue.count


def test_what_finds_no_room_is_told_when_to_come_again(channel):
    stub = GRPCInferenceServiceStub(channel)
    endless = stub.ModelInfer.future(request_of(ENDLESS))
    wait_until(lambda: begun(stub) == 1)
    calls = [stub.ModelInfer.future(request_of(0.5), timeout=TIMEOUT_S) for _ in range(2)]
    wait_until(lambda: any(call.done() for call in calls))
    calls.sort(key=lambda call: call.done())
    waiting, refused = calls
    got = failure(refused.exception())
    assert (got.code, got.reason) == (StatusCode.RESOURCE_EXHAUSTED, "BUSY")
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in rpc_status.from_call(refused).details)
    assert retry.retry_delay.ToMilliseconds() > 0
    health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    endless.cancel()
    assert waiting.result().model_name == "slow"


# The server may hear of the end of a call only after the next has come.
@pytest.mark.parametrize("channel", [4], indirect=True)
def test_a_call_whose_deadline_is_past_ends_its_run(channel):
    stub = GRPCInferenceServiceStub(channel)
    for _ in range(3):
        with pytest.raises(grpc.RpcError) as raised:
            stub.ModelInfer(request_of(ENDLESS), timeout=0.3)
        assert raised.value.code() == StatusCode.DEADLINE_EXCEEDED
    assert stub.ModelInfer(request_of(0.5), timeout=TIMEOUT_S).model_name == "slow"
