from pathlib import Path

import numpy as np
import pytest
from vibration_layouts import SETTINGS, change, write_gear

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.gear_csv import COLUMNS, is_gear, read_gear, read_gear_blocks


def test_a_file_becomes_six_recordings(tmp_path: Path) -> None:
    recordings = read_gear(write_gear(tmp_path / "rig" / "root_crack.csv", "root crack"))
    assert [recording.name for recording in recordings] == [
        f"root_crack-{speed:g}-{load}" for speed, load in SETTINGS
    ]
    for recording, (speed, load) in zip(recordings, SETTINGS, strict=True):
        assert recording.fault == "root crack"
        assert recording.conditions == {"speed": f"{speed:g}", "load": str(load), "unit": "rig"}
        assert recording.channels == ("sensor1", "sensor2")
        assert recording.sample_rate_hz == 5000
        rows = np.arange(200) / 1000
        np.testing.assert_allclose(recording.values, [2 + rows, 3 - rows], rtol=1e-6)


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    path = write_gear(tmp_path / "a.csv")
    rows = [row.split(",") for row in path.read_text().splitlines()]
    turned = tmp_path / "turned" / "a.csv"
    turned.parent.mkdir()
    turned.write_text("\n".join(";".join(["0" if i else "other", *row[::-1]]) for i, row in
                                enumerate(rows)))  # fmt: skip
    for one, other in zip(read_gear(path), read_gear(turned), strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.values, other.values)


def test_times_may_run_on_from_block_to_block(tmp_path: Path) -> None:
    path = write_gear(tmp_path / "a.csv")
    header, *rows = path.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    for number, row in enumerate(cells):
        row[2] = f"{number / 5000:.4f}"
    path.write_text("\n".join([header, *(",".join(row) for row in cells)]))
    assert [block.row for block in read_gear_blocks(path)] == [2 + 200 * n for n in range(6)]


def test_a_setting_that_returns_is_named_by_its_row(tmp_path: Path) -> None:
    path = write_gear(tmp_path / "a.csv")
    path.write_text(
        path.read_text().replace(",8.33,80,", ",25,80,").replace(",25.0,0,", ",8.33,0,")
    )
    names = [recording.name for recording in read_gear(path)]
    assert names == [
        "a-8.33-0-2",
        "a-25-80-202",
        "a-8.33-0-402",
        "a-25-80-602",
        "a-40-0",
        "a-40-80",
    ]


@pytest.mark.parametrize(
    ("row", "old", "new", "message"),
    [
        (1, "speedSet", "speed", r"header: expected one column 'speedSet', got sensor1, "),
        (1, "load_value", "sensor1", r"header: expected one column 'sensor1'"),
        (9, "2.007", "x", r"row 9: sensor1: expected a finite number, got 'x'"),
        (9, ",8.33", "", r"row 9: columns: expected 6, got 5"),
        (9, "0.0014", "0.0015", r"row 9: time: expected 0.0002 s after the row before"),
        (9, "0.0014", "0.0012", r"row 9: time: expected over 0.0012, got 0.0012"),
        (9, "no fault", "root crack", r"row 9: gear_fault_desc: expected 'no fault' in all rows"),
        (9, ",8.33,", ",8.5,", r"rows at speedSet 8.33, load_value 0: .* got 7 from row 2 on"),
        (2, "no fault", "", r"row 2: gear_fault_desc: expected the name of a fault, got ''"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, row: int, old: str, new: str, message: str) -> None:
    path = write_gear(tmp_path / "a.csv")
    change(path, row, old, new)
    with pytest.raises(InputError, match=r"a\.csv: " + message):
        read_gear(path)


def test_another_rate_is_refused(tmp_path: Path) -> None:
    path = write_gear(tmp_path / "a.csv")
    header, *rows = path.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    for row in cells:
        row[2] = f"{float(row[2]) * 2:.4f}"
    path.write_text("\n".join([header, *(",".join(row) for row in cells)]))
    with pytest.raises(InputError, match=r"a\.csv: step: expected 0.0002 s .* got 0.0004 s"):
        read_gear(path)


def test_the_layout_is_known_by_its_header(tmp_path: Path) -> None:
    assert is_gear(write_gear(tmp_path / "a.csv"))
    (tmp_path / "b.csv").write_text("time,speedSet\n1,2\n")
    (tmp_path / "c.txt").write_text(",".join(COLUMNS))
    assert not any(is_gear(tmp_path / name) for name in ("b.csv", "c.txt", "absent.csv"))
