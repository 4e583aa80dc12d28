from pathlib import Path

import numpy as np
import pytest
from vibration_layouts import TONES_HZ, change, write_rotor, write_sensor

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.rotor_csv import CHANNELS, FAULTS, STEPS_S, read_rotor


@pytest.mark.parametrize("linear", [False, True])
def test_each_column_becomes_a_recording_of_all_sensors(tmp_path: Path, *, linear: bool) -> None:
    recordings = read_rotor(write_rotor(tmp_path / "A"), linear=linear)
    assert [recording.name for recording in recordings] == [f"A-{fault}" for fault in FAULTS]
    times_s = np.arange(3000) / 1000
    for recording, fault, tone_hz in zip(recordings, FAULTS, TONES_HZ, strict=True):
        assert recording.fault == fault
        assert recording.conditions == {"unit": "A"}
        assert recording.channels == CHANNELS
        assert recording.units == ("g",) * 4
        assert recording.sample_rate_hz == 1000
        assert recording.values.dtype == np.float32
        tone = np.sin(2 * np.pi * tone_hz * times_s)
        wanted = np.array([[1], [2], [3], [4]]) * tone
        np.testing.assert_allclose(recording.values[:, 100:-100], wanted[:, 100:-100], atol=0.02)


@pytest.mark.parametrize("linear", [False, True])
def test_files_of_140_seconds_give_140_000_rows(tmp_path: Path, *, linear: bool) -> None:
    for channel, step_s in STEPS_S.items():
        # As the last digit of a step may be left over or missing.
        rows = {"sensor1": int, "sensor2": round, "sensor3": np.ceil, "sensor4": int}[channel]
        times_s = (np.arange(int(rows(140 / step_s))) * step_s).tolist()
        text = "".join([f"{time_s:.6f},0,0,0,0\n" for time_s in times_s])
        (tmp_path / f"{channel}.csv").write_text(text)
    for recording in read_rotor(tmp_path, linear=linear):
        assert recording.values.shape == (4, 140_000)


def test_lengths_are_whole_seconds_of_the_shortest(tmp_path: Path) -> None:
    write_rotor(tmp_path, 2.9)
    write_sensor(tmp_path, "sensor2", 2.2)
    assert {vibration.values.shape for vibration in read_rotor(tmp_path)} == {(4, 2000)}


def test_a_missing_sensor_is_named(tmp_path: Path) -> None:
    write_rotor(tmp_path / "A")
    (tmp_path / "A" / "sensor3.csv").unlink()
    with pytest.raises(InputError, match=r"A: files: expected .*, got no sensor3\.csv"):
        read_rotor(tmp_path / "A")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",", ",,", r"sensor2\.csv: row 7: columns: expected 5, got 6"),
        ("0.00456,", "", r"sensor2\.csv: row 7: columns: expected 5, got 4"),
        ("0.00456,", "0.00456,x", r"sensor2\.csv: row 7: normal: expected a finite number, got 'x"),
        ("0.00456,", "nan,", r"sensor2\.csv: row 7: time: expected a finite number, got 'nan'"),
        ("0.00456,", "0.00380,", r"sensor2\.csv: row 7: time: expected over 0.0038, got 0.0038"),
        ("0.00456,", "0.00460,", r"sensor2\.csv: row 7: time: expected 0.00076 s after the row"),
    ],
)
def test_a_bad_cell_is_named_by_row_and_column(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    write_rotor(tmp_path)
    change(tmp_path / "sensor2.csv", 7, old, new)
    with pytest.raises(InputError, match=message):
        read_rotor(tmp_path)


def test_another_number_of_columns_is_refused(tmp_path: Path) -> None:
    path = write_rotor(tmp_path) / "sensor4.csv"
    rows = [row.rpartition(",")[0] for row in path.read_text().splitlines()]
    path.write_text("\n".join(rows))
    with pytest.raises(InputError, match=r"sensor4\.csv: row 1: columns: expected 5 .*, got 4"):
        read_rotor(tmp_path)


def test_a_header_is_refused(tmp_path: Path) -> None:
    path = write_rotor(tmp_path) / "sensor1.csv"
    path.write_text("time,normal,type1,type2,type3\n" + path.read_text())
    with pytest.raises(InputError, match=r"sensor1\.csv: row 1: expected numbers, as there is no"):
        read_rotor(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (write_rotor(tmp_path) / "sensor1.csv").write_text("\n")
    with pytest.raises(InputError, match=r"sensor1\.csv: expected rows of numbers, got an empty"):
        read_rotor(tmp_path)


def test_another_rate_is_refused(tmp_path: Path) -> None:
    write_sensor(write_rotor(tmp_path), "sensor2", 3, step_s=STEPS_S["sensor3"])
    with pytest.raises(InputError, match=r"sensor2\.csv: step: expected 0.00076 s .* 0.000714 s"):
        read_rotor(tmp_path)


def test_unequal_lengths_are_refused(tmp_path: Path) -> None:
    write_sensor(write_rotor(tmp_path / "A", 4.0), "sensor2", 2.5)
    with pytest.raises(InputError, match=r"A: lengths: expected equal within 1 s, got sensor1 4"):
        read_rotor(tmp_path / "A")


def test_less_than_a_second_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"length: expected 1 s or more, got 0.8 s"):
        read_rotor(write_rotor(tmp_path, 0.8))


def test_times_that_begin_late_are_refused(tmp_path: Path) -> None:
    path = write_rotor(tmp_path) / "sensor1.csv"
    path.write_text("\n".join(path.read_text().splitlines()[10:]))
    with pytest.raises(InputError, match=r"sensor1\.csv: row 1: time: expected 0, got 0.00736"):
        read_rotor(tmp_path)
