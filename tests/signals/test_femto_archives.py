"""The reader on the original files."""

import numpy as np
import pytest
from femto_data import unpack_bearing
from naive import naive_snapshot

from wearcast.signals.clock import format_time
from wearcast.signals.femto import WINDOW, list_snapshots, read_bearing, read_snapshots

LEARNING_SET = {
    "Bearing1_1": 2803,
    "Bearing1_2": 871,
    "Bearing2_1": 911,
    "Bearing2_2": 797,
    "Bearing3_1": 515,
    "Bearing3_2": 1637,
}


def test_the_learning_set_has_7534_snapshots() -> None:
    counts = {
        name: len(list_snapshots(unpack_bearing("Learning_set", name))) for name in LEARNING_SET
    }
    assert counts == LEARNING_SET
    assert sum(counts.values()) == 7534


@pytest.mark.parametrize("name", LEARNING_SET)
def test_every_snapshot_of_a_bearing_is_read(name: str) -> None:
    folder = unpack_bearing("Learning_set", name)
    recording = read_bearing(folder)
    assert recording.skipped == ()
    assert recording.values.shape == (LEARNING_SET[name], 2, WINDOW)
    assert recording.numbers.tolist() == list(range(LEARNING_SET[name]))
    for number in (0, len(recording) // 2, len(recording) - 1):
        text = (folder / f"acc_{number + 1:05d}.csv").read_text()
        np.testing.assert_array_equal(recording.values[number], naive_snapshot(text))


def test_semicolons_and_exponents_read_as_commas_do() -> None:
    semicolons = unpack_bearing("Full_Test_Set", "Bearing1_4-first30")
    assert (semicolons / "acc_00001.csv").read_text().startswith("8;8;0;4.2504e+05;0.065;-0.058\n")
    assert (semicolons / "temp_00001.csv").exists()
    first30 = read_bearing(semicolons)
    whole = read_bearing(unpack_bearing("Test_set", "Bearing1_4"))
    assert len(first30) == 30
    assert first30.skipped == whole.skipped == ()
    np.testing.assert_array_equal(first30.values, whole.values[:30])
    np.testing.assert_array_equal(first30.starts_us, whole.starts_us[:30])
    assert format_time(whole.starts_us[0]) == "2012-01-01T08:08:00.425040Z"


def test_clock_jumps_stay_as_they_were_read() -> None:
    folder = unpack_bearing("Learning_set", "Bearing1_1")
    near = [item for item in list_snapshots(folder) if 2115 <= item[0] < 2130]
    starts_us = read_snapshots(near, "Bearing1_1").starts_us
    jumps_s = {2116 + n: int(step) for n, step in enumerate(np.diff(starts_us) // 1_000_000)}
    assert {n: step for n, step in jumps_s.items() if step != 10} == {
        2120: -21243,
        2121: 0,
        2122: 21272,
    }
