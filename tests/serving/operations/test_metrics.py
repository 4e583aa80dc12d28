"""A scrape of a real server says what was really done."""

import socket

import grpc
import numpy as np
import pytest
from grpc import StatusCode
from running import refuse_flags, running_server
from scraping import METRICS, look, numbers
from test_process import start_and_fail
from tiny import wearing_block
from waiting import wait_until
from wire import OpenStream, estimates_of

from wearcast.inference import open_inference_pb2 as inference
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub

BLOCKS = [wearing_block(number, 41.3) for number in range(20)]
MONITOR = ("wearcast.v1.MachineHealthService", "Monitor")


@pytest.fixture(scope="module")
def server(tiny_models):
    with running_server(tiny_models, *METRICS) as server:
        yield server
        assert server.terminate() == 0


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server.address) as channel:
        yield channel


def ask(rows, name="tiny"):
    request = inference.ModelInferRequest(model_name=name)
    request.inputs.add(name="blocks", datatype="FP32", shape=[rows, 3, 2, 64])
    request.raw_input_contents.append(np.zeros((rows, 3, 2, 64), np.float32).tobytes())
    return request


def test_rows_requests_and_batches_add_up(server, channel):
    before = look(server)
    stub = GRPCInferenceServiceStub(channel)
    for rows in (1, 3, 6):
        stub.ModelInfer(ask(rows))
    with pytest.raises(grpc.RpcError):
        stub.ModelInfer(ask(1, "nobody's"))
    infer = {"method": "ModelInfer"}
    now = before

    def rise(name, **labels):
        return now.rise(before, f"wearcast_{name}", **labels)

    def is_counted() -> bool:
        """The server counts a call once its answer is on its way, and then its time."""
        nonlocal now
        now = look(server)
        counts = ("requests_total", "request_duration_seconds_count")
        return all(rise(name, **infer) >= 4 for name in counts)

    wait_until(is_counted)
    assert rise("requests_total", **infer) == 4

    assert rise("requests_total", code="OK", **infer) == 3
    assert rise("requests_total", code="NOT_FOUND", **infer) == 1
    assert rise("request_duration_seconds_count", **infer) == 4
    assert rise("model_requests_total", outcome="success") == 3
    assert rise("model_rows_total") == rise("model_batch_rows_sum") == 10
    # At most 4 rows a run: 1, 3, 4 and 2.
    assert rise("model_batch_rows_count") == rise("model_batch_rows_bucket", le="4.0") == 4
    assert rise("model_batch_rows_bucket", le="2.0") == 2
    assert rise("model_queue_seconds_count") == 3
    assert rise("model_request_seconds_sum") >= rise("model_compute_seconds_sum") > 0


def test_what_clients_make_up_makes_no_series(server, channel):
    for name in ("/a.b/C", "/a.b/D", "/wearcast.v1.MachineHealthService/Gone"):
        with pytest.raises(grpc.RpcError):
            channel.unary_unary(name)(b"")
    found = numbers(look(server), "wearcast_requests_total", "service", "method", "code")
    assert found["other", "other", "UNIMPLEMENTED"] == 3
    assert not [key for key in found if "Gone" in key or "a.b" in key]


def test_an_open_stream_and_its_asset(server, channel):
    stream = OpenStream(channel, "Monitor", asset="pump 7")
    stream.send(*BLOCKS)
    newest = estimates_of(stream.responses_until(19))[-1].remaining_life
    found = look(server)
    assert numbers(found, "wearcast_streams_open", "service", "method")[MONITOR] == 1
    key = ("pump 7", "tiny", "1")
    for name, value in (
        ("life_fraction", newest.life_fraction),
        ("rul_seconds", newest.rul_s),
        ("rul_low_seconds", newest.rul_low_s),
        ("life_alarm", float(newest.alarm)),
    ):
        got = numbers(found, f"wearcast_asset_{name}", "asset", "model", "version")
        assert got[key] == pytest.approx(value), name
    assert found.total("wearcast_store_commit_seconds_count") > 0
    stream.finish()
    wait_until(lambda: look(server).total("wearcast_streams_open", method="Monitor") == 0)
    assert look(server).total("wearcast_requests_total", method="Monitor", code="OK") == 1


def test_a_stream_that_is_broken_off_has_ended(server, channel):
    before = look(server)
    stream = OpenStream(channel, "Monitor", asset="broken")
    stream.send(*BLOCKS[:4])
    stream.responses_until(3)
    stream.call.cancel()

    def has_ended() -> bool:
        found = look(server)
        # OK where gRPC hears the break as the end of the client's messages.
        codes = [
            found.rise(before, "wearcast_requests_total", method="Monitor", code=code)
            for code in ("CANCELLED", "OK")
        ]
        return sorted(codes) == [0, 1]

    wait_until(has_ended)
    wait_until(lambda: look(server).total("wearcast_streams_open", method="Monitor") == 0)
    stream.hang_up()


def test_a_call_without_a_token_counts(tiny_models, tmp_path):
    (tmp_path / "tokens.toml").write_text("")
    flags = (*METRICS, "--tokens", str(tmp_path / "tokens.toml"))
    with (
        running_server(tiny_models, *flags) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        with pytest.raises(grpc.RpcError) as raised:
            GRPCInferenceServiceStub(channel).ModelInfer(ask(1))
        assert raised.value.code() == StatusCode.UNAUTHENTICATED
        refused = {"method": "ModelInfer", "code": "UNAUTHENTICATED"}
        wait_until(lambda: look(server).total("wearcast_requests_total", **refused) == 1)


def test_assets_are_bounded(tiny_models, monkeypatch):
    monkeypatch.setenv("WEARCAST_METRICS_ASSETS", "2")
    with (
        running_server(tiny_models, *METRICS) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        streams = {asset: OpenStream(channel, "Monitor", asset=asset) for asset in "abcd"}
        for asset in "abc":
            streams[asset].send(*BLOCKS[:5])
            streams[asset].responses_until(4)
        streams["b"].send(BLOCKS[5])
        streams["b"].responses_until(5)
        streams["d"].send(*BLOCKS[:5])
        streams["d"].responses_until(4)
        found = look(server)
        for stream in streams.values():
            stream.finish()
    assert set(numbers(found, "wearcast_asset_life_fraction", "asset")) == {("b",), ("d",)}
    assert found.total("wearcast_asset_series_dropped_total") == 2


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--metrics-listen", "0.0.0.0:0"), "metrics_listen: expected a loopback address"),
        (("--metrics-listen", "9561"), "metrics_listen: expected HOST:PORT, got '9561'"),
    ],
)
def test_addresses_that_are_refused(tiny_models, flags, text):
    assert text in refuse_flags(tiny_models, *flags)


def test_a_port_that_is_taken(tiny_models):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        flags = ("--listen", "127.0.0.1:0", "--metrics-listen", address)
        code, errors = start_and_fail(*flags, models_dir=tiny_models)
    assert code == 3
    assert f"metrics_listen: expected an address to listen on, got {address}" in errors
