from pathlib import Path

import numpy as np
import pytest

from wearcast.signals.errors import InputError
from wearcast.signals.simulation.gear import FAULTS as GEAR_FAULTS
from wearcast.signals.simulation.gear import draw_rig, list_blocks
from wearcast.signals.simulation.gear_signal import simulate_gear
from wearcast.signals.simulation.rotor import draw_unit
from wearcast.signals.simulation.rotor_signal import simulate_rotor
from wearcast.signals.simulation.vibration_files import write_gear, write_rotor
from wearcast.signals.vibration.gear_csv import CHANNELS, read_gear
from wearcast.signals.vibration.rotor_csv import FAULTS, STEPS_S, read_rotor


def test_a_pump_has_a_file_for_each_sensor(tmp_path: Path) -> None:
    paths = write_rotor(tmp_path / "A", draw_unit(1), seconds=2.0)
    assert sorted((tmp_path / "A").iterdir()) == paths
    recordings = [simulate_rotor(draw_unit(1), fault, 2.0) for fault in FAULTS]
    for number, (path, step_s) in enumerate(zip(paths, STEPS_S.values(), strict=True)):
        table = np.loadtxt(path, delimiter=",")
        np.testing.assert_allclose(table[:, 0], np.arange(len(table)) * step_s, rtol=0, atol=1e-9)
        expected = np.column_stack([recording[number] for recording in recordings])
        np.testing.assert_allclose(table[:, 1:], expected, rtol=0, atol=0.51e-6)


def test_the_reader_reads_a_pump(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    write_rotor(tmp_path / "A", draw_unit(1), seconds=3.0)
    recordings = read_rotor(tmp_path / "A")
    assert [recording.name for recording in recordings] == [f"A-{fault}" for fault in FAULTS]
    assert [recording.fault for recording in recordings] == list(FAULTS)
    for recording in recordings:
        assert recording.values.shape == (4, 3_000)
        raw = simulate_rotor(draw_unit(1), recording.fault, 3.0)
        # What is lost above 500 Hz is little.
        levels = [sensor.std() for sensor in raw]
        np.testing.assert_allclose(recording.values.std(axis=1), levels, rtol=0.1)


def test_a_rig_has_a_file_for_each_fault_that_the_reader_reads(tmp_path: Path) -> None:
    calls: list[int] = []
    rig = draw_rig(2)
    paths = write_gear(tmp_path / "rig", rig, advance=lambda: calls.append(1))
    assert len(calls) == len(paths) == 6
    assert sorted((tmp_path / "rig").iterdir()) == sorted(paths)
    assert [path.name for path in paths][::5] == ["no_fault.csv", "tooth_chipped_fault.csv"]
    lines = paths[3].read_text().splitlines()
    assert lines[0] == "sensor1,sensor2,time_x,speedSet,load_value,gear_fault_desc"
    assert len(lines) == 150_001
    assert lines[-1].endswith(",4.9998,40,80,root crack")
    for path, fault in list(zip(paths, GEAR_FAULTS, strict=True))[::5]:
        blocks = zip(
            read_gear(path), simulate_gear(rig, fault), list_blocks(rig.design), strict=True
        )
        for recording, values, (speed_hz, load) in blocks:
            assert recording.fault == fault
            assert recording.channels == CHANNELS
            conditions = {"speed": f"{speed_hz:g}", "load": f"{load:g}", "unit": "rig"}
            assert recording.conditions == conditions
            np.testing.assert_allclose(recording.values, values, rtol=0, atol=1e-6)


def test_files_that_are_there_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "sensor3.csv").write_text("mine")
    with pytest.raises(
        InputError, match=r"out: expected a folder without such files, got .*3\.csv"
    ):
        write_rotor(tmp_path, draw_unit(1), seconds=1.0)
    (tmp_path / "root_crack.csv").write_text("mine")
    with pytest.raises(InputError, match=r"out: expected a folder without such files"):
        write_gear(tmp_path, draw_rig(1))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_bad_length_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seconds: expected 1 or more"):
        write_rotor(tmp_path / "A", draw_unit(1), seconds=0.1)
    assert not (tmp_path / "A").exists()
