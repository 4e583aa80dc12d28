from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_contract

from wearcast.signals.clock import format_time
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.table import read_table

START_US = 1_700_000_000_000_000
# Channels h and v, blocks of 4 samples at 10 Hz, one a second.
CONTRACT = msgspec.structs.replace(tiny_contract(), sample_rate_hz=10.0, window=4, hop_s=1.0)


def times_of(runs: list[tuple[float, int]]) -> list[int]:
    """Times of runs given as (start in seconds, samples)."""
    return [
        START_US + round(start_s * 1e6) + sample * 100_000
        for start_s, count in runs
        for sample in range(count)
    ]


def write(path: Path, times_us: list[int], header: str = "time,h,v") -> Path:
    rows = [f"{format_time(time)},{row}.5,-{row}" for row, time in enumerate(times_us)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_steady_recording_is_cut_each_hop(tmp_path: Path) -> None:
    recording = read_table(write(tmp_path / "pump.csv", times_of([(0, 37)])), CONTRACT)
    assert recording.name == "pump"
    assert recording.sample_rate_hz == 10.0
    assert recording.skipped == ()
    assert recording.numbers.tolist() == [0, 1, 2, 3]
    assert recording.starts_us.tolist() == [START_US + n * 1_000_000 for n in range(4)]
    assert recording.values.dtype == np.float32
    assert recording.values[2].tolist() == [[20.5, 21.5, 22.5, 23.5], [-20, -21, -22, -23]]


def test_bursts_are_blocks_and_lost_ones_are_gaps(tmp_path: Path) -> None:
    # Burst starts stray a little from the hop, as a clock does.
    path = write(tmp_path / "a.csv", times_of([(0, 4), (1.02, 4), (3.98, 4), (5, 3), (6, 4)]))
    recording = read_table(path, CONTRACT)
    assert recording.numbers.tolist() == [0, 1, 4, 6]
    assert [block.after_gap for block in recording.blocks()] == [False, False, True, True]
    assert recording.starts_us[2] == START_US + 3_980_000
    assert recording.skipped == ("a.csv: rows 14 to 16: expected 4 or more, got 3",)


def test_overlapping_blocks(tmp_path: Path) -> None:
    contract = msgspec.structs.replace(CONTRACT, hop_s=0.2)
    recording = read_table(write(tmp_path / "a.csv", times_of([(0, 9)])), contract)
    assert recording.values[:, 0, 0].tolist() == [0.5, 2.5, 4.5]


@given(
    thousandths=st.lists(st.tuples(*[st.integers(-99_999, 99_999)] * 2), min_size=4, max_size=60),
    style=st.sampled_from(["iso", "offset", "epoch"]),
    delimiter=st.sampled_from(",;"),
    start_us=st.integers(0, 4_000_000_000_000_000),
)
def test_every_way_to_write_it_reads_alike(
    tmp_path_factory: pytest.TempPathFactory,
    thousandths: list[tuple[int, int]],
    style: str,
    delimiter: str,
    start_us: int,
) -> None:
    rows = [delimiter.join(("v", "note", "time", "h"))]
    for number, (h, v) in enumerate(thousandths):
        time_us = start_us + number * 100_000
        time = {
            "iso": format_time(time_us),
            "offset": format_time(time_us + 3_600_000_000).replace("Z", "+01:00"),
            "epoch": f"{time_us // 1_000_000}.{time_us % 1_000_000:06d}",
        }[style]
        rows.append(delimiter.join((f"{v / 1000:.3f}", "x", time, f"{h / 1000:.3f}")))
    path = tmp_path_factory.mktemp("table") / "a.csv"
    path.write_text("\n".join(rows), encoding="utf-8-sig")
    recording = read_table(path, CONTRACT)
    firsts = range(0, len(thousandths) - 3, 10)
    expected = [np.array(thousandths[first : first + 4]).T / 1000 for first in firsts]
    np.testing.assert_array_equal(recording.values, np.array(expected, dtype=np.float32))
    # Seconds since 1970 as a float hold a quarter of a microsecond.
    assert recording.starts_us.tolist() == [start_us + first * 100_000 for first in firsts]


HEADER = "time,h,v\n"
ROW_0, ROW_1 = "2023-11-14T22:13:20.0Z,1,2\n", "2023-11-14T22:13:20.1Z,3,4\n"
BAD_TABLES = {
    "a.csv: header: expected one column 'time', got none": "",
    "a.csv: header: expected one column 'time', got date, h, v": "date,h,v\n" + ROW_0,
    "a.csv: header: expected one column 'v', got time, h, w": "time,h,w\n" + ROW_0,
    "a.csv: header: expected one column 'v', got time, h, v, v": "time,h,v,v\n" + ROW_0,
    "a.csv: rows: expected 1 or more, got 0": HEADER,
    "a.csv: row 3: columns: expected 3, got 2": HEADER + ROW_0 + "2023-11-14T22:13:20.1Z,3\n",
    "a.csv: row 3: h: expected a finite number, got 'x'": HEADER + ROW_0 + ROW_1.replace("3", "x"),
    "a.csv: row 3: h: expected a finite number, got ''": (
        HEADER + ROW_0 + ROW_1.replace(",3,", ",,")
    ),
    "a.csv: row 2: v: expected a finite number, got 'nan'": (
        HEADER + ROW_0.replace(",2\n", ",nan\n") + ROW_1
    ),
    "a.csv: row 3: time: expected ISO 8601 or seconds since 1970, got 'noon'": (
        HEADER + ROW_0 + "noon,3,4\n"
    ),
    "a.csv: row 2: time: expected ISO 8601 or seconds since 1970, got '1700000000000'": (
        HEADER + "1700000000000,3,4\n"
    ),
    "a.csv: row 2: time: expected ISO 8601 or seconds since 1970, got 'NaT'": (
        HEADER + "NaT,1,2\n" + ROW_1
    ),
    "a.csv: row 3: time: expected later than 2023-11-14T22:13:20.100000Z, got "
    "2023-11-14T22:13:20.000000Z": HEADER + ROW_1 + ROW_0,
    "a.csv: row 3: time: expected later than 2023-11-14T22:13:20.000000Z, got "
    "2023-11-14T22:13:20.000000Z": HEADER + ROW_0 + ROW_0,
    "a.csv: expected 4 rows or more in a run, got 2 rows": HEADER + ROW_0 + ROW_1,
}


@pytest.mark.parametrize(("message", "text"), BAD_TABLES.items(), ids=BAD_TABLES)
def test_a_bad_table_is_refused(tmp_path: Path, message: str, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "a.csv", CONTRACT)
    assert str(caught.value) == message
    assert caught.value.exit_code == 3


def test_an_absent_and_a_binary_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("a.csv", "b.csv"):
        with pytest.raises(InputError, match=f"{name}: expected a readable text file"):
            read_table(tmp_path / name, CONTRACT)


@pytest.mark.parametrize("rate_hz", [5.0, 8.0, 12.0, 100.0])
def test_another_sample_rate_is_refused(tmp_path: Path, rate_hz: float) -> None:
    times_us = [START_US + round(n * 1e6 / rate_hz) for n in range(50)]
    with pytest.raises(MismatchError) as caught:
        read_table(write(tmp_path / "a.csv", times_us), CONTRACT)
    assert str(caught.value) == f"sample_rate_hz: expected 10.0, got {rate_hz:.6g}"
    assert caught.value.exit_code == 5


def test_two_blocks_in_one_hop_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", times_of([(0, 4), (0.48, 4)]))
    with pytest.raises(InputError, match=r"row 6: time: expected blocks 1 s apart"):
        read_table(path, CONTRACT)
