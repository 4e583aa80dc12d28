"""Streams that do what they should: live, in batch, broken off, replaced, idle, slow."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import grpc
import numpy as np
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from oracle import naive_estimates
from tiny import HOP_US, START_US, wearing_block
from waiting import LONG_S, wait_until
from wire import OpenStream, batches, block_message, estimates_of, failure, notices_of

from wearcast.clients.client import Client
from wearcast.serving.encode import encode_estimate
from wearcast.v1 import estimate_pb2, samples_pb2
from wearcast.v1 import machine_health_pb2 as pb
from wearcast.v1.machine_health_pb2_grpc import MachineHealthServiceStub

# The line of a life of 41.3 blocks meets no threshold exactly, where rounding would decide.
BLOCKS = [wearing_block(number, 41.3) for number in range(50)]

FLOOD = 40_000
SMALL_BUFFERS = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65536)]


def assert_same(messages, estimates):
    """Keys and times equal, life fractions within float32 rounding."""
    expected = [encode_estimate(estimate) for estimate in estimates]
    assert [(item.sequence, item.window_end) for item in messages] == [
        (item.sequence, item.window_end) for item in expected
    ]
    for field in ("life_fraction", "rul_s", "rul_low_s", "rul_high_s", "age_s", "alarm", "band"):
        got = [getattr(item.remaining_life, field) for item in messages]
        assert got == pytest.approx(
            [getattr(item.remaining_life, field) for item in expected], rel=1e-4, abs=1e-5
        ), field


@pytest.mark.parametrize("size", [1, 2, 7, 50])
@pytest.mark.parametrize("method", ["Monitor", "Predict"])
def test_equals_one_window_after_the_other(channel, request, method, size):
    named = {"asset": request.node.name} if method == "Monitor" else {}
    stream = OpenStream(channel, method, age_at_start_s=500.0, **named)
    for batch in batches(BLOCKS, size):
        stream.send(*batch)
    estimates = estimates_of(stream.finish())
    assert len(estimates) == len(BLOCKS) - 3 + 1
    assert_same(estimates, naive_estimates(BLOCKS, 500.0))


def test_window_end_is_the_time_of_its_own_last_sample(channel):
    stream = OpenStream(channel, "Predict")
    stream.send(*BLOCKS[:5])
    ends = [item.window_end.ToMicroseconds() for item in estimates_of(stream.finish())]
    assert ends == [START_US + number * HOP_US + round(63 / 25600 * 1e6) for number in (2, 3, 4)]


def test_two_streams_at_once_keep_apart(channel):
    streams = [OpenStream(channel, "Monitor", asset=f"pair {number}").open() for number in (1, 2)]
    recordings = [BLOCKS, [wearing_block(number, 90.7) for number in range(50)]]
    for batch in zip(*recordings, strict=True):
        for stream, block in zip(streams, batch, strict=True):
            stream.send(block)
    for stream, blocks in zip(streams, recordings, strict=True):
        assert_same(estimates_of(stream.finish()), naive_estimates(blocks))


def test_declared_gap(channel):
    stream = OpenStream(channel, "Monitor", asset="gap").open()
    after = [
        wearing_block(10, 41.3, after_gap=True),
        *(wearing_block(n, 41.3) for n in (11, 12, 13)),
    ]
    stream.send(*BLOCKS[:4])
    stream.send(*after)
    responses = stream.finish()
    estimates = estimates_of(responses)
    assert [item.sequence for item in estimates] == [2, 3, 12, 13]
    assert [list(item.quality) for item in estimates] == [
        [],
        [],
        [samples_pb2.QUALITY_FLAG_AFTER_GAP],
        [],
    ]
    (notice,) = notices_of(responses)
    assert (notice.code, notice.sequence) == (pb.NOTICE_CODE_GAP, 10)
    assert notice.text == "blocks before 10 are lost; windows start afresh"
    assert_same(estimates, naive_estimates([*BLOCKS[:4], *after]))


def test_break_between_a_gap_and_the_next_answer(channel):
    first = OpenStream(channel, "Monitor", asset="gap and break").open()
    after = [wearing_block(10, 41.3, after_gap=True), wearing_block(11, 41.3)]
    first.send(*BLOCKS[:5])
    first.send(*after)
    before = estimates_of(first.responses_until(11))
    first.hang_up()
    second = OpenStream(channel, "Monitor", asset="gap and break", received_sequence=4).open()
    assert (second.started.acknowledged_sequence, second.started.next_sequence) == (4, 3)
    second.send(*after, BLOCKS[12])
    estimates = [*before, *estimates_of(second.finish())]
    assert_same(estimates, naive_estimates([*BLOCKS[:5], *after, BLOCKS[12]]))
    assert list(estimates[-1].quality) == [samples_pb2.QUALITY_FLAG_AFTER_GAP]


def test_highest_numbers_still_give_finite_answers(channel):
    stream = OpenStream(channel, "Monitor", asset="old", age_at_start_s=1e10).open()
    last = 2**40
    stream.send(*BLOCKS[:20])
    stream.send(
        *(block_message(BLOCKS[20 + n], sequence=last - 9 + n, after_gap=n == 0) for n in range(10))
    )
    answers = estimates_of(stream.finish())
    assert answers[-1].sequence == last
    for answer in answers:
        life = answer.remaining_life
        values = [life.rul_s, life.rul_low_s, life.rul_high_s, life.line.value]
        values += [item.probability for item in life.failure_probabilities]
        assert np.isfinite(values).all()
    again = OpenStream(channel, "Monitor", asset="old").open()
    assert again.started.acknowledged_sequence == last
    assert estimates_of(again.finish()) == answers


def test_filled_readings_mark_every_answer_made_from_them(channel):
    blocks = [replace(block, filled=block.sequence == 4) for block in BLOCKS[:9]]
    filled = [samples_pb2.QUALITY_FLAG_FILLED]
    expected = {number: filled if 4 <= number <= 6 else [] for number in range(2, 9)}
    first = OpenStream(channel, "Monitor", asset="filled").open()
    first.send(*blocks[:6])
    answers = estimates_of(first.responses_until(5))
    first.hang_up()
    second = OpenStream(channel, "Monitor", asset="filled", received_sequence=5).open()
    second.send(*blocks[second.started.next_sequence :])
    answers += estimates_of(second.finish())
    assert {item.sequence: list(item.quality) for item in answers} == expected


def test_a_client_says_which_blocks_are_filled(tiny_server):
    blocks = [replace(block, filled=block.sequence == 4) for block in BLOCKS[:9]]
    with Client(tiny_server.address) as client:
        answers = list(client.predict(blocks, model="tiny"))
    assert [item.sequence for item in answers if item.quality == ("FILLED",)] == [4, 5, 6]


def test_clock_jump(channel):
    stream = OpenStream(channel, "Monitor", asset="jump").open()
    moved = block_message(BLOCKS[5])
    moved.start_time.FromMicroseconds(BLOCKS[5].start_us - 3_600_000_000)
    stream.send(*BLOCKS[:5], moved)
    responses = stream.finish()
    assert list(estimates_of(responses)[-1].quality) == [samples_pb2.QUALITY_FLAG_CLOCK_JUMP]
    (notice,) = notices_of(responses)
    assert (notice.code, notice.sequence) == (pb.NOTICE_CODE_CLOCK_JUMP, 5)


def test_alarm_is_told_once_also_over_a_break(channel):
    first = OpenStream(channel, "Monitor", asset="alarm").open()
    first.send(*BLOCKS[:46])
    responses = first.responses_until(45)
    first.hang_up()
    second = OpenStream(channel, "Monitor", asset="alarm", received_sequence=45).open()
    second.send(*BLOCKS[44:])
    later = second.finish()
    notices = notices_of([*responses, *later])
    assert [notice.code for notice in notices] == [pb.NOTICE_CODE_LIFE_ALARM]
    alarms = [item for item in estimates_of(responses) if item.remaining_life.alarm]
    assert notices[0].sequence == alarms[0].sequence
    assert alarms[0].remaining_life.band == estimate_pb2.LIFE_BAND_ALARM
    assert all(item.remaining_life.alarm for item in estimates_of(later))


@pytest.mark.parametrize("received", [None, 3])
def test_notices_that_a_break_swallowed_come_again(channel, received):
    """All is stored, but the client has read nothing of it, or only the first answers."""
    asset = f"swallowed {received}"
    moved = block_message(BLOCKS[12])
    moved.start_time.FromMicroseconds(BLOCKS[12].start_us - 3_600_000_000)
    first = OpenStream(channel, "Monitor", asset=asset).open()
    first.send(*BLOCKS[:5])
    first.send(wearing_block(9, 41.3, after_gap=True), *BLOCKS[10:12], moved, *BLOCKS[13:])
    told = notices_of(first.finish())
    assert [notice.code for notice in told] == [
        pb.NOTICE_CODE_GAP,
        pb.NOTICE_CODE_CLOCK_JUMP,
        pb.NOTICE_CODE_CLOCK_JUMP,
        pb.NOTICE_CODE_LIFE_ALARM,
    ]
    again = OpenStream(channel, "Monitor", asset=asset, received_sequence=received).open()
    assert again.started.acknowledged_sequence == 49
    assert notices_of(again.finish()) == told


def test_who_has_the_alarming_answer_has_the_notice_too(channel):
    stream = OpenStream(channel, "Monitor", asset="notice first").open()
    told = []
    for block in BLOCKS:
        stream.send(block)
        told += stream.responses_until(block.sequence) if block.sequence else []
    kinds = [
        "notice" if item.HasField("notice") else "alarm"
        for item in told
        if item.HasField("notice")
        or any(answer.remaining_life.alarm for answer in item.estimates.estimates)
    ]
    assert kinds[:2] == ["notice", "alarm"]
    assert "notice" not in kinds[1:]
    stream.hang_up()


def test_resumes_after_a_break(channel):
    first = OpenStream(channel, "Monitor", asset="break", age_at_start_s=100.0).open()
    assert (first.started.next_sequence, first.started.version) == (0, 1)
    assert not first.started.HasField("acknowledged_sequence")
    first.send(*BLOCKS[:20])
    before = estimates_of(first.responses_until(19))
    first.hang_up()
    # The client has only the answers up to block 9, and claims another age: the first one counts.
    second = OpenStream(
        channel, "Monitor", asset="break", received_sequence=9, age_at_start_s=7.0
    ).open()
    assert second.started.acknowledged_sequence == 19
    assert second.started.next_sequence == 18
    second.send(*BLOCKS[18:])
    after = estimates_of(second.finish())
    assert [item.sequence for item in after] == list(range(10, 50))
    assert after[:10] == before[8:]
    assert_same([*before[:8], *after], naive_estimates(BLOCKS, 100.0))


def test_many_missed_estimates_come_again(channel):
    blocks = [wearing_block(number, 1000) for number in range(1203)]
    first = OpenStream(channel, "Monitor", asset="pages").open()
    first.send(*blocks)
    before = estimates_of(first.responses_until(1202))
    first.hang_up()
    second = OpenStream(channel, "Monitor", asset="pages").open()
    assert estimates_of(second.finish()) == before


def test_newest_stream_wins(channel):
    old = OpenStream(channel, "Monitor", asset="twice").open()
    old.send(*BLOCKS[:10])
    old.responses_until(9)
    new = OpenStream(channel, "Monitor", asset="twice", received_sequence=9).open()
    _, got = old.fail()
    assert (got.code, got.reason) == (StatusCode.ABORTED, "REPLACED")
    assert got.text == "another stream took over asset 'twice' of tiny/1"
    new.send(*BLOCKS[8:12])
    assert [item.sequence for item in estimates_of(new.responses_until(11))] == [10, 11]
    assert new.finish() == []


def test_many_at_once_for_one_asset_leave_one(channel):
    all_there = threading.Barrier(8)
    with ThreadPoolExecutor(8) as threads:
        ends = list(threads.map(lambda _: end_of_one_of_many(channel, all_there), range(8)))
    assert sorted(ends) == ["REPLACED"] * 7 + ["well"]


def end_of_one_of_many(channel, all_there: threading.Barrier) -> str:
    stream = OpenStream(channel, "Monitor", asset="crowd")
    try:
        stream.open()
    except grpc.RpcError as error:  # replaced before it was let in
        all_there.wait(LONG_S)
        return failure(error).reason
    # Until each has been let in or replaced, else the first would be through before the last came.
    all_there.wait(LONG_S)
    stream.send(*BLOCKS[:3])
    try:
        stream.finish()
    except grpc.RpcError as error:
        return failure(error).reason
    return "well"


def test_idle_streams_do_not_hold_up_health(channel):
    idle = [OpenStream(channel, "Monitor", asset=f"idle {n}").open() for n in range(60)]
    health = health_pb2_grpc.HealthStub(channel)
    for _ in range(10):
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=60)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    for stream in idle:
        stream.send(*BLOCKS[:3])
        assert len(estimates_of(stream.finish())) == 1


def flood(sent, request, first_request):
    """Requests of 20 MB in all, more than all buffers on the way hold; `sent` counts them."""
    yield first_request
    template = block_message(BLOCKS[20])
    for first in range(0, FLOOD, 20):
        batch = samples_pb2.BlockBatch(blocks=[template] * 20)
        for number, message in enumerate(batch.blocks, first):
            message.sequence = number
        sent[0] = first + 20
        yield request(blocks=batch)


def wait_until_stuck(sent) -> int:
    """Until nothing more has been sent for two seconds; gives how much had been."""
    wait_until(lambda: sent[0])
    seen = []
    while len(seen) < 5 or len(set(seen[-5:])) > 1:
        seen.append(sent[0])
        time.sleep(0.5)
    return seen[-1]


def test_slow_reader_is_held_back_and_others_are_not(tiny_server, channel):
    """Who does not read is not read from: neither side may pile up answers or blocks."""
    sent = [0]
    start = pb.PredictRequest(start=pb.PredictStart(model="tiny"))
    with grpc.insecure_channel(tiny_server.address, SMALL_BUFFERS) as slow:
        requests = flood(sent, pb.PredictRequest, start)
        call = MachineHealthServiceStub(slow).Predict(requests, timeout=LONG_S)
        assert 0 < wait_until_stuck(sent) < FLOOD
        other = OpenStream(channel, "Predict")
        other.send(*BLOCKS)
        assert len(estimates_of(other.finish())) == 48
        answers = estimates_of(list(itertools.islice(call, 500)))
        assert [item.sequence for item in answers] == list(range(2, 2 + len(answers)))
        call.cancel()


def test_stuck_stream_can_be_replaced(tiny_server, channel):
    """The old stream can't even be told: its client does not read."""
    sent = [0]
    start = pb.MonitorRequest(start=pb.MonitorStart(model="tiny", asset="stuck"))
    with grpc.insecure_channel(tiny_server.address, SMALL_BUFFERS) as slow:
        requests = flood(sent, pb.MonitorRequest, start)
        call = MachineHealthServiceStub(slow).Monitor(requests, timeout=LONG_S)
        assert 0 < wait_until_stuck(sent) < FLOOD
        new = OpenStream(channel, "Monitor", asset="stuck").open()
        following = new.started.acknowledged_sequence + 1
        new.send(*(wearing_block(number, 9e4) for number in range(following - 2, following + 2)))
        assert estimates_of(new.finish())[-1].sequence == following + 1
        with pytest.raises(grpc.RpcError) as raised:
            list(call)
        assert failure(raised.value).reason == "REPLACED"


def test_broken_client_leaves_nothing_behind(channel):
    for _ in range(20):
        stream = OpenStream(channel, "Monitor", asset="comes and goes").open()
        stream.send(*BLOCKS[:10])
        stream.hang_up()
    last = OpenStream(channel, "Monitor", asset="comes and goes").open()
    last.send(*BLOCKS[last.started.next_sequence :])
    assert [item.sequence for item in estimates_of(last.finish())] == list(range(2, 50))
