import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua import Server, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.user_managers import UserManager
from cryptography.x509.oid import ExtendedKeyUsageOID
from live import pairs, running
from ports import held_port
from pydantic import ValidationError
from waiting import LONG_S

from wearcast.clients.edge.readings import Reading
from wearcast.clients.edge.sources.opcua import OpcuaSettings, OpcuaSource
from wearcast.signals.clock import parse_time
from wearcast.signals.errors import InputError

CHANNELS = ("flow_rate", "pressure")
NOW_US = parse_time("2024-05-01T10:00Z")
NODES = {"ns=2;s=Flow": "flow_rate", "ns=2;s=Pressure": "pressure"}
URI = "urn:wearcast:test"


class PasswordOfPump(UserManager):
    def get_user(self, iserver, username=None, password=None, certificate=None):  # noqa: ARG002
        known = (username, password) == ("pump", "right")
        return User(role=UserRole.User) if known else None


class Plc:
    """A real OPC UA server, with its event loop in a thread; it can stop and start again."""

    def __init__(self, **made: Any) -> None:
        self._made = made
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._held = ExitStack()
        self.port = self._held.enter_context(held_port())
        self.secure: tuple[Path, Path] | None = None

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._run(self._start())

    def stop(self) -> None:
        self._run(self._server.stop())

    def close(self) -> None:
        self._run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._held.close()

    def write(self, name: str, value: object, time: str = "2024-05-01T09:00:00Z", status: int = 0):
        stamp = datetime.fromisoformat(time).astimezone(UTC)
        data = ua.DataValue(ua.Variant(value), ua.StatusCode(status), stamp)
        self._run(self._server.get_node(f"ns=2;s={name}").write_value(data))

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(LONG_S)

    async def _start(self) -> None:
        server = self._server = Server(**self._made)
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}")
        policies = [ua.SecurityPolicyType.NoSecurity]
        if self.secure:
            cert, key = self.secure
            await server.load_certificate(str(cert))
            await server.load_private_key(str(key))
            policies = [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
        server.set_security_policy(policies)
        space = await server.register_namespace("urn:plant")
        assert space == 2
        for name, value in (("Flow", 40.0), ("Pressure", 5.0)):
            await server.nodes.objects.add_variable(
                ua.NodeId(name, space), f"{space}:{name}", ua.Variant(value)
            )
        await server.start()


async def _cancel_all() -> None:
    """What the server has left running."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(scope="module")
def started() -> Iterator[Plc]:
    plc = Plc()
    plc.start()
    yield plc
    plc.stop()
    plc.close()


@pytest.fixture
def plc(started: Plc) -> Plc:
    started.write("Flow", 40.0)
    started.write("Pressure", 5.0)
    return started


def make_source(plc: Plc, **settings: object) -> OpcuaSource:
    # A server that is slow to answer counts as away, and its values as read again then.
    given = {"nodes": NODES, "publish_s": 0.05, "repeat_s": 3600, "timeout_s": 60, **settings}
    return OpcuaSource(OpcuaSettings(type="opcua", url=plc.url, **given), CHANNELS, lambda: NOW_US)


def test_present_values_count_as_read_now_and_changes_by_the_stamp_of_the_source(plc: Plc):
    with running(make_source(plc)) as run:
        assert sorted(run.take(2), key=lambda reading: reading.channel) == [
            Reading(NOW_US, "flow_rate", 40.0),
            Reading(NOW_US, "pressure", 5.0),
        ]
        plc.write("Flow", 41.5, "2024-05-01T09:30:00.25Z")
        time_us = parse_time("2024-05-01T09:30:00.25Z")
        assert run.take(1) == [Reading(time_us, "flow_rate", 41.5)]
        assert run.source.caught_up


def test_a_value_that_does_not_change_counts_as_read_again(plc: Plc):
    with running(make_source(plc, repeat_s=0.1)) as run:
        wanted = {Reading(NOW_US, "flow_rate", 40.0), Reading(NOW_US, "pressure", 5.0)}
        found: list[Reading] = []
        while min(map(found.count, wanted)) < 3:
            found += run.next_batch().readings
    assert set(found) == wanted


def test_a_bad_status_has_no_value_and_an_uncertain_one_says_so(plc: Plc):
    with running(make_source(plc)) as run:
        run.take(2)
        time_us = parse_time("2024-05-01T09:00Z")
        plc.write("Flow", 41.0, status=ua.StatusCodes.BadSensorFailure)
        assert run.take(1) == [Reading(time_us, "flow_rate", None, ("BadSensorFailure",))]
        plc.write("Flow", 42.0, status=ua.StatusCodes.UncertainLastUsableValue)
        assert run.take(1) == [Reading(time_us, "flow_rate", 42.0, ("UncertainLastUsableValue",))]


def test_what_is_no_number_is_garbled(plc: Plc):
    with running(make_source(plc)) as run:
        run.take(2)
        plc.write("Flow", float("inf"))
        (reading,) = run.take(1)
        assert (reading.value, reading.quality) == (None, ("GARBLED",))


def test_a_node_that_is_not_on_the_server_is_told_and_the_others_are_read(plc: Plc):
    nodes = {"ns=2;s=Flow": "flow_rate", "ns=2;s=Nothing": "pressure"}
    with running(make_source(plc, nodes=nodes)) as run:
        assert pairs(run.take(1)) == [("flow_rate", 40.0)]
        assert run.source.problem == (
            "nodes: expected them on the server, got ns=2;s=Nothing (BadNodeIdUnknown)"
        )


def test_a_server_that_restarts_is_followed_again(plc: Plc):
    with running(make_source(plc)) as run:
        run.take(2)
        plc.stop()
        run.wait_for(lambda source: source.problem.startswith("url: expected a server at opc.tcp"))
        plc.start()
        assert len(run.take(2)) == 2
        run.wait_for(lambda source: not source.problem)


def test_no_server_is_told(plc: Plc):
    plc.stop()
    with running(make_source(plc)) as run:
        run.wait_for(lambda source: bool(source.problem))
        assert run.source.problem.startswith(f"url: expected a server at {plc.url}, got ")
    plc.start()


def test_a_server_may_ask_for_a_password(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    plc = Plc(user_manager=PasswordOfPump())
    plc.start()
    try:
        with running(make_source(plc, username="pump", password_file=secret)) as run:
            run.wait_for(lambda source: bool(source.problem))
            secret.write_text("right\n")
            assert len(run.take(2)) == 2
    finally:
        plc.stop()
        plc.close()


def make_certificate(folder: Path, uri: str) -> tuple[Path, Path]:
    cert, key = folder / "cert.der", folder / "key.pem"
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    asyncio.run(setup_self_signed_certificate(key, cert, uri, "localhost", usages, {}))
    return cert, key


def test_messages_may_be_signed_and_encrypted(tmp_path: Path):
    for name in ("plc", "edge"):
        (tmp_path / name).mkdir()
    plc = Plc()
    plc.secure = make_certificate(tmp_path / "plc", "urn:freeopcua:python:server")
    plc.start()
    cert, key = make_certificate(tmp_path / "edge", URI)
    try:
        source = make_source(
            plc,
            security="Basic256Sha256",
            cert=cert,
            key=key,
            server_cert=plc.secure[0],
            application_uri=URI,
        )
        with running(source) as run:
            assert len(run.take(2)) == 2
        with running(make_source(plc)) as run:
            run.wait_for(lambda source: bool(source.problem))
    finally:
        plc.stop()
        plc.close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"security": "Basic256Sha256"}, "cert, key: expected both with a security policy"),
        ({"cert": Path("cert"), "key": Path("key")}, "cert, key: expected both"),
        ({"password_file": Path("secret")}, "username: expected one, with password_file"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict[str, object], message: str):
    with pytest.raises(ValidationError, match=message):
        OpcuaSettings(type="opcua", url="opc.tcp://plc:4840", nodes=NODES, **settings)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({"ns=2;s=Flow": "flow"}, "expected channels among flow_rate, pressure, got 'flow'"),
        ({"Flow": "flow_rate"}, "expected node ids such as ns=2;s=Flow, got 'Flow'"),
    ],
)
def test_nodes_that_make_no_sense_are_refused(nodes: dict[str, str], message: str):
    settings = OpcuaSettings(type="opcua", url="opc.tcp://plc:4840", nodes=nodes)
    with pytest.raises(InputError, match=f"sources.opcua.nodes: {message}"):
        OpcuaSource(settings, CHANNELS, lambda: NOW_US)
