"""Limits of streams and messages, and what can be turned off."""

import socket
from itertools import product

import grpc
import pytest
from bearer import call
from certificates import Authority, needs_openssl
from grpc import StatusCode
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from running import running_server
from tiny import wearing_block
from waiting import wait_until
from wire import TIMEOUT_S, OpenStream, block_message, estimates_of

from wearcast.serving.security.streams import StreamLimit
from wearcast.serving.settings import load_settings
from wearcast.signals.errors import BusyError

LOCAL_POOL = [("grpc.use_local_subchannel_pool", 1)]
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


def connect(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address, LOCAL_POOL)


@pytest.fixture(scope="module")
def limited(tiny_models, tmp_path_factory):
    """A server with room for 3 streams, of which 2 on one connection."""
    config = tmp_path_factory.mktemp("config") / "wearcast.toml"
    config.write_text("max_streams = 3\nmax_streams_per_connection = 2\nreflection = false\n")
    with running_server(tiny_models, "--config", str(config)) as server:
        yield server


def test_streams_above_the_limits_are_refused_until_others_end(limited):
    with connect(limited.address) as one, connect(limited.address) as other:
        open_ones = [OpenStream(one, "Monitor", asset=f"a{number}").open() for number in range(2)]
        _, got = OpenStream(one, "Monitor", asset="a2").fail()
        assert (got.code, got.reason) == (StatusCode.RESOURCE_EXHAUSTED, "BUSY")
        assert got.text == "streams: expected at most 2 on one connection, got one more"

        open_ones.append(OpenStream(other, "Monitor", asset="b0").open())
        for method in ("Monitor", "Predict"):
            _, got = OpenStream(other, method).fail()
            assert (got.code, got.reason) == (StatusCode.RESOURCE_EXHAUSTED, "BUSY")
            assert got.text == "streams: expected at most 3, got one more"

        # Short calls and health have room, and those that are open go on.
        assert call(one, "/wearcast.v1.MachineHealthService/ListModels") is None
        watch = HealthStub(one).Watch(HealthCheckRequest(), timeout=TIMEOUT_S)
        assert next(watch).status == 1
        open_ones[0].send(*(wearing_block(number, 9) for number in range(4)))
        assert len(estimates_of(open_ones[0].finish())) == 2
        watch.cancel()

        # One has ended, one hangs up, one is cut off with its connection: all give their places.
        open_ones[1].hang_up()
        other.close()
        for number in range(2):
            wait_until(lambda number=number: can_open(one, f"c{number}"))


def can_open(channel, asset):
    stream = OpenStream(channel, "Monitor", asset=asset)
    try:
        stream.open()
    except grpc.RpcError:
        return False
    return True


def test_a_limit_forgets_connections_that_are_gone():
    limit = StreamLimit(2, 1)
    for number in range(1000):
        with limit.place(f"ipv4:127.0.0.1:{number}"):
            with pytest.raises(BusyError, match="at most 1 on one connection"):
                limit.place(f"ipv4:127.0.0.1:{number}").__enter__()
            with limit.place("another"), pytest.raises(BusyError, match="at most 2, got one more"):
                limit.place("a third").__enter__()
    assert not limit._by_peer  # noqa: SLF001


def test_watches_of_health_have_a_limit_of_their_own(limited):
    with connect(limited.address) as channel:
        watches = []

        def open_one() -> bool:
            watch = HealthStub(channel).Watch(HealthCheckRequest(), timeout=TIMEOUT_S)
            try:
                next(watch)
            except grpc.RpcError as error:
                if error.code() != StatusCode.RESOURCE_EXHAUSTED:
                    raise
                return False
            watches.append(watch)
            return True

        # Those of other tests may not have gone yet.
        wait_until(lambda: open_one() and len(watches) == 3)
        assert not open_one()
        for watch in watches:
            watch.cancel()


def test_connections_above_the_limit_are_closed_until_others_end(tiny_models):
    """Those that never speak count too, and give their places back when they hang up."""
    models = "/wearcast.v1.MachineHealthService/ListModels"
    with running_server(tiny_models, "--max-connections", "2") as server:
        host, _, port = server.address.rpartition(":")
        with connect(server.address) as one, socket.create_connection((host, port)):
            wait_until(lambda: call(one, models) is None)
            with connect(server.address) as other:
                assert call(other, models).code == StatusCode.UNAVAILABLE
            with socket.create_connection((host, port)) as silent:
                assert silent.recv(1) == b""
            assert call(one, models) is None

        def gets_in() -> bool:
            with connect(server.address) as another:
                return call(another, models) is None

        wait_until(gets_in)


def test_reflection_turned_off(limited, tiny_server):
    with connect(limited.address) as channel:
        got = call(channel, REFLECTION)
        assert got.code == StatusCode.UNIMPLEMENTED
    with connect(tiny_server.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        assert next(stub.ServerReflectionInfo(iter([request]))).list_services_response.service


def test_an_oversized_message_ends_its_stream_only(tiny_models):
    sizes = ((65536, "OVERSIZED"), (3 * 2**20, ""))
    with (
        running_server(tiny_models, "--max-message-bytes", "65536") as server,
        connect(server.address) as channel,
    ):
        other = OpenStream(channel, "Monitor", asset="other").open()
        for method, (size, reason) in product(("Monitor", "Predict"), sizes):
            named = {"asset": "pump"} if method == "Monitor" else {}
            stream = OpenStream(channel, method, **named)
            block = wearing_block(0, 9)
            stream.send(block)
            stream.send(block_message(block, data=bytes(size)))
            _, got = stream.fail()
            assert (got.code, got.reason) == (StatusCode.RESOURCE_EXHAUSTED, reason), method
        other.send(*(wearing_block(number, 9) for number in range(3)))
        assert len(estimates_of(other.finish())) == 1
        assert server.terminate() == 0


def test_metadata_above_the_limit_of_grpc_are_refused(tiny_server):
    with connect(tiny_server.address) as channel:
        for size, code in ((2_000, None), (100_000, StatusCode.RESOURCE_EXHAUSTED)):
            got = call(
                channel, "/wearcast.v1.MachineHealthService/ListModels", (("x-long", "x" * size),)
            )
            assert (got and got.code) == code


@pytest.mark.parametrize(
    ("listen", "fine"),
    [
        ("127.0.0.1:0", True),
        ("127.9.9.9:0", True),
        ("localhost:0", True),
        ("[::1]:0", True),
        ("0.0.0.0:0", False),
        ("[::]:0", False),
        ("*:0", False),
        ("0:0", False),
        ("10.0.0.1:0", False),
        ("[::ffff:10.0.0.1]:0", False),
        ("localhost.example.com:0", False),
        ("unix:/tmp/socket:0", False),
    ],
)
def test_only_loopback_without_tls(listen, fine):
    assert load_settings(None, {"listen": listen, "insecure": True}).listen == listen
    if fine:
        assert load_settings(None, {"listen": listen}).listen == listen
    else:
        with pytest.raises(ValueError, match="listen: expected a loopback address, or TLS, or"):
            load_settings(None, {"listen": listen})


@needs_openssl
def test_any_address_with_tls(tmp_path):
    pair = Authority(tmp_path, "ours").issue("server")
    flags = {"tls_cert": pair.cert, "tls_key": pair.key}
    assert load_settings(None, {"listen": "0.0.0.0:0", **flags}).listen == "0.0.0.0:0"
