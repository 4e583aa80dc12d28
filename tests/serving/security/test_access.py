"""Tokens and roles, at a real server."""

import queue
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from bearer import NOBODY, TokenFile, call
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from running import RunningServer, running_server
from tiny import wearing_block
from waiting import wait_until
from wire import OpenStream, estimates_of, failure

from wearcast.inference import open_inference_pb2, open_inference_pb2_grpc
from wearcast.serving.security.roles import METHODS, ROLES
from wearcast.v1 import ingest_pb2, machine_health_pb2

FILES = (machine_health_pb2, ingest_pb2, open_inference_pb2, health_pb2, reflection_pb2)
GUARDED = {method: role for method, role in METHODS.items() if role is not None}
MODELS = "/wearcast.v1.MachineHealthService/ListModels"
REFUSALS = {"TOKEN": StatusCode.UNAUTHENTICATED, "ROLE": StatusCode.PERMISSION_DENIED}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> TokenFile:
    path = tmp_path_factory.mktemp("tokens") / "tokens.toml"
    return TokenFile(path, all=ROLES, **{role: [role] for role in ROLES})


@pytest.fixture(scope="module")
def server(tiny_models: Path, tokens: TokenFile) -> Iterator[RunningServer]:
    with running_server(tiny_models, "--tokens", str(tokens.path)) as server:
        yield server


@pytest.fixture
def channel(server: RunningServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as channel:
        yield channel


def is_let_in(channel: grpc.Channel, method: str, metadata: object) -> str:
    """Empty; or why not: TOKEN or ROLE. What the method itself says does not count."""
    got = call(channel, method, metadata)
    if got is None or got.reason not in REFUSALS:
        return ""
    assert got.code == REFUSALS[got.reason]
    assert got.field == "authorization"
    return got.reason


def test_the_table_has_every_method_and_no_other():
    services = [item for file in FILES for item in file.DESCRIPTOR.services_by_name.values()]
    methods = {f"/{item.full_name}/{name}" for item in services for name in item.methods_by_name}
    assert methods <= set(METHODS)
    # Older releases of the health service have no List.
    assert set(METHODS) - methods <= {"/grpc.health.v1.Health/List"}


@pytest.mark.parametrize("method", [*GUARDED, *NOBODY])
def test_a_method_needs_a_token_with_its_role(channel, tokens, method):
    needed = GUARDED.get(method, "admin")
    assert is_let_in(channel, method, ()) == "TOKEN"
    assert is_let_in(channel, method, (("authorization", "Bearer wrong"),)) == "TOKEN"
    for role in ROLES:
        expected = "" if role == needed else "ROLE"
        assert is_let_in(channel, method, tokens.header(role)) == expected
    assert is_let_in(channel, method, tokens.header("all")) == ""


@pytest.mark.parametrize("method", sorted(set(METHODS) - set(GUARDED)))
def test_probes_need_no_token(channel, method):
    assert is_let_in(channel, method, ()) == ""


def test_a_method_that_is_not_there_says_so_to_an_admin_only(channel, tokens):
    for method in NOBODY:
        assert call(channel, method, tokens.header("admin")).code == StatusCode.UNIMPLEMENTED
        assert call(channel, method).code == StatusCode.UNAUTHENTICATED


def test_what_a_refusal_says(channel, tokens):
    good, token = tokens.header("ingest")[0], tokens["infer"]
    for headers, text in (
        ((), "authorization: expected Bearer TOKEN, got none"),
        ((good, good), "authorization: expected Bearer TOKEN, got 2 of them"),
        ((("authorization", token),), "authorization: expected Bearer TOKEN, got something else"),
        ((("authorization", "Basic " + token),), "expected Bearer TOKEN, got something else"),
        ((("authorization", "Bearer "),), "expected Bearer TOKEN, got something else"),
        ((("authorization", f"Bearer {token} "),), "a token that this server knows, got another"),
        ((("authorization", f"Bearer {token[:-1]}"),), "a token that this server knows, got"),
        ((good,), f"authorization: expected role infer for {MODELS}, got ingest with ingest"),
    ):
        got = call(channel, MODELS, headers)
        assert text in got.text
        assert token[:-1] not in got.text
    assert call(channel, MODELS, (("authorization", f"bearer {token}"),)) is None


def test_who_may_not_call_learns_nothing_of_what_is_sent(channel):
    """Else a message over the limit would be read whole, and what is wrong with it told."""
    for request in (b"\xff" * 100, bytes(40 * 2**20)):
        got = call(channel, MODELS, (), request)
        assert (got.code, got.reason) == (StatusCode.UNAUTHENTICATED, "TOKEN")


def test_tokens_change_while_streams_are_open(tiny_models, tmp_path):
    tokens = TokenFile(tmp_path / "tokens.toml", kept=["infer"], gone=["infer"], less=["infer"])
    log = tmp_path / "log"
    with (
        running_server(tiny_models, "--tokens", str(tokens.path), log=log) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        streams = {}
        for name in ("kept", "gone", "less"):
            streams[name] = open_monitor(channel, name, tokens)
            streams[name].send(*(wearing_block(number, 9) for number in range(4)))
            assert len(estimates_of(streams[name].responses_until(3))) == 2

        infer, request = queue.SimpleQueue(), open_inference_pb2.ModelInferRequest(id="1")
        infer.put(request)
        stub = open_inference_pb2_grpc.GRPCInferenceServiceStub(channel)
        answers = stub.ModelStreamInfer(iter(infer.get, None), metadata=tokens.header("gone"))
        assert next(answers).error_message.startswith("model: expected one of tiny/1")

        tokens.path.write_text("not TOML")
        wait_until(
            lambda: (
                call(channel, MODELS, tokens.header("gone")) is None
                and "tokens: expected TOML" in log.read_text()
            )
        )
        tokens.write(kept=["infer"], less=["ingest"])
        wait_until(lambda: call(channel, MODELS, tokens.header("gone")) is not None)

        infer.put(request)
        with pytest.raises(grpc.RpcError) as raised:
            list(answers)
        assert failure(raised.value).reason == "TOKEN"
        for name, reason in (("gone", "TOKEN"), ("less", "ROLE")):
            streams[name].send(wearing_block(4, 9))
            _, got = streams[name].fail()
            assert (got.code, got.reason) == (REFUSALS[reason], reason)
            assert is_let_in(channel, MODELS, tokens.header(name)) == reason
        streams["kept"].send(wearing_block(4, 9))
        assert [item.sequence for item in estimates_of(streams["kept"].finish())] == [4]

        tokens.write(kept=["infer"], gone=["infer"])
        wait_until(lambda: call(channel, MODELS, tokens.header("gone")) is None)
        assert server.terminate() == 0
    assert "ERROR" not in log.read_text()


def open_monitor(channel: grpc.Channel, name: str, tokens: TokenFile) -> OpenStream:
    return OpenStream(channel, "Monitor", asset=name, metadata=tokens.header(name)).open()


def test_a_server_without_tokens_asks_for_none(tiny_server):
    with grpc.insecure_channel(tiny_server.address) as channel:
        assert call(channel, MODELS) is None
        assert call(channel, MODELS, (("authorization", "Bearer any"),)) is None


def test_no_tokens_at_all_let_nobody_in(tiny_models, tmp_path):
    path = tmp_path / "tokens.toml"
    path.touch()
    with (
        running_server(tiny_models, "--tokens", str(path)) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        assert is_let_in(channel, MODELS, (("authorization", "Bearer any"),)) == "TOKEN"
        assert call(channel, "/grpc.health.v1.Health/Check") is None
