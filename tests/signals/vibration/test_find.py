from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from vibration_layouts import write_gear, write_rotor

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.find import find_recordings, is_vibration


def write_cwru(folder: Path, name: str = "1797_IR_7.npz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / name, de=np.arange(100.0), fe=np.arange(100.0))
    return folder / name


def write_labelled(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "wearcast.toml").write_text(
        'sample_rate_hz = 100\nchannels = [{ name = "x", unit = "g" }]'
    )
    (folder / "one.csv").write_text("x\n1\n2\n")
    (folder / "two.csv").write_text("x\n3\n4\n")
    return folder


def names(path: Path) -> list[str]:
    assert is_vibration(path)
    return [recording.name for recording in find_recordings(path)]


def test_each_layout_is_found_as_a_folder_and_as_a_file(tmp_path: Path) -> None:
    rotor = write_rotor(tmp_path / "r" / "A", 1.5)
    assert len(names(rotor)) == 4
    gear = write_gear(tmp_path / "g" / "no_fault.csv")
    write_gear(tmp_path / "g" / "eccentricity.csv", "eccentricity")
    assert len(names(gear)) == 6
    assert len(names(gear.parent)) == 12
    bearing = write_cwru(tmp_path / "c")
    savemat(tmp_path / "c" / "97.mat", {"X097_DE_time": np.ones(9), "X097_FE_time": np.ones(9)})
    assert names(bearing) == ["1797_IR_7"]
    assert names(bearing.parent) == ["1797_IR_7", "97"]
    labelled = write_labelled(tmp_path / "l")
    assert names(labelled) == ["one", "two"]
    assert names(labelled / "two.csv") == ["two"]


def test_folders_above_are_searched_one_level_down(tmp_path: Path) -> None:
    write_rotor(tmp_path / "A", 1.5)
    write_rotor(tmp_path / "B", 1.5)
    write_labelled(tmp_path / "C")
    found = find_recordings(tmp_path)
    assert [recording.name for recording in found][::2] == [
        "A-normal", "A-looseness", "B-normal", "B-looseness", "one",
    ]  # fmt: skip
    assert [recording.conditions.get("unit") for recording in found] == [*"AAAABBBB", None, None]


def test_recordings_of_two_units_get_names_of_their_own(tmp_path: Path) -> None:
    write_gear(tmp_path / "rig1" / "a.csv")
    write_gear(tmp_path / "rig2" / "a.csv")
    found = names(tmp_path)
    assert len(set(found)) == 12
    assert (found[0], found[6]) == ("rig1-a-8.33-0", "rig2-a-8.33-0")


def test_two_recordings_of_one_name_are_refused(tmp_path: Path) -> None:
    write_cwru(tmp_path / "a")
    write_cwru(tmp_path / "b")
    with pytest.raises(InputError, match="each name once, got 1797_IR_7 2 times"):
        find_recordings(tmp_path)


def test_linear_reaches_the_rotors_reader(tmp_path: Path) -> None:
    write_rotor(tmp_path, 1.5)
    filtered, lines = find_recordings(tmp_path)[3], find_recordings(tmp_path, linear=True)[3]
    assert filtered.values.shape == lines.values.shape == (4, 1000)
    assert not np.array_equal(filtered.values, lines.values)


def test_what_is_none_of_them_is_refused_with_the_layouts(tmp_path: Path) -> None:
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "a.csv").write_text("time,flow\n1,2\n")
    (tmp_path / "plant" / "wearcast.toml").write_text("port = 1\n")
    np.savez(tmp_path / "weights.npz", a=np.ones(3))
    absent = tmp_path / "absent"
    for path in (tmp_path, tmp_path / "plant", tmp_path / "plant" / "a.csv", absent):
        assert not is_vibration(path)
        with pytest.raises(InputError, match=r"expected a folder with wearcast\.toml, a rotor's"):
            find_recordings(path)
    assert not is_vibration(tmp_path / "weights.npz")
