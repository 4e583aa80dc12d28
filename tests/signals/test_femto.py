from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from naive import naive_snapshot

from wearcast.signals.errors import InputError
from wearcast.signals.femto import (
    DAY,
    WINDOW,
    find_bearings,
    iterate_bearing,
    list_snapshots,
    read_bearing,
    read_snapshot,
    write_snapshot,
)

DAY_US = 86_400_000_000
START_US = 1_325_410_779_065_664  # 2012-01-01 09:39:39.065664


def values_of(number: int) -> np.ndarray:
    return np.random.RandomState(number).uniform(-40, 40, (2, WINDOW)).round(3).astype(np.float32)


def write_bearing(folder: Path, count: int = 4, start_us: int = START_US) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"acc_{number + 1:05d}.csv"
        write_snapshot(path, start_us + number * 10_000_000, values_of(number))
    return folder


def change(path: Path, old: str, new: str, row: int = 1) -> None:
    rows = path.read_text().splitlines()
    assert old in rows[row - 1]
    rows[row - 1] = rows[row - 1].replace(old, new, 1)
    path.write_text("\n".join(rows) + "\n")


@settings(max_examples=25)
@given(
    thousandths=npst.arrays(np.int32, (2, WINDOW), elements=st.integers(-99_999, 99_999)),
    time_of_day_us=st.integers(0, DAY_US - 200_000),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, thousandths: np.ndarray, time_of_day_us: int
) -> None:
    path = tmp_path_factory.mktemp("snapshot") / "acc_00001.csv"
    start_us = START_US - START_US % DAY_US + time_of_day_us
    write_snapshot(path, start_us, (thousandths / 1000).astype(np.float32))
    read_us, values = read_snapshot(path)
    assert read_us == start_us
    np.testing.assert_array_equal(values, (thousandths / 1000).astype(np.float32))
    assert values.dtype == np.float32


CELLS = st.one_of(
    st.integers(-50_000, 50_000).map(lambda number: f"{number / 1000:g}"),
    st.integers(-50, 50).map(str),
    st.floats(-50, 50, width=32).map(repr),
    st.sampled_from(["-0", "+1.5", ".5", "5.", "1e-3", "-2.5E+01", " 0.25", "0.1250000000001"]),
)


@settings(max_examples=50)
@given(
    cells=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=40),
    delimiter=st.sampled_from(",;"),
    microsecond=st.sampled_from(["65664", "6.5664e+04", "6.5664e+004"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    last_newline=st.integers(0, 1),
)
def test_any_way_to_write_a_number_reads_as_the_cell_by_cell_oracle(
    tmp_path_factory: pytest.TempPathFactory,
    cells: list[tuple[str, str]],
    delimiter: str,
    microsecond: str,
    newline: str,
    last_newline: int,
) -> None:
    rows = [cells[number % len(cells)] for number in range(WINDOW)]
    text = newline.join(delimiter.join(("9", "39", "39", microsecond, *row)) for row in rows)
    path = tmp_path_factory.mktemp("snapshot") / "acc_00001.csv"
    path.write_text(text + newline * last_newline, newline="")
    start_us, values = read_snapshot(path)
    assert start_us == START_US
    np.testing.assert_array_equal(values, naive_snapshot(text))


def test_a_recording_holds_the_files_in_order(tmp_path: Path) -> None:
    recording = read_bearing(write_bearing(tmp_path / "Bearing1_9", 12))
    assert recording.name == "Bearing1_9"
    assert recording.sample_rate_hz == 25600.0
    assert recording.numbers.tolist() == list(range(12))
    assert recording.starts_us.tolist() == [START_US + n * 10_000_000 for n in range(12)]
    np.testing.assert_array_equal(recording.values, [values_of(n) for n in range(12)])
    assert [block.after_gap for block in recording.blocks()] == [False] * 12


def test_file_numbers_count_not_names(tmp_path: Path) -> None:
    folder = write_bearing(tmp_path, 3)
    (folder / "acc_00003.csv").rename(folder / "acc_100000.csv")
    assert [number for number, _ in list_snapshots(folder)] == [0, 1, 99_999]


def test_a_block_comes_before_later_files_are_read(tmp_path: Path) -> None:
    folder = write_bearing(tmp_path, 3)
    blocks = iterate_bearing(folder)
    assert next(blocks).sequence == 0
    cut_row(folder / "acc_00002.csv")
    assert next(blocks).sequence == 2


def test_missing_files_are_a_gap(tmp_path: Path) -> None:
    folder = write_bearing(tmp_path, 6)
    for number in (1, 4):
        (folder / f"acc_{number:05d}.csv").unlink()
    recording = read_bearing(folder)
    assert recording.numbers.tolist() == [1, 2, 4, 5]
    assert [block.after_gap for block in recording.blocks()] == [True, False, True, False]
    assert [block.after_gap for block in iterate_bearing(folder)] == [True, False, True, False]


def cut_row(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def add_header(path: Path) -> None:
    path.write_text("hour,minute,second,microsecond,horizontal,vertical\n" + path.read_text())


def move_cell(path: Path) -> None:
    """One row with a cell more and one with a cell less: as many cells as there should be."""
    change(path, "9,39,", "9,9,39,", 7)
    change(path, "9,39,", "9,", 9)


BAD_FILES = {
    "acc_00002.csv: rows: expected 2560, got 2559": cut_row,
    "acc_00002.csv: rows: expected 2560, got 2561": add_header,
    "acc_00002.csv: rows: expected 2560, got 0": lambda path: path.write_text(""),
    "acc_00002.csv: row 7: columns: expected 6, got 7": lambda path: change(path, "9,", "9,9,", 7),
    "acc_00002.csv: row 7: columns: expected 6, got 7 (balanced)": move_cell,
    "acc_00002.csv: row 7: columns: expected 6, got 5": lambda path: change(path, "9,39,", "9,", 7),
    "acc_00002.csv: row 7: horizontal: expected a finite number, got 'nan'": lambda path: change(
        path, path.read_text().splitlines()[6].split(",")[4], "nan", 7
    ),
    "acc_00002.csv: row 2560: vertical: expected a finite number, got '-inf'": lambda path: change(
        path, path.read_text().splitlines()[2559].split(",")[5], "-inf", 2560
    ),
    "acc_00002.csv: row 3: vertical: expected a finite number, got '1.2.3'": lambda path: change(
        path, path.read_text().splitlines()[2].split(",")[5], "1.2.3", 3
    ),
    "acc_00002.csv: row 3: vertical: expected a finite number, got '1-2'": lambda path: change(
        path, path.read_text().splitlines()[2].split(",")[5], "1-2", 3
    ),
    "acc_00002.csv: row 1: time: expected hour below 24": lambda path: change(path, "9,", "24,"),
    "acc_00002.csv: expected a readable text file": lambda path: path.write_bytes(b"\xff\xfe"),
}


@pytest.mark.parametrize(("message", "spoil"), BAD_FILES.items(), ids=BAD_FILES)
def test_a_bad_file_is_skipped_and_named(tmp_path: Path, message: str, spoil) -> None:
    folder = write_bearing(tmp_path, 3)
    spoil(folder / "acc_00002.csv")
    recording = read_bearing(folder)
    assert recording.numbers.tolist() == [0, 2]
    assert len(recording.skipped) == 1
    assert recording.skipped[0].startswith(message.removesuffix(" (balanced)"))
    for number in (0, 1):
        np.testing.assert_array_equal(recording.values[number], values_of(2 * number))


@pytest.mark.parametrize(("message", "spoil"), BAD_FILES.items(), ids=BAD_FILES)
def test_a_bad_file_is_refused_with_strict(tmp_path: Path, message: str, spoil) -> None:
    folder = write_bearing(tmp_path, 3)
    spoil(folder / "acc_00002.csv")
    with pytest.raises(InputError) as caught:
        read_bearing(folder, strict=True)
    assert str(caught.value).startswith(message.removesuffix(" (balanced)"))
    with pytest.raises(InputError) as caught:
        read_snapshot(folder / "acc_00002.csv")
    assert str(caught.value).startswith(message.removesuffix(" (balanced)"))


def test_a_folder_of_bad_files_only_is_refused(tmp_path: Path) -> None:
    folder = write_bearing(tmp_path, 2)
    for path in folder.iterdir():
        cut_row(path)
    with pytest.raises(InputError, match=r"acc_00002\.csv: rows: expected 2560, got 2559"):
        read_bearing(folder)


def test_temperature_files_are_left_out(tmp_path: Path) -> None:
    folder = write_bearing(tmp_path, 2)
    (folder / "temp_00001.csv").write_text("9,39,39,6,21.5\n")
    recording = read_bearing(folder)
    assert len(recording) == 2
    assert recording.skipped == ()


def test_midnight_is_passed(tmp_path: Path) -> None:
    late_us = START_US - START_US % DAY_US + DAY_US - 15_000_000
    folder = write_bearing(tmp_path, 4, start_us=late_us)
    assert np.diff(read_bearing(folder).starts_us).tolist() == [10_000_000] * 3


def test_a_small_step_back_of_the_clock_is_kept(tmp_path: Path) -> None:
    folder = write_bearing(tmp_path, 2)
    write_snapshot(folder / "acc_00003.csv", START_US - 3_600_000_000, values_of(2))
    assert read_bearing(folder).starts_us[2] == START_US - 3_600_000_000


def test_the_day_can_be_given(tmp_path: Path) -> None:
    folder = write_bearing(tmp_path, 1)
    later = read_bearing(folder, day=DAY.replace(day=3))
    assert later.starts_us.tolist() == [START_US + 2 * DAY_US]


def test_progress_counts_every_file(tmp_path: Path) -> None:
    folder = write_bearing(tmp_path, 4)
    cut_row(folder / "acc_00002.csv")
    calls: list[tuple[int, int]] = []
    read_bearing(folder, progress=lambda done, size: calls.append((done, size)))
    assert calls == [(1, 4), (3, 4), (4, 4)]


def test_bearings_are_found_at_and_below_a_folder(tmp_path: Path) -> None:
    for name in ("Test_set/Bearing1_4", "Learning_set/Bearing1_2", "Learning_set/Bearing1_1"):
        write_bearing(tmp_path / name, 1)
    (tmp_path / "Learning_set" / "notes.txt").write_text("no bearing")
    names = [str(folder.relative_to(tmp_path)) for folder in find_bearings(tmp_path)]
    assert names == ["Learning_set/Bearing1_1", "Learning_set/Bearing1_2", "Test_set/Bearing1_4"]
    assert len(find_bearings(tmp_path / "Learning_set")) == 2
    bearing = tmp_path / "Test_set" / "Bearing1_4"
    assert find_bearings(bearing) == [bearing]


@pytest.mark.parametrize("look", [find_bearings, list_snapshots, read_bearing, iterate_bearing])
def test_a_folder_without_a_bearing_is_refused(tmp_path: Path, look) -> None:
    (tmp_path / "temp_00001.csv").write_text("9,39,39,6,21.5\n")
    with pytest.raises(
        InputError, match=r"expected a bearing folder with acc_00001\.csv"
    ) as caught:
        look(tmp_path)
    assert caught.value.exit_code == 3
    with pytest.raises(InputError, match="got no such folder"):
        look(tmp_path / "absent")


def test_two_files_of_one_number_are_refused(tmp_path: Path) -> None:
    folder = write_bearing(tmp_path, 2)
    (folder / "acc_2.csv").write_text("")
    with pytest.raises(InputError, match="expected one file a number, got"):
        read_bearing(folder)
