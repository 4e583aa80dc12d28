import os
from collections.abc import Iterator

import pytest
from live import pairs, running
from waiting import LONG_S

from wearcast.clients.edge.sources.stdin import StdinSettings, StdinSource
from wearcast.signals.clock import parse_time

CHANNELS = ("flow_rate", "pressure")
NOW_US = parse_time("2024-05-01T10:00Z")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reads, writes = os.pipe()
    yield reads, writes
    os.close(reads)


def make_source(descriptor: int, **settings: str) -> StdinSource:
    return StdinSource(
        StdinSettings(type="stdin", **settings), CHANNELS, lambda: NOW_US, descriptor
    )


def test_lines_become_readings_and_the_end_ends_the_source(pipe: tuple[int, int]):
    with running(make_source(pipe[0])) as run:
        os.write(
            pipe[1],
            b'{"time": "2024-05-01T09:39:00Z", "channels": {"flow_rate": 40.2, "pressure": null}}\n'
            b'{"time": 1714556400, "channels": {"flow_rate": 41, "level": 3}}\n',
        )
        readings = run.take(3)
        assert pairs(readings) == [("flow_rate", 40.2), ("pressure", None), ("flow_rate", 41.0)]
        assert [reading.time_us for reading in readings] == [
            parse_time("2024-05-01T09:39Z"),
            parse_time("2024-05-01T09:39Z"),
            parse_time("2024-05-01T09:40Z"),
        ]
        os.close(pipe[1])
        run.wait_for(lambda source: source.ended and source.caught_up)
        run.thread.join(LONG_S)
        assert not run.thread.is_alive()


def test_a_line_may_come_in_pieces_and_the_last_one_needs_no_end(pipe: tuple[int, int]):
    with running(make_source(pipe[0])) as run:
        os.write(pipe[1], b'{"channels": {"flow')
        run.wait_for(lambda source: source.caught_up)
        os.write(pipe[1], b'_rate": 40.5}}')
        os.close(pipe[1])
        (reading,) = run.take(1)
        assert (reading.time_us, reading.value) == (NOW_US, 40.5)


def test_times_without_an_offset_are_of_the_time_zone(pipe: tuple[int, int]):
    with running(make_source(pipe[0], time_zone="Asia/Seoul")) as run:
        os.write(pipe[1], b'{"time": "2024-05-01 18:39", "channels": {"pressure": 5}}\n')
        (reading,) = run.take(1)
        assert reading.time_us == parse_time("2024-05-01T09:39Z")
        os.close(pipe[1])


def test_what_is_no_number_is_garbled(pipe: tuple[int, int]):
    with running(make_source(pipe[0])) as run:
        os.write(pipe[1], b'{"channels": {"flow_rate": "40", "pressure": true}}\n')
        readings = run.take(2)
        assert {(reading.value, reading.quality) for reading in readings} == {(None, ("GARBLED",))}
        os.close(pipe[1])


@pytest.mark.parametrize(
    "line",
    [
        b"flow_rate=4",
        b'{"time": "noon", "channels": {}}',
        b'{"time": 12, "channels": {}}',
        b"\xff\xfe",
        b"[]",
        b'{"time": "2024-05-01T09:39Z"}',
        b"x" * (3 << 20),
    ],
    ids=["no JSON", "no time", "not since 1970", "no text", "a list", "no channels", "endless"],
)
def test_a_bad_line_is_told_and_the_next_one_is_read(pipe: tuple[int, int], line: bytes):
    with running(make_source(pipe[0])) as run, os.fdopen(pipe[1], "wb") as writer:
        writer.write(line + b"\n")
        writer.flush()
        run.wait_for(lambda source: "skipped so far" in source.problem)
        writer.write(b'{"channels": {"flow_rate": 1}}\n')
        writer.flush()
        assert pairs(run.take(1)) == [("flow_rate", 1.0)]
        run.wait_for(lambda source: not source.problem)


def test_a_line_of_endless_brackets_is_skipped(pipe: tuple[int, int]):
    with running(make_source(pipe[0])) as run:
        os.write(pipe[1], b'{"channels": {"flow_rate": ' + b"[" * 10_000 + b"\n")
        os.write(pipe[1], b'{"channels": {"flow_rate": 41}}\n')
        (reading,) = run.take(1)
        assert reading.value == 41.0
        assert run.source.skipped == 1
