"""Alarms of live streams: each alert once, through kill -9, and before its estimate."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from running import RunningServer, running_server
from tiny_plant import plant_rows, write_plant_models
from wire import OpenStream, estimates_of

from wearcast.clients import Client, ClientSettings
from wearcast.clients.decode import Acknowledged, decode_alert
from wearcast.clients.local import predict_local
from wearcast.clients.monitor import MonitorSettings
from wearcast.clients.plant_rows import RowsReplay, make_blocks
from wearcast.serving.alarm_messages import encode_alert
from wearcast.serving.models import open_model
from wearcast.serving.store import Store
from wearcast.signals.alarms import AlarmRules, Alarms
from wearcast.signals.alerts import Alert, AlertKind
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.estimate import Estimate
from wearcast.v1 import alert_pb2
from wearcast.v1 import machine_health_pb2 as pb

RULES = AlarmRules(on_delay_s=300, off_delay_s=300)
SENT_RULES = alert_pb2.AlarmRules(on_delay_s=300, off_delay_s=300)
# Raised at rows 15 and 75, cleared at 46 and 95; row 55 is too short for an alarm.
ROWS = plant_rows(120, missing=(*range(10, 41), 55, *range(70, 90)))
BLOCKS = list(make_blocks(ROWS))
QUICK = ClientSettings(monitor=MonitorSettings(first_wait_s=0.05, longest_wait_s=0.2))


@pytest.fixture(scope="module")
def plant_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models_dir = tmp_path_factory.mktemp("plant-models")
    write_plant_models(models_dir)
    return models_dir


@pytest.fixture(scope="module")
def plant_server(plant_models: Path) -> Iterator[RunningServer]:
    with running_server(plant_models) as server:
        yield server


@pytest.fixture(scope="module")
def estimates(plant_models: Path) -> list[Estimate]:
    return list(predict_local(open_model(plant_models, "tiny-outlier"), make_blocks(ROWS)))


def undisturbed(asset: str, estimates: list[Estimate]) -> list[Alert]:
    alarms = Alarms(asset, RULES)
    return [alert for estimate in estimates for alert in alarms.update(estimate)]


def alerts_of(responses: list[Any]) -> list[Alert]:
    return [decode_alert(item.alert) for item in responses if item.HasField("alert")]


def open_stream(channel: grpc.Channel, **named: Any) -> OpenStream:
    start = {"asset": "plant", "model": "tiny-outlier", "alarms": SENT_RULES}
    return OpenStream(channel, "Monitor", **(start | named)).open()


def test_alerts_are_those_of_the_same_alarms_here(
    plant_server: RunningServer, estimates: list[Estimate]
) -> None:
    expected = undisturbed("same", estimates)
    assert [(alert.kind.name, alert.time_us) for alert in expected] == [
        (kind, estimates[row].window_end_us)
        for kind, row in (("RAISED", 15), ("CLEARED", 46), ("RAISED", 75), ("CLEARED", 95))
    ]
    with Client(plant_server.address) as client:
        source = RowsReplay(ROWS, speed=0)
        models = ["tiny-forecast", "tiny-outlier"]
        events = list(client.monitor(source, asset="same", model=models, alarms=RULES))
    assert [event for event in events if isinstance(event, Alert)] == expected
    own = [it for it in events if isinstance(it, Estimate) and it.model == "tiny-outlier"]
    assert own == estimates


def test_an_alert_comes_before_its_estimate(plant_server: RunningServer) -> None:
    with grpc.insecure_channel(plant_server.address) as channel:
        stream = open_stream(channel, asset="before")
        stream.send(*BLOCKS[:30])
        responses = [*stream.responses_until(29), *stream.finish()]
    ((place, alert),) = [(n, it.alert) for n, it in enumerate(responses) if it.HasField("alert")]
    later = estimates_of(responses[place:])
    assert alert.time in [estimate.window_end for estimate in later]


def test_no_alert_comes_that_was_not_asked_for(plant_server: RunningServer) -> None:
    with Client(plant_server.address) as client:
        source = RowsReplay(ROWS, speed=0)
        events = list(client.monitor(source, asset="quiet", model="tiny-outlier"))
    assert not [event for event in events if isinstance(event, Alert)]


def test_a_server_killed_at_any_point_of_an_alarm_goes_on_with_it(
    plant_models: Path, tmp_path: Path, estimates: list[Estimate]
) -> None:
    """While it is delayed, after it was raised, while it returns, after it was cleared."""
    stops = {"delayed": 12, "raised": 20, "returns": 43, "cleared": 50}
    store = str(tmp_path / "store.sqlite")
    responses = {}
    with (
        running_server(plant_models, "--store", store) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        streams = {asset: open_stream(channel, asset=asset) for asset in stops}
        for asset, stream in streams.items():
            stream.send(*BLOCKS[: stops[asset]])
            responses[asset] = stream.responses_until(stops[asset] - 1)
        server.kill()
        for stream in streams.values():
            stream.hang_up()
    with (
        running_server(plant_models, "--store", store) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        for asset, stop_at in stops.items():
            stream = open_stream(channel, asset=asset, received_sequence=stop_at - 1)
            stream.send(*BLOCKS[stream.started.next_sequence :])
            responses[asset] += stream.finish()
    for asset in stops:
        assert alerts_of(responses[asset]) == undisturbed(asset, estimates)


def test_alerts_that_a_client_missed_come_again_before_their_estimates(
    plant_models: Path, tmp_path: Path, estimates: list[Estimate]
) -> None:
    expected = undisturbed("plant", estimates)
    store = str(tmp_path / "store.sqlite")
    with (
        running_server(plant_models, "--store", store) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stream = open_stream(channel)
        stream.send(*BLOCKS)
        stream.responses_until(len(BLOCKS) - 1)
        server.kill()
        stream.hang_up()
    with (
        running_server(plant_models, "--store", store) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        for received, missed in ((None, expected), (14, expected), (15, expected[1:]), (95, [])):
            responses = open_stream(channel, received_sequence=received).finish()
            assert alerts_of(responses) == missed
            assert len(estimates_of(responses)) == 119 - (-1 if received is None else received)
        quiet = open_stream(channel, alarms=None).finish()
        assert alerts_of(quiet) == []


def test_a_client_tells_each_alert_once_whenever_the_server_dies(
    plant_models: Path, tmp_path: Path, own_address: str, estimates: list[Estimate]
) -> None:
    """The server dies after an alert, after an estimate and after an acknowledgement."""
    kills = [
        lambda event: isinstance(event, Alert) and event.kind is AlertKind.RAISED,
        lambda event: isinstance(event, Estimate) and event.sequence > 30,
        lambda event: isinstance(event, Alert) and event.kind is AlertKind.CLEARED,
        lambda event: isinstance(event, Acknowledged) and event.sequence > 80,
    ]
    flags = ("--store", str(tmp_path / "store.sqlite"))
    told = []
    with ExitStack() as stack:
        server = stack.enter_context(running_server(plant_models, *flags, listen=own_address))
        client = stack.enter_context(Client(server.address, settings=QUICK))
        source = RowsReplay(ROWS, speed=0)
        for event in client.monitor(source, asset="plant", model="tiny-outlier", alarms=RULES):
            if isinstance(event, Alert | Estimate):
                told.append(event)
            if kills and kills[0](event):
                kills.pop(0)
                server.kill()
                server = stack.enter_context(
                    running_server(plant_models, *flags, listen=own_address)
                )
    assert not kills
    assert [event for event in told if isinstance(event, Estimate)] == estimates
    alerts = [event for event in told if isinstance(event, Alert)]
    assert alerts == undisturbed("plant", estimates)
    for alert in alerts:
        times = [event.window_end_us for event in told if isinstance(event, Estimate)]
        assert told.index(alert) <= told.index(estimates[times.index(alert.time_us)])


def test_a_store_from_before_alarms_gets_them(
    plant_models: Path, tmp_path: Path, estimates: list[Estimate]
) -> None:
    path = tmp_path / "old.sqlite"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    connection.close()
    assert "alarm_states" not in tables
    with running_server(plant_models, "--store", str(path)) as server:
        with Client(server.address) as client:
            source = RowsReplay(ROWS, speed=0)
            events = list(client.monitor(source, asset="plant", model="tiny-outlier", alarms=RULES))
        assert server.terminate() == 0
    expected = undisturbed("plant", estimates)
    assert [event for event in events if isinstance(event, Alert)] == expected
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT asset, model, version, kind, channel, stage FROM alarm_alerts ORDER BY sequence"
        ).fetchall()
    connection.close()
    assert rows == [
        ("plant", "tiny-outlier", 1, alert.kind, alert.channel, alert.stage) for alert in expected
    ]


def test_in_memory_alerts_go_with_their_estimates(plant_server: RunningServer) -> None:
    blocks = list(make_blocks(plant_rows(2300, missing=tuple(range(10, 41)))))
    with grpc.insecure_channel(plant_server.address) as channel:
        stream = open_stream(channel, asset="memory")
        stream.send(*blocks)
        assert len(alerts_of(stream.finish())) == 2
        assert alerts_of(open_stream(channel, asset="memory").finish()) == []


def test_rules_of_one_tag_may_differ(plant_server: RunningServer) -> None:
    with Client(plant_server.address) as client:
        events = client.monitor(
            RowsReplay(ROWS, speed=0),
            asset="by tag",
            model="tiny-outlier",
            alarms=AlarmRules(on_delay_s=300, off_delay_s=300),
            alarms_by_tag={"flow system": AlarmRules(on_delay_s=3600)},
        )
        assert not [event for event in events if isinstance(event, Alert)]


@pytest.mark.parametrize(
    ("named", "error", "text"),
    [
        (
            {"alarms": AlarmRules(latching=True)},
            InputError,
            "alarms.latching: expected false on a stream, got true",
        ),
        (
            {"alarms_by_tag": {"flow system": RULES}},
            InputError,
            "start.alarms_by_tag: expected alarms too, got none",
        ),
        (
            {"alarms": RULES, "alarms_by_tag": {"flow night": RULES}},
            InputError,
            "alarms.by_tag: expected one of flow system, pressure system, got 'flow night'",
        ),
        (
            {"alarms": RULES, "model": "tiny-forecast"},
            MismatchError,
            "start.alarms: expected a model of kind outlier, got tiny-forecast",
        ),
    ],
    ids=["latching", "no alarms", "no such tag", "forecast"],
)
def test_what_can_not_be_watched_is_refused(
    named: dict[str, Any], error: type[Exception], text: str, plant_server: RunningServer
) -> None:
    source = RowsReplay(ROWS, speed=0)
    start = {"asset": "x", "model": "tiny-outlier"} | named
    with Client(plant_server.address) as client, pytest.raises(error) as caught:
        list(client.monitor(source, **start))
    assert str(caught.value) == text


def test_a_rule_out_of_range_is_named(plant_server: RunningServer) -> None:
    with grpc.insecure_channel(plant_server.address) as channel:
        rules = alert_pb2.AlarmRules(from_stage=7)
        stream = OpenStream(channel, "Monitor", asset="x", model="tiny-outlier", alarms=rules)
        _, failed = stream.fail()
    assert failed.code is StatusCode.INVALID_ARGUMENT
    assert (failed.reason, failed.field) == ("ALARMS", "alarms.from_stage")
    assert failed.text == "alarms.from_stage: expected 1 to 4, got 7"


@pytest.mark.parametrize("kind", AlertKind)
def test_each_kind_of_alert_travels_whole(kind: AlertKind) -> None:
    alert = Alert(
        "id", "plant", kind, 1_700_000_000_000_001, "system", "flow", "m3/h", 3, 4, -0.5, "STUCK",
        "flow-outlier", ("FILLED", "GARBLED"),
    )  # fmt: skip
    message = pb.MonitorResponse(alert=encode_alert(alert))
    assert decode_alert(pb.MonitorResponse.FromString(message.SerializeToString()).alert) == alert


def test_a_missing_value_stays_missing_and_0_stays_0() -> None:
    given = [
        Alert("id", "plant", AlertKind.RAISED, 0, "system", "", "1", 3, 0, value)
        for value in (None, 0.0)
    ]
    assert [decode_alert(encode_alert(alert)) for alert in given] == given


@pytest.mark.parametrize("field", ["kind", "stage"])
def test_an_alert_that_only_a_newer_server_knows_is_refused(field: str) -> None:
    alert = Alert("id", "plant", AlertKind.RAISED, 0, "system", "", "1", 3, 0, None)
    message = encode_alert(alert)
    setattr(message, field, 77)
    with pytest.raises(
        MismatchError, match=r"alert: expected one that this client knows, got .*77"
    ):
        decode_alert(message)
