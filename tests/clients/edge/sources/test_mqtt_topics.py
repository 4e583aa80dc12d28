import pytest
from live import pairs
from pydantic import ValidationError

from wearcast.clients.edge.readings import Reading
from wearcast.clients.edge.sources.mqtt_topics import TopicReader, TopicSettings
from wearcast.signals.clock import parse_time

CHANNELS = ("flow_rate", "pressure")
NOW_US = parse_time("2024-05-01T10:00Z")


def make_reader(**settings: object) -> TopicReader:
    return TopicReader(TopicSettings(**settings), CHANNELS, "Asia/Seoul", lambda: NOW_US)


def test_a_level_of_the_topic_is_the_channel():
    reader = make_reader(filter="plant/+/+", levels="_/_/channel")
    assert reader.read("plant/p7/flow_rate", b"40.2") == [Reading(NOW_US, "flow_rate", 40.2)]
    assert reader.read("plant/p7/level", b"1") == []


def test_a_level_below_a_hash_may_lack():
    reader = make_reader(filter="plant/#", levels="_/_/channel")
    assert reader.read("plant/p7", b"40.2") == []
    assert pairs(reader.read("plant/p7/pressure/raw", b"5")) == [("pressure", 5.0)]


def test_names_of_topics_are_mapped_to_channels():
    reader = make_reader(filter="plant/+", levels="_/channel", names={"FT-101": "flow_rate"})
    assert pairs(reader.read("plant/FT-101", b"40.2")) == [("flow_rate", 40.2)]


@pytest.mark.parametrize("payload", [b"ERR", b"\xff\xfe", b"inf", b"1_0"])
def test_a_payload_that_is_no_number_is_garbled(payload: bytes):
    reader = make_reader(filter="flow", channel="flow_rate")
    assert reader.read("flow", payload) == [Reading(NOW_US, "flow_rate", None, ("GARBLED",))]


def test_an_empty_payload_is_missing():
    reader = make_reader(filter="flow", channel="flow_rate")
    assert reader.read("flow", b"") == [Reading(NOW_US, "flow_rate", None)]


def test_value_and_time_are_found_in_json():
    reader = make_reader(
        filter="flow", channel="flow_rate", payload="json", value="data.v", time="data.t"
    )
    (reading,) = reader.read("flow", b'{"data": {"v": 40.2, "t": "2024-05-01 18:00"}}')
    assert reading == Reading(parse_time("2024-05-01T09:00Z"), "flow_rate", 40.2)
    (reading,) = reader.read("flow", b'{"data": {"v": null, "t": 1714554000}}')
    assert reading == Reading(parse_time("2024-05-01T09:00Z"), "flow_rate", None)


@pytest.mark.parametrize(("channels", "text"), [("c", '{"c": %s}'), (".", "%s")])
def test_one_message_may_hold_many_channels(channels: str, text: str):
    reader = make_reader(filter="all", payload="json", channels=channels)
    message = text % '{"flow_rate": 40.2, "pressure": "high", "level": 1}'
    assert pairs(reader.read("all", message.encode())) == [("flow_rate", 40.2), ("pressure", None)]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"40.2.1", "flow: expected JSON, got b'40.2.1'"),
        (b"[" * 10_000, "flow: expected JSON, got b"),
        (b"[]", r"t: expected it in the message, got '\[\]'"),
        (b'{"t": true, "value": 1}', "t: expected a time, got True"),
        (b'{"t": "noon", "value": 1}', "expected a time, got 'noon'"),
        (b'{"t": "2024-05-01"}', "value: expected it in the message, got"),
    ],
)
def test_json_that_is_not_as_set_is_refused(payload: bytes, message: str):
    reader = make_reader(filter="flow", channel="flow_rate", payload="json", time="t")
    with pytest.raises(ValueError, match=message):
        reader.read("flow", payload)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "expected one of them, got none"),
        ({"channel": "flow_rate", "levels": "_/channel"}, "got levels, channel"),
        ({"levels": "_/asset"}, "levels: expected _ and one channel, got '_/asset'"),
        ({"levels": "channel/channel"}, "levels: expected _ and one channel"),
        ({"levels": "_/_/channel"}, "levels: expected 2, as in filter, got 3"),
        ({"channel": "flow_rate", "time": "t"}, "payload: expected json"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict[str, str], message: str):
    with pytest.raises(ValidationError, match=message):
        TopicSettings(filter="plant/+", **settings)
