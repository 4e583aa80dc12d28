import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import pairs, running
from mosquitto import Mosquitto, needs_mosquitto
from pydantic import ValidationError

from wearcast.clients.edge.sources.mqtt import MqttSettings, MqttSource
from wearcast.signals.clock import parse_time
from wearcast.signals.errors import InputError

pytestmark = needs_mosquitto
CHANNELS = ("flow_rate", "pressure")
NOW_US = parse_time("2024-05-01T10:00Z")
LEVELS = {"filter": "plant/+", "levels": "_/channel"}
TIMED = {"filter": "plant/+", "levels": "_/channel", "payload": "json", "time": "time"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        broker.start()
        yield broker


def make_source(broker: Mosquitto, **settings: object) -> MqttSource:
    given = {"host": broker.host, "port": broker.port, "topics": [LEVELS], **settings}
    return MqttSource(
        MqttSettings(type="mqtt", client_id="edge", **given), CHANNELS, lambda: NOW_US
    )


def make_messages(numbers: range) -> list[tuple[str, str]]:
    return [("plant/flow_rate", str(number)) for number in numbers]


def values(numbers: range) -> list[tuple[str, float]]:
    return [("flow_rate", float(number)) for number in numbers]


def subscribe(broker: Mosquitto, **settings: object) -> None:
    """Make the session that keeps messages from now on."""
    with running(make_source(broker, **settings)) as run:
        run.wait_for(lambda source: source.caught_up)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_messages_become_readings_in_their_order(broker: Mosquitto, version: str):
    with running(make_source(broker, version=version)) as run:
        run.wait_for(lambda source: source.caught_up)
        broker.publish(make_messages(range(300)))
        assert pairs(run.take(300)) == values(range(300))
        assert run.source.problem == ""


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_messages_published_meanwhile_are_kept_for_it(broker: Mosquitto, version: str):
    subscribe(broker, version=version)
    broker.publish(make_messages(range(100)))
    with running(make_source(broker, version=version)) as run:
        assert pairs(run.take(100)) == values(range(100))


def test_what_was_not_acknowledged_comes_again_and_the_rest_does_not(broker: Mosquitto):
    subscribe(broker)
    broker.publish(make_messages(range(5)))
    with running(make_source(broker)) as run:
        assert pairs(run.take(5)) == values(range(5))
        broker.publish(make_messages(range(5, 9)))
        assert pairs(run.take(4, acknowledge=False)) == values(range(5, 9))
    broker.publish(make_messages(range(9, 10)))
    with running(make_source(broker)) as run:
        assert pairs(run.take(5)) == values(range(5, 10))


def test_an_acknowledgement_that_comes_too_late_does_no_harm(broker: Mosquitto):
    with running(make_source(broker)) as run:
        run.wait_for(lambda source: source.caught_up)
        broker.publish(make_messages(range(3)))
        late = run.hold(3)  # nothing more comes over this connection
        broker.restart()
        again = run.next_batch()
        assert again.readings[0] == late[0].readings[0]
        for batch in late:
            batch.acknowledge()
        broker.publish(make_messages(range(3, 4)))
        run.next_batch()
    for batch in late:
        batch.acknowledge()
    with running(make_source(broker)) as run:
        assert pairs(run.take(4)) == values(range(4))


def test_a_broker_that_restarts_loses_nothing(broker: Mosquitto):
    found: list[tuple[str, float | None]] = []
    with running(make_source(broker)) as run:
        run.wait_for(lambda source: source.caught_up)
        for turn in range(3):
            broker.publish(make_messages(range(100 * turn, 100 * turn + 100)))
            broker.restart()
            while len(set(found)) < 100 * turn + 100:
                batch = run.next_batch()
                found += pairs(batch.readings)
                batch.acknowledge()
        run.wait_for(lambda source: not source.problem)
    assert sorted(set(found)) == values(range(300))


def test_a_broker_that_is_killed_is_waited_for(broker: Mosquitto):
    with running(make_source(broker)) as run:
        run.wait_for(lambda source: source.caught_up)
        broker.kill()
        run.wait_for(lambda source: source.problem.startswith("host: expected a broker at 127."))
        assert not run.source.caught_up
        broker.start()
        run.wait_for(lambda source: not source.problem and source.caught_up)
        broker.publish(make_messages(range(2)))
        assert pairs(run.take(2)) == values(range(2))


def test_it_has_caught_up_after_a_silence_or_a_message_of_now(broker: Mosquitto):
    subscribe(broker, topics=[TIMED])
    past, now = "2024-05-01T09:00Z", "2024-05-01T10:00Z"
    broker.publish([("plant/flow_rate", f'{{"time": "{past}", "value": 1}}')])
    with running(make_source(broker, topics=[TIMED], settle_s=3600)) as run:
        (reading,) = run.take(1)
        assert reading.time_us == parse_time(past)
        assert not run.source.caught_up
        broker.publish([("plant/flow_rate", f'{{"time": "{now}", "value": 1}}')])
        run.take(1)
        run.wait_for(lambda source: source.caught_up)


def test_a_retained_message_counts_only_if_it_has_a_time(broker: Mosquitto):
    broker.publish([("plant/flow_rate", "1")], retain=True)
    message = '{"time": "2024-05-01T09:00Z", "value": 2}'
    broker.publish([("timed/pressure", message)], retain=True)
    topics = [LEVELS, {**TIMED, "filter": "timed/+"}]
    with running(make_source(broker, topics=topics)) as run:
        found = []
        while not found:
            found = run.next_batch().readings
        run.wait_for(lambda source: source.caught_up)
        while not run.batches.empty():
            found += run.batches.get().readings
        assert pairs(found) == [("pressure", 2.0)]


def test_a_bad_message_is_told_and_the_next_one_is_read(broker: Mosquitto):
    with running(make_source(broker, topics=[TIMED])) as run:
        run.wait_for(lambda source: source.caught_up)
        broker.publish([("plant/flow_rate", "{")])
        run.wait_for(lambda source: bool(source.problem))
        assert run.source.problem == ("plant/flow_rate: expected JSON, got b'{' (1 skipped so far)")
        message = '{"time": "2024-05-01T09:00Z", "value": 2}'
        broker.publish([("plant/pressure", message)])
        assert pairs(run.take(1)) == [("pressure", 2.0)]
        run.wait_for(lambda source: not source.problem)


def test_nobody_at_the_address_is_told(tmp_path: Path):
    with Mosquitto(tmp_path) as broker, running(make_source(broker)) as run:
        run.wait_for(lambda source: bool(source.problem))
        assert "Connection refused" in run.source.problem


def make_password(tmp_path: Path, password: str) -> list[str]:
    file = tmp_path / "passwords"
    file.touch()
    subprocess.run(
        ["mosquitto_passwd", "-b", str(file), "pump", password], check=True, capture_output=True
    )
    return ["allow_anonymous false", f"password_file {file}"]


def test_a_broker_may_ask_for_a_password(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    with Mosquitto(tmp_path, make_password(tmp_path, "right")) as broker:
        broker.start()
        source = make_source(broker, username="pump", password_file=secret)
        with running(source) as run:
            run.wait_for(lambda source: "authorized" in source.problem.lower())
            secret.write_text("right\n")
            run.wait_for(lambda source: source.caught_up)


def test_topics_that_the_broker_refuses_are_told(tmp_path: Path):
    rules = {
        "anonymousGroup": "all",
        "groups": [{"groupname": "all", "roles": [{"rolename": "reader"}]}],
        "roles": [
            {
                "rolename": "reader",
                "acls": [{"acltype": "subscribePattern", "topic": "plant/#", "allow": True}],
            }
        ],
    }
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(rules))
    plugin = next(Path("/usr/lib").rglob("mosquitto_dynamic_security.so"))
    lines = ["allow_anonymous true", f"plugin {plugin}", f"plugin_opt_config_file {file}"]
    with Mosquitto(tmp_path, lines) as broker:
        broker.start()
        topics = [LEVELS, {"filter": "secret", "channel": "pressure"}]
        with running(make_source(broker, topics=topics)) as run:
            run.wait_for(lambda source: source.caught_up)
            assert run.source.problem == "topics: expected leave to read them, got secret refused"


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


# Paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_broker_may_be_encrypted(tmp_path: Path):
    cert, key = make_certificate(tmp_path)
    lines = ["allow_anonymous true", f"certfile {cert}", f"keyfile {key}"]
    with Mosquitto(tmp_path, lines) as broker:
        broker.start()
        with running(make_source(broker, tls=True)) as run:
            run.wait_for(lambda source: "CERTIFICATE_VERIFY_FAILED" in source.problem)
        with running(make_source(broker, tls=True, tls_ca=cert)) as run:
            run.wait_for(lambda source: source.caught_up)
            broker.publish(make_messages(range(300)), tls_ca=cert)
            assert pairs(run.take(300)) == values(range(300))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tls_ca": Path("ca.pem")}, "tls: expected true, with tls_ca or tls_cert, got false"),
        ({"tls": True, "tls_cert": Path("cert.pem")}, "tls_cert, tls_key: expected both"),
        ({"password_file": Path("secret")}, "username: expected one, with password_file"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict[str, object], message: str):
    with pytest.raises(ValidationError, match=message):
        MqttSettings(type="mqtt", host="here", client_id="edge", topics=[LEVELS], **settings)


def test_what_is_no_channel_is_refused():
    settings = MqttSettings(
        type="mqtt", host="here", client_id="edge", topics=[{"filter": "a", "channel": "flow"}]
    )
    with pytest.raises(InputError) as caught:
        MqttSource(settings, CHANNELS, lambda: 0)
    assert str(caught.value) == (
        "sources.mqtt.topics.0: expected channels among flow_rate, pressure, got 'flow'"
    )
