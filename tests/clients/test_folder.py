import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from program import run, snapshot_text, start, write_snapshot
from running import RunningServer

from wearcast.clients.folder import Follow, Replay
from wearcast.signals.errors import InputError
from wearcast.signals.femto import read_bearing
from wearcast.signals.series import Block


def _next_number(blocks: Iterator[Block | None]) -> int:
    return next(block.sequence for block in blocks if block is not None)


def test_replay_gives_what_the_reader_gives(bearing: Path) -> None:
    skipped: list[str] = []
    replay = Replay(bearing, speed=0, on_skip=skipped.append)
    expected = list(read_bearing(bearing).blocks())
    for from_sequence in (0, 5, 19, 20, 39, 40):
        blocks = list(filter(None, replay.blocks(from_sequence)))
        wanted = [block for block in expected if block.sequence >= from_sequence]
        assert [block.sequence for block in blocks] == [block.sequence for block in wanted]
        assert [block.start_us for block in blocks] == [block.start_us for block in wanted]
        assert all((a.values == b.values).all() for a, b in zip(blocks, wanted, strict=True))
    assert skipped == ["acc_00021.csv: rows: expected 2560, got 2559"]


def test_reading_on_from_the_middle_keeps_the_day_and_the_gap(tmp_path: Path) -> None:
    for number, hour in ((1, "23"), (2, "23"), (3, "0"), (4, "0"), (6, "1")):
        write_snapshot(tmp_path, number)
        path = tmp_path / f"acc_{number:05d}.csv"
        path.write_text(path.read_text().replace("9,", f"{hour},", 1))
    expected = {block.sequence: block for block in read_bearing(tmp_path).blocks()}
    (three, five) = filter(None, Replay(tmp_path, speed=0).blocks(3))
    assert three.start_us == expected[3].start_us
    assert not three.after_gap
    assert five.start_us == expected[5].start_us
    assert five.after_gap


def test_replay_waits_for_each_blocks_time_and_says_so(bearing: Path) -> None:
    # Half a second a block: the first comes at once, the second is waited for.
    blocks = Replay(bearing, speed=20).blocks(0)
    assert next(blocks) is not None
    assert next(blocks) is None
    assert _next_number(blocks) == 1


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    for source in (Replay, Follow):
        with pytest.raises(InputError, match="missing"):
            source(tmp_path / "missing", **({"speed": 0} if source is Replay else {}))


def test_half_written_file_is_not_read_early(tmp_path: Path) -> None:
    skipped: list[str] = []
    blocks = Follow(tmp_path, settle_s=0.3, on_skip=skipped.append).blocks(0)
    assert next(blocks) is None
    text = snapshot_text(1)
    path = tmp_path / "acc_00001.csv"
    # It stands still for longer than it takes to settle, but rows are missing.
    path.write_text(text[: len(text) // 2])
    assert list(islice(blocks, 4)) == [None] * 4
    # All rows are there, but it was changed just now.
    path.write_text(text)
    assert next(blocks) is None
    assert _next_number(blocks) == 0
    assert skipped == []


def test_file_is_complete_once_the_next_one_exists(tmp_path: Path) -> None:
    skipped: list[str] = []
    blocks = Follow(tmp_path, settle_s=60, on_skip=skipped.append).blocks(0)
    write_snapshot(tmp_path, 1)
    assert next(blocks) is None
    write_snapshot(tmp_path, 2, rows=2559)
    assert _next_number(blocks) == 0
    assert next(blocks) is None
    assert skipped == []
    write_snapshot(tmp_path, 3)
    write_snapshot(tmp_path, 4)
    after_gap = next(block for block in blocks if block is not None)
    assert (after_gap.sequence, after_gap.after_gap) == (2, True)
    assert skipped == ["acc_00002.csv: rows: expected 2560, got 2559"]


def test_idle_exit_names_the_file_that_never_grew_whole(tmp_path: Path) -> None:
    skipped: list[str] = []
    write_snapshot(tmp_path, 1)
    write_snapshot(tmp_path, 2, rows=7)
    follow = Follow(tmp_path, settle_s=0.05, idle_exit_s=0.2, on_skip=skipped.append)
    assert [block.sequence for block in filter(None, follow.blocks(0))] == [0]
    assert skipped == ["acc_00002.csv: rows: expected 2560, got 7"]


def _stream_rows(out: Path, name: str) -> list[dict[str, object]]:
    return json.loads((out / f"{name}.json").read_text())["estimates"]


def test_follow_stopped_twice_and_started_again_equals_one_run(
    server: RunningServer, bearing: Path, tmp_path: Path
) -> None:
    growing = tmp_path / "growing"
    growing.mkdir()
    files = sorted(bearing.glob("acc_*.csv"))
    follow = ["stream", "--follow", growing, "--server", server.address, "--json"]
    copied = 0
    for number, stop_at in ((signal.SIGINT, 10), (signal.SIGTERM, 25)):
        out = tmp_path / number.name
        with start(*follow, "--out", out, stdout=subprocess.PIPE) as process:
            seen: list[int] = []
            # More files come while it follows; the file before the newest one is read at once.
            for path in files[copied : stop_at + 2]:
                shutil.copy(path, growing)
            copied = stop_at + 2
            while not seen or seen[-1] < stop_at:
                seen.append(json.loads(process.stdout.readline())["sequence"])
            process.send_signal(number)
            seen += [json.loads(line)["sequence"] for line in process.stdout]
        assert process.returncode == 0
        assert seen == [row["sequence"] for row in _stream_rows(out, "growing")]
        assert len(seen) == len(set(seen))
    for path in files[copied:]:
        shutil.copy(path, growing)
    last = run(*follow, "--idle-exit", 1.5, "--out", tmp_path / "last")
    assert last.returncode == 0
    whole = run("predict", bearing, "--server", server.address, "--json")
    rows = _stream_rows(tmp_path / "last", "growing")
    assert rows == json.loads(whole.stdout)[0]["estimates"]


def test_human_lines_are_one_for_each_estimate(server: RunningServer, bearing: Path) -> None:
    done = run(
        "stream", "--replay", bearing, "--speed", "max", "--asset", "lines",
        "--server", server.address,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 35
    assert lines[0].startswith("2012-01-01T09:00:30Z  block     2  life 0.05")
    assert lines[-1].endswith("alarm  ALARM")


def test_replay_at_speed_takes_its_time(server: RunningServer, bearing: Path) -> None:
    began_s = time.monotonic()
    run(
        "stream", "--replay", bearing, "--speed", 400, "--asset", "timed",
        "--server", server.address,
    )  # fmt: skip
    # 39 hops of 10 s at 400 times real time; a lower bound holds on however slow a machine.
    assert time.monotonic() - began_s >= 39 * 10 / 400
