"""Whatever a client says wrong: a status of its own, and everybody else goes on."""

import re
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from grpc import StatusCode
from running import running_server
from tiny import wearing_block, write_tiny_model
from wire import OpenStream, block_message, estimates_of, failure

from wearcast.clients.client import Client, ClientSettings
from wearcast.clients.errors import is_passing
from wearcast.signals.errors import InputError
from wearcast.v1 import machine_health_pb2 as pb
from wearcast.v1 import samples_pb2
from wearcast.v1.machine_health_pb2_grpc import MachineHealthServiceStub

GOOD = [wearing_block(number, 50) for number in range(3)]


def third(**changes):
    return block_message(wearing_block(3, 50), **changes)


def with_value(value):
    block = wearing_block(3, 50)
    values = block.values.copy()
    values[1, 5] = value
    return block_message(block, data=values.tobytes())


def without_time():
    message = third()
    message.ClearField("start_time")
    return message


def at_time(seconds, nanos=0):
    message = third()
    message.start_time.seconds, message.start_time.nanos = seconds, nanos
    return message


def with_format(number):
    message = third()
    message.format = number
    return message


BAD_BLOCKS = {
    "more channels": (
        third(channels=3),
        StatusCode.FAILED_PRECONDITION,
        "CHANNELS",
        r"channels: expected 2 \(h, v\), got 3",
    ),
    "no channels": (
        samples_pb2.Block(sequence=3, format=1, sample_rate_hz=25600.0, data=b"1234"),
        StatusCode.FAILED_PRECONDITION,
        "CHANNELS",
        r"channels: expected 2 \(h, v\), got 0",
    ),
    "another rate": (
        third(sample_rate_hz=12800.0),
        StatusCode.FAILED_PRECONDITION,
        "RATE",
        r"sample_rate_hz: expected 25600.0, got 12800.0",
    ),
    "rate not a number": (
        third(sample_rate_hz=float("nan")),
        StatusCode.FAILED_PRECONDITION,
        "RATE",
        r"sample_rate_hz: expected 25600.0, got nan",
    ),
    "half the samples": (
        third(data=bytes(256)),
        StatusCode.FAILED_PRECONDITION,
        "LENGTH",
        r"data: expected 2 x 64 samples \(512 bytes\), got 32 samples a channel \(256 bytes\)",
    ),
    "half a sample more": (
        third(data=bytes(514)),
        StatusCode.FAILED_PRECONDITION,
        "LENGTH",
        r"data: expected 2 x 64 samples \(512 bytes\), got 64.25 samples a channel \(514 bytes\)",
    ),
    "NaN": (
        with_value(np.nan),
        StatusCode.INVALID_ARGUMENT,
        "NOT_FINITE",
        r"blocks\[3\].v\[5\]: expected a finite number, got nan",
    ),
    "infinity": (
        with_value(-np.inf),
        StatusCode.INVALID_ARGUMENT,
        "NOT_FINITE",
        r"blocks\[3\].v\[5\]: expected a finite number, got -inf",
    ),
    "gap": (
        third(sequence=5),
        StatusCode.OUT_OF_RANGE,
        "GAP",
        r"sequence: expected 3, or after_gap set, got 5",
    ),
    "out of order": (
        third(sequence=1),
        StatusCode.ABORTED,
        "OUT_OF_ORDER",
        r"sequence: expected 3 or more, got 1",
    ),
    "repeated": (
        third(sequence=2),
        StatusCode.ALREADY_EXISTS,
        "REPEATED",
        r"sequence: expected 3, got 2 again",
    ),
    "sequence beyond any life": (
        third(sequence=2**63, after_gap=True),
        StatusCode.INVALID_ARGUMENT,
        "SEQUENCE",
        r"sequence: expected at most 1099511627776, got 9223372036854775808",
    ),
    "no format": (
        with_format(0),
        StatusCode.INVALID_ARGUMENT,
        "FORMAT",
        r"blocks\[3\].format: expected 1 \(SAMPLE_FORMAT_FLOAT32_LE\), got 0",
    ),
    "unknown format": (
        with_format(99),
        StatusCode.INVALID_ARGUMENT,
        "FORMAT",
        r"blocks\[3\].format: expected 1 \(SAMPLE_FORMAT_FLOAT32_LE\), got 99",
    ),
    "a flag that is not the sender's": (
        third(quality=[samples_pb2.QUALITY_FLAG_FILLED, samples_pb2.QUALITY_FLAG_CONSTANT]),
        StatusCode.INVALID_ARGUMENT,
        "QUALITY",
        r"blocks\[3\].quality: expected nothing but 4 \(QUALITY_FLAG_FILLED\), got 3",
    ),
    "no time": (
        without_time(),
        StatusCode.INVALID_ARGUMENT,
        "TIME",
        r"blocks\[3\].start_time: expected a time, got none",
    ),
    "impossible time": (
        at_time(2**62),
        StatusCode.INVALID_ARGUMENT,
        "TIME",
        r"start_time: expected a time from 1970 to 9998, UTC, got 4.61169e\+18 s after 1970",
    ),
    "negative nanoseconds": (
        at_time(1_700_000_000, -1),
        StatusCode.INVALID_ARGUMENT,
        "TIME",
        r"start_time.nanos: expected 0 to 999999999, got -1",
    ),
}


@pytest.fixture
def neighbour(channel: grpc.Channel, request: pytest.FixtureRequest) -> Iterator[OpenStream]:
    """Another stream, in the middle of its work, that must go on when the test is over."""
    stream = OpenStream(channel, "Monitor", asset=f"neighbour of {request.node.name}"[:200]).open()
    stream.send(*GOOD)
    assert len(estimates_of(stream.responses_until(2))) == 1
    yield stream
    stream.send(wearing_block(3, 50))
    assert [item.sequence for item in estimates_of(stream.responses_until(3))] == [3]
    assert stream.finish() == []


def open_stream(channel: grpc.Channel, method: str, asset: str) -> OpenStream:
    if method == "Predict":
        return OpenStream(channel, method)
    return OpenStream(channel, method, asset=asset[:200]).open()


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("method", ["Monitor", "Predict"])
@pytest.mark.parametrize("case", BAD_BLOCKS)
def test_bad_block(channel, request, method, case):
    block, code, reason, text = BAD_BLOCKS[case]
    stream = open_stream(channel, method, request.node.name)
    stream.send(*GOOD, block)
    responses, got = stream.fail()
    assert [item.sequence for item in estimates_of(responses)] == [2]
    assert got.code == code
    assert got.reason == reason
    assert re.search(text, got.text)
    assert got.text.startswith(got.field)


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("method", ["Monitor", "Predict"])
def test_oversized_message(channel, request, method):
    stream = open_stream(channel, method, request.node.name)
    stream.send(*GOOD)
    stream.responses_until(2)
    stream.send(third(data=bytes(16 * 2**20)))
    _, got = stream.fail()
    assert (got.code, got.reason) == (StatusCode.RESOURCE_EXHAUSTED, "OVERSIZED")
    assert re.fullmatch(r"message: expected at most 16777216 bytes, got 1677\d+ bytes", got.text)
    assert got.field == "message"


def test_clients_do_not_try_an_oversized_message_again(tiny_server):
    blocks = [GOOD[0]] * (2**24 // block_message(GOOD[0]).ByteSize() + 1)
    settings = ClientSettings(blocks_per_message=len(blocks))
    with (
        Client(tiny_server.address, settings=settings) as client,
        pytest.raises(InputError, match="message: expected at most 16777216 bytes") as caught,
    ):
        list(client.predict(blocks, model="tiny"))
    assert (caught.value.reason, caught.value.exit_code) == ("OVERSIZED", 3)
    assert not is_passing(caught.value.__context__)


@pytest.mark.parametrize("method", ["Monitor", "Predict"])
def test_oversized_first_message(channel, method):
    named = {"asset": "a"} if method == "Monitor" else {}
    _, got = OpenStream(channel, method, model="m" * 2**24, **named).fail()
    assert (got.code, got.reason) == (StatusCode.RESOURCE_EXHAUSTED, "OVERSIZED")


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("method", ["Monitor", "Predict"])
def test_message_far_above_the_limit(channel, request, method):
    """gRPC itself refuses it, unread."""
    stream = open_stream(channel, method, request.node.name)
    stream.send(*GOOD)
    stream.responses_until(2)
    stream.send(third(data=bytes(18 * 2**20)))
    _, got = stream.fail()
    assert got.code == StatusCode.RESOURCE_EXHAUSTED
    assert re.search(r"larger than max \(\d+ vs\. 17825792\)", got.text)


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("method", ["Monitor", "Predict"])
@pytest.mark.parametrize(
    ("request_fields", "reason", "text"),
    [
        ({"blocks": samples_pb2.BlockBatch()}, "EMPTY", "blocks: expected one block or more"),
        ({}, "BLOCKS", "message: expected blocks, got nothing"),
        ({"start": {"model": "tiny"}}, "BLOCKS", "message: expected blocks, got start"),
    ],
)
def test_bad_later_message(channel, request, method, request_fields, reason, text):
    stream = open_stream(channel, method, request.node.name)
    stream.send_raw(**request_fields)
    _, got = stream.fail()
    assert (got.code, got.reason) == (StatusCode.INVALID_ARGUMENT, reason)
    assert got.text.startswith(text)


@pytest.mark.parametrize("method", ["Monitor", "Predict"])
def test_first_message_is_not_start(channel, method):
    stream = OpenStream(channel, method, start=False)
    stream.send(*GOOD)
    _, got = stream.fail()
    assert (got.code, got.reason) == (StatusCode.INVALID_ARGUMENT, "START")
    assert got.text == "first message: expected start, got blocks"


@pytest.mark.parametrize("method", ["Monitor", "Predict"])
def test_stream_without_any_message(channel, method):
    stream = OpenStream(channel, method, start=False)
    with pytest.raises(grpc.RpcError) as raised:
        stream.finish()
    got = failure(raised.value)
    assert (got.code, got.reason) == (StatusCode.INVALID_ARGUMENT, "START")


BAD_STARTS = {
    "unknown model": (
        {"model": "gone"},
        StatusCode.NOT_FOUND,
        "NOT_FOUND",
        "model: expected one of tiny/1, got gone/newest",
    ),
    "unknown version": (
        {"version": 9},
        StatusCode.NOT_FOUND,
        "NOT_FOUND",
        "model: expected one of tiny/1, got tiny/9",
    ),
    "negative age": (
        {"age_at_start_s": -1.0},
        StatusCode.INVALID_ARGUMENT,
        "AGE",
        "age_at_start_s: expected 0 to 1e+10, got -1.0",
    ),
    "age not a number": (
        {"age_at_start_s": float("nan")},
        StatusCode.INVALID_ARGUMENT,
        "AGE",
        "age_at_start_s: expected 0 to 1e+10, got nan",
    ),
    "no machine's age": (
        {"age_at_start_s": 1e300},
        StatusCode.INVALID_ARGUMENT,
        "AGE",
        "age_at_start_s: expected 0 to 1e+10, got 1e+300",
    ),
}
BAD_MONITOR_STARTS = {
    "no asset": ({"asset": ""}, "ASSET", "start.asset: expected 1 to 200 printable characters"),
    "long asset": ({"asset": "a" * 201}, "ASSET", "start.asset: expected 1 to 200 printable"),
    "unprintable asset": ({"asset": "a\nb"}, "ASSET", "start.asset: expected 1 to 200 printable"),
    "impossible sequence": (
        {"asset": "a", "received_sequence": 2**63},
        "SEQUENCE",
        "start.received_sequence: expected at most 1099511627776",
    ),
}


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("method", ["Monitor", "Predict"])
@pytest.mark.parametrize("case", BAD_STARTS)
def test_bad_start(channel, method, case):
    start, code, reason, text = BAD_STARTS[case]
    named = start | ({"asset": "bad start"} if method == "Monitor" else {})
    _, got = OpenStream(channel, method, **named).fail()
    assert (got.code, got.reason, got.text) == (code, reason, text)


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("case", BAD_MONITOR_STARTS)
def test_bad_monitor_start(channel, case):
    start, reason, text = BAD_MONITOR_STARTS[case]
    _, got = OpenStream(channel, "Monitor", **start).fail()
    assert (got.code, got.reason) == (StatusCode.INVALID_ARGUMENT, reason)
    assert got.text.startswith(text)


def test_unknown_model_of_get_model(channel):
    stub = MachineHealthServiceStub(channel)
    with pytest.raises(grpc.RpcError) as raised:
        stub.GetModel(pb.GetModelRequest(name="gone", version=3))
    got = failure(raised.value)
    assert (got.code, got.field) == (StatusCode.NOT_FOUND, "model")
    assert got.text == "model: expected one of tiny/1, got gone/3"


def test_readings_too_large_for_the_model(tmp_path):
    write_tiny_model(tmp_path, bounded=False)
    huge = block_message(wearing_block(3, 50), data=np.full((2, 64), 3e38, "<f4").tobytes())
    with running_server(tmp_path) as server, grpc.insecure_channel(server.address) as channel:
        stream = OpenStream(channel, "Monitor", asset="huge").open()
        stream.send(*GOOD, huge)
        responses, got = stream.fail()
        assert [item.sequence for item in estimates_of(responses)] == [2]
        assert (got.code, got.reason) == (StatusCode.INVALID_ARGUMENT, "NOT_FINITE")
        assert got.text == (
            "blocks[3]: expected readings that lead to a finite life fraction, got inf"
        )
        again = OpenStream(channel, "Monitor", asset="huge").open()
        assert again.started.acknowledged_sequence == 2
        again.hang_up()
