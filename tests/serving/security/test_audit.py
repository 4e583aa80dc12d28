"""Refused calls in the log of a real server: who, what and why, and never too many lines."""

import asyncio
import json
import logging

import grpc
import pytest
from bearer import NOBODY, TokenFile, call
from engines import until
from running import running_server
from tiny import wearing_block
from waiting import wait_until
from wire import OpenStream

from wearcast.serving.security.audit import LINES, Audit
from wearcast.signals.errors import AccessError, BusyError

MODELS = "/wearcast.v1.MachineHealthService/ListModels"
PREDICT = "wearcast.v1.MachineHealthService/Predict"
MONITOR = "wearcast.v1.MachineHealthService/Monitor"
WHO = "from ipv4:1.2.3.4:5 with no token that is known"


def refusals(log):
    *whole, _ = log.read_text().split("\n")
    lines = [json.loads(line) for line in whole]
    return [line for line in lines if line["message"].startswith("refused")]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def tokens(tmp_path):
    return TokenFile(tmp_path / "tokens.toml", plant=["ingest"], office=["infer"])


@pytest.fixture
def server(tiny_models, tokens, log):
    flags = ("--tokens", str(tokens.path), "--max-streams", "1", "--log-format", "json")
    with running_server(tiny_models, *flags, log=log) as server:
        yield server


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server.address) as channel:
        yield channel


def test_a_line_says_who_was_refused_what_and_why(channel, tokens, log):
    call(channel, MODELS)
    call(channel, MODELS, (("authorization", "Bearer guessed"), ("x-request-id", "order 7")))
    call(channel, MODELS, tokens.header("plant"))
    call(channel, NOBODY[1], tokens.header("plant"))
    wait_until(lambda: len(refusals(log)) == 4)
    lines = refusals(log)
    known = MODELS.removeprefix("/")
    assert [(line["method"], line["reason"], line.get("holder")) for line in lines] == [
        (known, "TOKEN", None),
        (known, "TOKEN", None),
        (known, "ROLE", "plant"),
        (repr(NOBODY[1]), "ROLE", "plant"),
    ]
    assert lines[1]["request_id"] == "order 7"
    assert {line["level"] for line in lines} == {"WARNING"}
    assert {line["peer"].rpartition(":")[0] for line in lines} == {"ipv4:127.0.0.1"}
    assert lines[2]["message"] == (
        f"refused {MODELS}: ROLE, from {lines[2]['peer']} with the token of plant"
    )
    assert "guessed" not in log.read_text()
    assert tokens["plant"] not in log.read_text()


def test_a_stream_that_is_one_too_many_or_loses_its_token_has_one_line(channel, tokens, log):
    office = {"metadata": tokens.header("office")}
    stream = OpenStream(channel, "Monitor", asset="pump", **office).open()
    OpenStream(channel, "Predict", **office).fail()
    tokens.write(plant=["ingest"])
    wait_until(lambda: call(channel, MODELS, tokens.header("office")) is not None)
    stream.send(wearing_block(0, 9))
    stream.fail()
    wait_until(lambda: [line for line in refusals(log) if line["method"] == MONITOR])
    lines = [line for line in refusals(log) if line["method"] in {PREDICT, MONITOR}]
    assert [(line["method"], line["reason"], line["holder"]) for line in lines] == [
        (PREDICT, "BUSY", "office"),
        (MONITOR, "TOKEN", "office"),
    ]


def test_what_is_let_in_has_no_line_and_a_flood_has_a_few(server, channel, tokens, log):
    assert call(channel, MODELS, tokens.header("office")) is None
    for _ in range(3 * LINES):
        call(channel, MODELS)
    assert server.terminate() == 0
    *lines, last = refusals(log)
    assert len(lines) == LINES
    assert last["message"] == f"refused {2 * LINES} more calls: TOKEN {2 * LINES}"


def test_lines_begin_anew_with_the_next_window(caplog):
    caplog.set_level(logging.WARNING)

    async def main():
        audit = Audit(lines=2, window_s=0.05)
        for error in (AccessError("a", "b", "c"), *[BusyError("full")] * 4):
            audit.refused(error, "/x.y/Z", "ipv4:1.2.3.4:5", "")
        await until(lambda: len(caplog.messages) == 3)
        audit.refused(BusyError("full"), "/x.y/Z\n2026 INFO all is well", "ipv4:1.2.3.4:5", "")
        audit.close()
        audit.close()

    asyncio.run(main())
    assert caplog.messages == [
        f"refused '/x.y/Z': TOKEN, {WHO}",
        f"refused '/x.y/Z': BUSY, {WHO}",
        "refused 3 more calls: BUSY 3",
        rf"refused '/x.y/Z\n2026 INFO all is well': BUSY, {WHO}",
    ]
