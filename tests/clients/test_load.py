import asyncio
import json
import time

import grpc.aio
import numpy as np
import pytest
from program import run
from running import running_server
from tiny import tiny_contract, write_tiny_model

from wearcast.clients.access import Access
from wearcast.clients.load import (
    OpenStreamCaller,
    PredictCaller,
    UnaryCaller,
    make_request,
    press,
)
from wearcast.inference import open_inference_pb2
from wearcast.signals.errors import InputError

CONTRACT = tiny_contract()
ROWS = 3
LONGER = (0.3, 3, 30)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    write_tiny_model(models)
    with running_server(models) as server:
        yield server


def loaded(address, make, *, callers=2, **arguments):
    """Measured for so long that something came of it, as a busy machine may stand still."""

    async def measure(seconds):
        async with grpc.aio.insecure_channel(address) as channel:
            asks = [make(channel).ask for _ in range(callers)]
            return await press(asks, seconds=seconds, warm_s=0.05, **arguments)

    for seconds in LONGER:
        load = asyncio.run(measure(seconds))
        if len(load.latencies_s) + sum(load.errors.values()) > 1 and load.cpu_s > 0:
            break
    return load


def benched(*words):
    """What the verb says in the same way."""
    for seconds in LONGER:
        done = run("bench", "serve", "--seconds", seconds, *words, "--json")
        assert done.returncode == 0, done.stderr
        if json.loads(done.stdout)["requests"]:
            break
    return json.loads(done.stdout)


def rows_answered(address):
    async def main():
        async with grpc.aio.insecure_channel(address) as channel:
            call = channel.unary_unary(
                "/inference.GRPCInferenceService/ModelStatistics",
                response_deserializer=open_inference_pb2.ModelStatisticsResponse.FromString,
            )
            response = await call(b"")
            return response.model_stats[0].inference_count

    return asyncio.run(main())


@pytest.mark.parametrize(
    "make",
    [
        lambda channel: UnaryCaller(channel, make_request(CONTRACT, ROWS)),
        lambda channel: OpenStreamCaller(channel, make_request(CONTRACT, ROWS)),
        lambda channel: PredictCaller(channel, CONTRACT, ROWS),
    ],
    ids=["unary", "open stream", "predict"],
)
def test_what_is_counted_was_answered(server, make):
    before = rows_answered(server.address)
    load = loaded(server.address, make)
    assert load.errors == {}
    assert len(load.latencies_s) > 0
    assert rows_answered(server.address) - before >= ROWS * len(load.latencies_s)
    assert load.quantile_s(0.5) <= load.quantile_s(0.99)
    assert load.requests_per_s == pytest.approx(len(load.latencies_s) / load.seconds)


def test_meters_are_read_at_both_ends(server):
    def make(channel):
        return UnaryCaller(channel, make_request(CONTRACT, 1))

    moments = []

    def read_moment():
        moments.append(time.perf_counter())
        return moments[-1]

    load = loaded(server.address, make, meters=[read_moment, lambda: 5.0])
    begin_s, end_s = moments[-2:]
    assert load.metered == (end_s - begin_s, 0)
    assert load.seconds > 0
    assert load.cpu_s > 0


@pytest.mark.parametrize(
    "make",
    [
        lambda channel: UnaryCaller(channel, make_request(tiny_contract("other"), 1)),
        lambda channel: PredictCaller(channel, tiny_contract("other"), 1),
    ],
    ids=["unary", "predict"],
)
def test_errors_are_counted_by_their_status(server, make):
    load = loaded(server.address, make)
    assert load.errors["NOT_FOUND"] > 1
    assert len(load.latencies_s) == 0
    assert np.isnan(load.quantile_s(0.5))


def test_an_open_stream_tells_its_errors(server):
    def make(channel):
        return OpenStreamCaller(channel, make_request(tiny_contract("other"), 1))

    load = loaded(server.address, make)
    assert set(load.errors) == {"UNKNOWN"}


def test_a_request_without_windows_is_refused():
    with pytest.raises(InputError, match="rows: expected 1 or more, got 0"):
        PredictCaller(None, CONTRACT, 0)


def test_a_channel_of_asyncio_carries_the_token():
    async def main():
        channel, metadata = Access("127.0.0.1:1", token="secret").open_async_channel([])
        await channel.close()
        return metadata

    assert asyncio.run(main()) == [("authorization", "Bearer secret")]


@pytest.mark.parametrize("protocol", ["open", "stream"])
def test_the_verb_prints_what_it_measured(server, protocol):
    words = ("--server", server.address, "--model", "tiny", "--protocol", protocol)
    figures = benched(*words, "--rows", 2, "--callers", 3)
    assert figures["errors"] == {}
    assert figures["rows_per_s"] == 2 * figures["requests_per_s"] > 0
    assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]


def test_the_verb_prints_words_too(server):
    words = ("bench", "serve", "--server", server.address, "--model", "tiny", "--seconds", 0.2)
    lines = run(*words).stdout.splitlines()
    assert lines[0].startswith("tiny/1: 8 callers, 1 windows a request")
    assert lines[1].startswith("requests/s  ")
    assert "errors      none" in lines


def test_the_verb_knows_no_other_model(server):
    done = run("bench", "serve", "--server", server.address, "--model", "other")
    assert done.returncode == 5
    assert "other" in done.stderr
