import contextlib
import gc
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from program import call, run, snapshot_text, start, write_snapshot
from running import RunningServer

from wearcast.clients.cli.main import program
from wearcast.clients.folder import Follow, Replay
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import Estimate
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


def _write_at(folder: Path, number: int, hour: str, *, rows: int = 2560) -> Path:
    path = write_snapshot(folder, number, rows=rows)
    path.write_text(path.read_text().replace("9,", f"{hour},", 1))
    return path


def test_day_is_that_of_a_whole_read_from_wherever_one_begins(tmp_path: Path) -> None:
    # Number 3 can't be used: whether its midnight counts must not depend on where one begins.
    for number, hour, rows in ((1, "9", 2560), (2, "9", 2560), (3, "23", 7), (4, "9", 2560)):
        _write_at(tmp_path, number, hour, rows=rows)
    expected = {block.sequence: block.start_us for block in read_bearing(tmp_path).blocks()}
    for from_sequence in (0, 2, 3):
        blocks = filter(None, Replay(tmp_path, speed=0).blocks(from_sequence))
        assert {block.sequence: block.start_us for block in blocks}[3] == expected[3]


def test_days_are_kept_over_broken_connections_without_reading_again(tmp_path: Path) -> None:
    for number, hour in ((1, "23"), (2, "0"), (3, "23"), (4, "0"), (5, "1")):
        _write_at(tmp_path, number, hour)
    expected = {block.sequence: block.start_us for block in read_bearing(tmp_path).blocks()}
    for source in (Replay(tmp_path, speed=0), Follow(tmp_path, settle_s=0.05, idle_exit_s=0.2)):
        assert [block.sequence for block in filter(None, source.blocks(0))] == [*range(5)]
        source.release(3)
        hidden = [path.rename(path.with_suffix(".away")) for path in _files(tmp_path, 1, 2, 3)]
        blocks = filter(None, source.blocks(3))
        assert [(block.sequence, block.start_us) for block in blocks] == [
            (number, expected[number]) for number in (3, 4)
        ]
        for path in hidden:
            path.rename(path.with_suffix(".csv"))
        # A server that has lost everything asks for everything.
        blocks = filter(None, source.blocks(0))
        assert {block.sequence: block.start_us for block in blocks} == expected


def _files(folder: Path, *numbers: int) -> list[Path]:
    return [folder / f"acc_{number:05d}.csv" for number in numbers]


def test_folder_in_which_nothing_changes_is_not_listed(tmp_path: Path) -> None:
    listed: list[object] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in {"os.listdir", "os.scandir"} and str(arguments[0]) == str(tmp_path):
            listed.append(event)

    write_snapshot(tmp_path, 1)
    blocks = Follow(tmp_path, settle_s=0.1).blocks(0)
    assert _next_number(blocks) == 0
    deadline_s = time.monotonic() + 2.5
    while time.monotonic() < deadline_s:
        assert next(blocks) is None
    sys.addaudithook(watch)
    assert list(islice(blocks, 5)) == [None] * 5
    assert listed == []
    write_snapshot(tmp_path, 2)
    assert _next_number(blocks) == 1
    assert listed


def test_replay_waits_for_each_blocks_time_and_says_so(bearing: Path) -> None:
    # A day a block: the first comes at once, the second is waited for.
    blocks = Replay(bearing, speed=10 / 86_400).blocks(0)
    assert next(blocks) is not None
    assert next(blocks) is None
    # Half a second a block.
    blocks = Replay(bearing, speed=20).blocks(0)
    assert [_next_number(blocks), _next_number(blocks)] == [0, 1]


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
    blocks = Follow(tmp_path, settle_s=3600, on_skip=skipped.append).blocks(0)
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
    whole = call("predict", bearing, "--server", server.address, "--json")
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


def test_estimates_are_kept_only_for_files(
    server: RunningServer, bearing: Path, tmp_path: Path
) -> None:
    def count_alive() -> int:
        # Not isinstance: it would ask every object of every library for its class.
        return sum(type(item) is Estimate for item in gc.get_objects())

    class Counter(io.StringIO):
        alive = 0

        def write(self, text: str) -> int:
            self.alive = count_alive()  # the last line counts: no later estimate is on its way
            return super().write(text)

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    flags = ["stream", "--replay", str(bearing), "--speed", "max", "--server", server.address]
    kept = []
    try:
        for number, out in enumerate(([], ["--out", str(tmp_path)])):
            gc.collect()
            before = count_alive()  # what other tests hold
            with contextlib.redirect_stdout(Counter()) as counter:
                program.main([*flags, *out, "--asset", f"kept {number}"], standalone_mode=False)
            kept.append(counter.alive - before)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert kept[0] < 10
    assert kept[1] >= 35  # all of them
