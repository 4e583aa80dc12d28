"""The log of a real server, and the request id that ties a call to it."""

import json

import grpc
import pytest
from grpc import StatusCode
from running import running_server
from scraping import METRICS
from waiting import wait_until
from wire import OpenStream

from wearcast.inference import open_inference_pb2 as inference
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub

ID = "x-request-id"


def lines_of(log):
    """Those that are whole: the server may be writing one."""
    *lines, _ = log.read_text().split("\n")
    return [json.loads(line) for line in lines]


def id_of(call):
    (found,) = [value for key, value in call.trailing_metadata() if key == ID]
    return found


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def test_json_has_a_line_for_each_call(tiny_models, log):
    flags = ("--log-format", "json", "--log-calls")
    with (
        running_server(tiny_models, *flags, log=log) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = GRPCInferenceServiceStub(channel)
        named = stub.ServerLive.with_call(
            inference.ServerLiveRequest(), metadata=[(ID, "order 7")]
        )[1]
        unnamed = stub.ServerLive.with_call(inference.ServerLiveRequest())[1]
        with pytest.raises(grpc.RpcError) as raised:
            stub.ModelMetadata(inference.ModelMetadataRequest(name="gone"))
        ids = [id_of(call) for call in (named, unnamed, raised.value)]
        wait_until(lambda: sum("method" in line for line in lines_of(log)) == 3)
    lines = lines_of(log)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    ended = [line for line in lines if "method" in line]
    assert ids[0] == "order 7"
    assert [line["request_id"] for line in ended] == ids
    assert len(set(ids)) == 3
    assert [line["code"] for line in ended] == ["OK", "OK", "NOT_FOUND"]
    service = "inference.GRPCInferenceService"
    assert [line["method"] for line in ended] == [
        f"{service}/{name}" for name in ("ServerLive", "ServerLive", "ModelMetadata")
    ]
    assert all(line["duration_s"] >= 0 for line in ended)


def test_an_id_that_is_too_long_is_replaced(tiny_server):
    with grpc.insecure_channel(tiny_server.address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        call = stub.ServerLive.with_call(
            inference.ServerLiveRequest(), metadata=[(ID, "x" * 1000)]
        )[1]
        assert len(id_of(call)) == 16


def test_who_names_no_id_hears_of_it_only_if_the_call_fails(tiny_server):
    with grpc.insecure_channel(tiny_server.address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        call = stub.ServerLive.with_call(inference.ServerLiveRequest())[1]
        assert ID not in dict(call.trailing_metadata())
        with pytest.raises(grpc.RpcError) as raised:
            stub.ModelMetadata(inference.ModelMetadataRequest(name="gone"))
        assert len(id_of(raised.value)) == 16


def test_streams_have_an_id_too(tiny_server):
    with grpc.insecure_channel(tiny_server.address) as channel:
        stream = OpenStream(channel, "Predict")
        stream.finish()
        assert len(id_of(stream.call)) == 16
        stream = OpenStream(channel, "Predict", model="gone")
        assert stream.fail()[1].code == StatusCode.NOT_FOUND
        assert len(id_of(stream.call)) == 16


def test_text_is_the_default_and_tells_no_calls(tiny_models, log):
    with running_server(tiny_models, *METRICS, log=log) as server:
        with grpc.insecure_channel(server.address) as channel:
            GRPCInferenceServiceStub(channel).ServerLive(inference.ServerLiveRequest())
        assert server.terminate() == 0
    text = log.read_text()
    assert f"INFO metrics on http://{server.metrics}/metrics" in text
    assert "ServerLive" not in text
    assert not [line for line in text.splitlines() if line.startswith("{")]
