import json
import os
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from program import run
from running import RunningServer, running_server
from tiny import START_US, tiny_contract, wearing_block

from wearcast.clients import Acknowledged, Client, ClientSettings
from wearcast.clients.monitor import MonitorSettings
from wearcast.clients.ndjson import NdjsonInput, parse_line
from wearcast.signals.clock import format_time
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block

CONTRACT = tiny_contract()


def _line(block: Block, **changes: object) -> str:
    horizontal, vertical = block.values.tolist()
    line = {"time": format_time(block.start_us), "channels": {"v": vertical, "h": horizontal}}
    return json.dumps(line | changes)


def _assert_same(block: Block, expected: Block) -> None:
    assert block.sequence == expected.sequence
    assert block.start_us == expected.start_us
    assert block.after_gap == expected.after_gap
    np.testing.assert_array_equal(block.values, expected.values)


@given(number=st.integers(0, 10**6), start_us=st.integers(0, 4 * 10**15))
def test_line_keeps_every_number(number: int, start_us: int) -> None:
    made = wearing_block(number, 10**6)
    block = Block(number, start_us, made.sample_rate_hz, made.values)
    parsed = parse_line(_line(block, sequence=number).encode(), 1, CONTRACT, number)
    _assert_same(parsed, block)


def test_line_without_number_is_the_next_one_and_a_jump_is_a_gap() -> None:
    text = _line(wearing_block(3, 9)).encode()
    assert parse_line(text, 1, CONTRACT, 7).sequence == 7
    assert not parse_line(text, 1, CONTRACT, 7).after_gap
    jumped = parse_line(_line(wearing_block(3, 9), sequence=9).encode(), 1, CONTRACT, 7)
    assert (jumped.sequence, jumped.after_gap) == (9, True)


SAMPLES = [0.5] * 64


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("nonsense", InputError, "line 4: expected an object"),
        ("[1]", InputError, "line 4: expected an object"),
        ('{"channels": {}}', InputError, "missing required field `time`"),
        ('{"time": "2024-01-01T00:00:00Z", "chanels": {}}', InputError, "chanels"),
        (_line(wearing_block(0, 9), time="noon"), InputError, "line 4: time: expected an ISO 8601"),
        (
            _line(wearing_block(0, 9), sequence=1),
            InputError,
            "line 4: sequence: expected 2 or more",
        ),
        (_line(wearing_block(0, 9), sequence="a"), InputError, "sequence"),
        (
            _line(wearing_block(0, 9), channels={"h": SAMPLES}),
            MismatchError,
            "line 4: channels: expected h, v, got h",
        ),
        (
            _line(wearing_block(0, 9), channels={"h": SAMPLES, "v": SAMPLES[1:]}),
            MismatchError,
            "line 4: channels.v: expected 64 samples, got 63",
        ),
        (
            _line(wearing_block(0, 9), channels={"h": SAMPLES, "v": [*SAMPLES[1:], None]}),
            InputError,
            "line 4: channels.v: expected a list of numbers",
        ),
    ],
)
def test_bad_line_is_named(text: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        parse_line(text.encode(), 4, CONTRACT, 2)
    assert message in str(caught.value)
    assert str(caught.value).startswith("line 4")


def _open_pipe() -> tuple[NdjsonInput, int]:
    reading, writing = os.pipe()
    return NdjsonInput(reading, CONTRACT), writing


def test_kept_blocks_can_be_asked_for_again_until_they_are_released() -> None:
    source, writing = _open_pipe()
    blocks = [wearing_block(number, 9) for number in range(6)]
    with os.fdopen(writing, "w") as pipe:
        pipe.write("\n\n".join(map(_line, blocks)))
    taken = list(filter(None, source.blocks(0)))
    for block, expected in zip(taken, blocks, strict=True):
        _assert_same(block, expected)
    assert [block.sequence for block in filter(None, source.blocks(2))] == [2, 3, 4, 5]
    source.release(4)
    assert [block.sequence for block in filter(None, source.blocks(2))] == [4, 5]


def test_lines_are_given_as_they_come_and_nothing_while_none_comes() -> None:
    source, writing = _open_pipe()
    blocks = source.blocks(0)
    assert next(blocks) is None
    os.write(writing, _line(wearing_block(0, 9)).encode())
    assert next(blocks) is None
    os.write(writing, b"\n")
    assert next(filter(None, blocks)).sequence == 0
    os.close(writing)
    assert list(filter(None, blocks)) == []


def test_sender_is_slowed_while_nobody_takes_and_memory_stays_small() -> None:
    source, writing = _open_pipe()
    lines = "".join(_line(wearing_block(number, 600)) + "\n" for number in range(600))
    written = threading.Event()

    def write() -> None:
        with os.fdopen(writing, "w") as pipe:
            pipe.write(lines)
        written.set()

    threading.Thread(target=write).start()
    assert not written.wait(0.5)
    assert [block.sequence for block in filter(None, source.blocks(0))] == [*range(600)]
    again = [block.sequence for block in filter(None, source.blocks(0))]
    assert again == [*range(600 - len(again), 600)]
    assert 256 <= len(again) <= 320


def test_server_that_dies_while_lines_come_loses_none(
    tiny_models: Path, tmp_path: Path, own_address: str
) -> None:
    blocks = [wearing_block(number, 40) for number in range(40)]
    source, writing = _open_pipe()
    store = ("--store", str(tmp_path / "store.sqlite"))
    settings = ClientSettings(monitor=MonitorSettings(first_wait_s=0.05, longest_wait_s=0.2))
    estimates = []
    with (
        running_server(tiny_models, *store, listen=own_address) as server,
        Client(server.address, settings=settings) as client,
        os.fdopen(writing, "w") as pipe,
        ExitStack() as stack,
    ):
        pipe.writelines(_line(block) + "\n" for block in blocks[:20])
        pipe.flush()
        for event in client.monitor(source, asset="piped", model="tiny"):
            if isinstance(event, Estimate):
                estimates.append(event)
            if isinstance(event, Acknowledged) and event.sequence == 19 and not pipe.closed:
                server.kill()
                pipe.writelines(_line(block) + "\n" for block in blocks[20:])
                pipe.close()
                again = running_server(tiny_models, *store, listen=own_address)
                stack.enter_context(again)
        assert estimates == list(client.predict(blocks, model="tiny"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sequence": 2**64}, "line 2: sequence: expected at most 1099511627776, got 1844674"),
        ({"sequence": 10**30}, "wearcast: line 2: "),
        ({"value": 1e300}, "blocks[1].h[0]: expected a finite number, got inf"),
    ],
)
def test_numbers_that_do_not_fit_are_named(
    tiny_server: RunningServer, changes: dict[str, Any], expected: str
) -> None:
    lines = [json.loads(_line(wearing_block(number, 10))) for number in (0, 1)]
    lines[1]["channels"]["h"][0] = changes.pop("value", 0.5)
    stdin = "".join(json.dumps(line) + "\n" for line in (lines[0], lines[1] | changes))
    flags = ("--model", "tiny", "--server", tiny_server.address)
    done = run("stream", "-", "--asset", f"big {expected}", *flags, stdin=stdin)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert expected in done.stderr


def test_stream_from_stdin(tiny_server: RunningServer) -> None:
    lines = [_line(wearing_block(number, 10)) for number in range(10)]
    flags = ("--model", "tiny", "--server", tiny_server.address, "--json")
    done = run("stream", "-", "--asset", "piped", *flags, stdin="\n".join(lines))
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["sequence"] for row in rows] == [*range(2, 10)]
    assert rows[0]["window_end"] == format_time(START_US + 20_000_000 + round(63 / 25600 * 1e6))
    # A bad line ends the stream, after the answers to the lines before it.
    lines[7] = '{"time": 5}'
    done = run("stream", "-", "--asset", "piped badly", *flags, stdin="\n".join(lines))
    assert done.returncode == 3
    assert [json.loads(line)["sequence"] for line in done.stdout.splitlines()] == [*range(2, 7)]
    assert "wearcast: line 8: expected an object" in done.stderr


def test_lines_without_a_number_go_on_behind_what_the_server_has(
    tiny_server: RunningServer,
) -> None:
    flags = ("--asset", "went on", "--model", "tiny", "--server", tiny_server.address, "--json")
    lines = [_line(wearing_block(number, 40)) for number in range(20)]
    run("stream", "-", *flags, stdin="\n".join(lines[:10]))
    on = run("stream", "-", *flags, stdin="\n".join(lines[10:]))
    rows = [json.loads(line) for line in on.stdout.splitlines()]
    assert [row["sequence"] for row in rows] == [*range(2, 10), *range(12, 20)]
    assert [row["sequence"] for row in rows if row["quality"] == "AFTER_GAP"] == [12]
    newest = START_US + 19 * 10_000_000 + round(63 / 25600 * 1e6)
    assert rows[-1]["window_end"] == format_time(newest)
    # With a number in its first line a record can be sent again from its start.
    lines[0] = _line(wearing_block(0, 40), sequence=0)
    again = run("stream", "-", *flags, stdin="\n".join(lines))
    assert again.returncode == 0
    assert again.stdout == on.stdout
