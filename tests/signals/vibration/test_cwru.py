from pathlib import Path

import numpy as np
import pytest
from cwru_data import find_cwru
from scipy.io import savemat

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.cwru import CHANNELS, SAMPLE_RATE_HZ, read_cwru
from wearcast.signals.vibration.quality import is_clipped

DE = np.linspace(-1, 1, 500)
FE = np.linspace(2, -2, 500)


def real_files() -> list[Path]:
    return sorted(find_cwru().glob("*.npz"))


def test_all_real_recordings_are_read() -> None:
    recordings = [read_cwru(path) for path in real_files()]
    assert len(recordings) == 27
    labels = {
        (vibration.fault, vibration.conditions["speed"], vibration.conditions["size"])
        for vibration in recordings
    }
    assert labels == {
        (fault, speed, size)
        for fault in ("inner race", "ball", "outer race")
        for speed in ("1797", "1772", "1750")
        for size in ("7", "14", "21")
    }
    for vibration in recordings:
        assert vibration.channels == CHANNELS
        assert vibration.sample_rate_hz == SAMPLE_RATE_HZ
        assert 10 < vibration.duration_s < 10.3
        assert vibration.values.dtype == np.float32


def test_no_window_of_the_real_recordings_counts_as_clipped() -> None:
    for path in real_files():
        values = read_cwru(path).values
        count = values.shape[1] // 2048
        windows = values[:, : count * 2048].reshape(2, count, 2048).transpose(1, 0, 2)
        assert sum(is_clipped(window) for window in windows) == 0


@pytest.mark.parametrize(
    ("name", "fault", "conditions"),
    [
        ("1797_IR_7", "inner race", {"speed": "1797", "size": "7"}),
        ("1772_B_14", "ball", {"speed": "1772", "size": "14"}),
        ("1750_OR6_21", "outer race", {"speed": "1750", "size": "21"}),
        ("1730_OR@6_21", "outer race", {"speed": "1730", "size": "21"}),
        ("1730_OR@12_7", "outer race", {"speed": "1730", "size": "7"}),
        ("1797_normal", "normal", {"speed": "1797"}),
        ("bearing", "", {}),
    ],
)
def test_the_name_tells_fault_speed_and_size(
    tmp_path: Path, name: str, fault: str, conditions: dict[str, str]
) -> None:
    path = tmp_path / f"{name}.npz"
    np.savez(path, de=DE, fe=FE)
    vibration = read_cwru(path)
    assert vibration.name == name
    assert vibration.fault == fault
    assert vibration.conditions == conditions | {"recording": name}
    np.testing.assert_array_equal(vibration.values, np.array([DE, FE], np.float32))


def test_a_mat_file_gives_the_same(tmp_path: Path) -> None:
    mat, npz = tmp_path / "1797_IR_7.mat", tmp_path / "1797_IR_7.npz"
    np.savez(npz, de=DE, fe=FE)
    columns = {"X105_DE_time": DE[:, np.newaxis], "X105_FE_time": FE[:, np.newaxis]}
    savemat(mat, columns | {"X105RPM": np.array([[1796]]), "X105_BA_time": DE})
    np.testing.assert_array_equal(read_cwru(mat).values, read_cwru(npz).values)
    assert read_cwru(mat).fault == "inner race"


def test_a_mat_file_of_the_data_center_has_its_own_speed_and_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "099.mat"
    # The Data Center's 99.mat holds the recording before it as well.
    savemat(
        path,
        {"X098_DE_time": FE, "X098_FE_time": DE, "X099_DE_time": DE, "X099_FE_time": FE}
        | {"X099RPM": 1750},
    )
    vibration = read_cwru(path, sample_rate_hz=48_000.0)
    assert vibration.fault == ""
    assert vibration.conditions == {"speed": "1750", "recording": "099"}
    assert vibration.sample_rate_hz == 48_000.0
    np.testing.assert_array_equal(vibration.values, np.array([DE, FE], np.float32))
    path.rename(tmp_path / "other.mat")
    with pytest.raises(InputError, match="variables: expected one pair"):
        read_cwru(tmp_path / "other.mat")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"de": DE}, "fe: expected an array of accelerations, got none"),
        ({"de": DE, "fe": FE[:-1]}, "as many in de as in fe, got 500 in de, 499 in fe"),
        ({"de": DE, "fe": np.where(FE > 1.99, np.nan, FE)}, r"fe\[0\]: expected a finite number"),
        ({"de": DE, "fe": FE * 1e39}, r"fe\[0\]: expected a finite number"),
        ({"de": DE[:0], "fe": FE[:0]}, "de: expected a row of numbers"),
        ({"de": DE, "fe": FE.reshape(2, -1)}, r"float64 of shape \(2, 250\)"),
        ({"de": DE, "fe": np.array(["a"] * 500)}, "fe: expected a row of numbers"),
        ({"de": DE, "fe": np.array([print] * 500)}, "an .npz file of numbers"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    path = tmp_path / "1797_IR_7.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        read_cwru(path)


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_a_damaged_file_is_refused_wherever_it_ends(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"1797_IR_7{suffix}"
    if suffix == ".npz":
        np.savez_compressed(path, de=DE, fe=FE)
    else:
        arrays = {"X105_DE_time": DE, "X105_FE_time": FE}
        savemat(path, arrays, do_compression=True)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_cwru(path)
    with pytest.raises(InputError):
        read_cwru(tmp_path / f"absent{suffix}")


def test_an_array_saved_alone_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", DE)
    path = (tmp_path / "a.npy").rename(tmp_path / "1797_IR_7.npz")
    with pytest.raises(InputError, match=r"an \.npz file"):
        read_cwru(path)
