"""Servers that die, or are told to: nothing lost, nothing twice."""

import contextlib
import random
import sqlite3
import time
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from oracle import naive_estimates
from running import running_server
from tiny import wearing_block
from waiting import LONG_S
from wire import OpenStream, acknowledged_by, batches, estimates_of, notices_of

from wearcast.signals.clock import format_time
from wearcast.v1 import machine_health_pb2 as pb

BLOCKS = [wearing_block(number, 61.3) for number in range(80)]


def stored_rows(store: Path) -> list[tuple]:
    with sqlite3.connect(store) as connection:
        rows = connection.execute(
            "SELECT asset, model, version, sequence, window_end, alarm, round(life_fraction, 5),"
            " round(rul_s, 0) FROM remaining_life ORDER BY sequence"
        ).fetchall()
    connection.close()
    return rows


def undisturbed_rows(asset: str) -> list[tuple]:
    return [
        (
            asset,
            "tiny",
            1,
            item.sequence,
            format_time(item.window_end_us),
            item.remaining_life.alarm,
            pytest.approx(item.remaining_life.life_fraction, abs=2e-5),
            pytest.approx(item.remaining_life.rul_s, rel=1e-3, abs=1),
        )
        for item in naive_estimates(BLOCKS)
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill_9_and_resume(tiny_models, tmp_path, seed):
    store = tmp_path / "estimates.sqlite"
    chance = random.Random(seed)
    received = {}
    kills = 0
    finished = False
    while not finished:
        with (
            running_server(tiny_models, "--store", str(store)) as server,
            grpc.insecure_channel(server.address) as channel,
        ):
            named = {"received_sequence": max(received)} if received else {}
            stream = OpenStream(channel, "Monitor", asset="pump", **named).open()
            rest = BLOCKS[stream.started.next_sequence :]
            for batch in batches(rest, 5):
                stream.send(*batch)
            if kills < 2:
                # Somewhere in the middle of the work, wherever that happens to be; at its end, if
                # there are fewer responses, as where many blocks were answered at once.
                wanted = chance.randrange(1, 30)
                with contextlib.suppress(grpc.RpcError):
                    for response in stream.call:
                        received |= {item.sequence: item for item in response.estimates.estimates}
                        wanted -= 1
                        if wanted == 0 or acknowledged_by(response) == BLOCKS[-1].sequence:
                            time.sleep(chance.random() / 200)
                            server.kill()
                stream.hang_up()
                kills += 1
            else:
                for response in stream.finish():
                    received |= {item.sequence: item for item in response.estimates.estimates}
                finished = True
                assert server.terminate() == 0
    assert list(received) == list(range(2, 80))
    assert stored_rows(store) == undisturbed_rows("pump")


def test_sigterm_drains(tiny_models, tmp_path):
    store = tmp_path / "estimates.sqlite"
    with (
        running_server(tiny_models, "--store", str(store)) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        working = OpenStream(channel, "Monitor", asset="working").open()
        idle = OpenStream(channel, "Monitor", asset="idle").open()
        working.send(*BLOCKS)
        first = estimates_of(working.responses_until(1))
        assert server.terminate() == 0
        responses, got = working.fail()
        assert (got.code, got.reason) == (StatusCode.UNAVAILABLE, "DRAINING")
        (notice,) = [item for item in notices_of(responses) if item.code == pb.NOTICE_CODE_DRAINING]
        assert notice.text == "the server is going away; connect again and go on"
        told = [item.sequence for item in [*first, *estimates_of(responses)]]
        assert told == [row[3] for row in stored_rows(store)]
        assert notice.sequence == told[-1] + 1
        (idle_response,), idle_end = idle.fail()
        assert idle_response.notice.code == pb.NOTICE_CODE_DRAINING
        assert idle_end.code == StatusCode.UNAVAILABLE


def test_health_says_so_while_draining(tiny_models):
    with (
        running_server(tiny_models, "--drain-s", "200") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        predict = OpenStream(channel, "Predict")
        predict.send(*BLOCKS[:5])
        predict.responses_until(4)
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        server.process.terminate()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        # What is under way may still be finished.
        predict.send(*BLOCKS[5:10])
        assert len(estimates_of(predict.finish())) == 5
        watch.cancel()  # it would last as long as the server drains
        assert server.process.wait(LONG_S) == 0
