import inspect
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import wavfile

from wearcast.signals.errors import InputError
from wearcast.signals.vibration import labelled
from wearcast.signals.vibration.labelled import TOML, is_labelled, read_labelled

CSV = "t,de,FE [mV]\n" + "".join(f"{n / 1000},{n},{100 * n}\n" for n in range(5))
CHANNELS = 'channels = [{ name = "de", unit = "g" }]\n'


def write(folder: Path, toml: str, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / TOML).write_text(toml)
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path = path.with_name(path.name.replace("_csv", ".csv"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_example_of_the_docstring_works(tmp_path: Path) -> None:
    """Its indented part, as the docstring has it."""
    lines = (inspect.getdoc(labelled) or "").splitlines()
    example = "\n".join(line for line in lines if line.startswith("    "))
    (tmp_path / "runs" / "new").mkdir(parents=True)
    (tmp_path / "runs" / "IR").mkdir()
    (tmp_path / TOML).write_text(inspect.cleandoc(example))
    (tmp_path / "runs" / "new" / "1.csv").write_text(CSV)
    (tmp_path / "runs" / "IR" / "B-1797rpm.csv").write_text(CSV)
    (tmp_path / "notes.csv").write_text("not a recording")
    assert is_labelled(tmp_path)
    crack, new = read_labelled(tmp_path)
    assert (new.name, new.fault) == ("runs-new-1", "normal")
    assert new.conditions == {"recording": "runs-new-1", "unit": "A"}
    assert (crack.name, crack.fault) == ("runs-IR-B-1797rpm", "inner race")
    assert crack.conditions == {"recording": "runs-IR-B-1797rpm", "unit": "B", "speed": "1797"}
    for recording in (crack, new):
        assert recording.sample_rate_hz == 12_000
        assert recording.channels == ("de", "fe")
        assert recording.units == ("g", "g")
        assert recording.values.dtype == np.float32
        np.testing.assert_allclose(recording.values, [np.arange(5.0)] * 2)


def test_folder_names_can_be_the_faults(tmp_path: Path) -> None:
    toml = f"sample_rate_hz = 100\n{CHANNELS}[[labels]]\npattern = '(?P<fault>[^/]+)/.*'"
    folder = write(tmp_path / "a", toml, ball__1_csv=CSV, normal__1_csv=CSV)
    assert [(v.name, v.fault) for v in read_labelled(folder)] == [
        ("ball-1", "ball"),
        ("normal-1", "normal"),
    ]


def test_all_three_formats_give_the_same(tmp_path: Path) -> None:
    values = np.array([0.0, 0.25, -0.5, 0.5])
    toml = 'time = "t"\nchannels = [{ name = "x", unit = "m/s2", scale = 9.81 }]'
    folder = write(tmp_path / "a", toml)
    rows = [f"{n / 100},{value}" for n, value in enumerate(values)]
    (folder / "csv.csv").write_text("\n".join(["t,x", *rows]))
    table = pa.table({"x": values, "t": np.arange(4) / 100})
    pq.write_table(table, folder / "parquet.parquet")
    wavfile.write(folder / "wav.wav", 100, (values * 2**15).astype(np.int16))
    recordings = read_labelled(folder)
    assert [recording.name for recording in recordings] == ["csv", "parquet", "wav"]
    for recording in recordings:
        assert recording.sample_rate_hz == pytest.approx(100, rel=1e-9)
        assert recording.fault == ""
        np.testing.assert_allclose(recording.values, [values * 9.81], rtol=1e-6)


def test_columns_can_be_places(tmp_path: Path) -> None:
    toml = """
        time = 1
        channels = [{ name = "x", unit = "g", column = 3 }, { name = "y", unit = "g" }]
    """
    folder = write(tmp_path / "a", toml, r_csv="0,1,2\n0.5,3,4\n1.0,5,6\n")
    (recording,) = read_labelled(folder)
    assert recording.sample_rate_hz == 2
    np.testing.assert_array_equal(recording.values, [[2, 4, 6], [1, 3, 5]])


def test_a_single_file_can_be_asked_for(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", "sample_rate_hz = 1\n" + CHANNELS, a_csv=CSV, b_csv="damaged")
    (recording,) = read_labelled(folder, [folder / "a.csv"])
    assert recording.name == "a"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("channels = [", "a readable TOML file"),
        ("channels = []", "wearcast.toml: expected files, sample_rate_hz or time"),
        ("sample_rate_hz = 1\n", "missing required field `channels`"),
        (CHANNELS + "sample_rate = 1", "contains unknown field `sample_rate`"),
        (CHANNELS + "sample_rate_hz = 0", "`float` > 0.0 - at `\\$.sample_rate_hz`"),
        (CHANNELS + "sample_rate_hz = 1\ntime = 't'", "either sample_rate_hz or time, got both"),
        (CHANNELS, "sample_rate_hz or time, got neither"),
        (CHANNELS + "time = 'x'", r"r\.csv: columns: expected one column 'x', got t, de, FE"),
        ("sample_rate_hz = 1\n" + CHANNELS.replace("de", "y"), "one column 'y'"),
        (CHANNELS.replace("}]", "}, {name = 'de', unit = 'g'}]"), "channels: expected each name"),
        (CHANNELS + "files = '*.wav'", "files: expected .* got none"),
        (CHANNELS + "files = '../*.csv'", "files: expected a pattern below the folder"),
        (CHANNELS + "files = '/*.csv'", "files: expected a pattern below the folder"),
        (CHANNELS + "[[labels]]\nfault = 'a'", r"labels\[1\]: expected either files or pattern"),
        (CHANNELS + "[[labels]]\nfiles = '*'\npattern = 'a'", r"labels\[1\]: .* got both"),
        (CHANNELS + "[[labels]]\npattern = '('", r"labels\[1\]: pattern: expected a regular"),
        (CHANNELS + "[[labels]]\npattern = '(?P<fault>.)'\nfault = 'a'", "expected the fault once"),
        (CHANNELS + "[[labels]]\npattern = 'x'", r"r\.csv: label: expected one that fits"),
        (CHANNELS + "[[labels]]\nfiles = '*'\nconditions = {speed = 1}", "Expected `str`"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, toml: str, message: str) -> None:
    folder = write(tmp_path / "a", toml, r_csv=CSV)
    with pytest.raises(InputError, match=message):
        read_labelled(folder)


def test_a_wav_file_of_another_rate_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", "sample_rate_hz = 100\n" + CHANNELS)
    wavfile.write(folder / "x.wav", 200, np.zeros(10, np.int16))
    with pytest.raises(InputError, match=r"sample_rate_hz: expected 100 as in .*, got 200"):
        read_labelled(folder)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    toml = "sample_rate_hz = 1\n" + CHANNELS
    folder = write(tmp_path / "a", toml, x__y_csv=CSV, **{"x-y_csv": CSV})
    with pytest.raises(InputError, match="expected one file a name, got x-y again"):
        read_labelled(folder)


def test_the_settings_of_a_program_are_no_layout(tmp_path: Path) -> None:
    write(tmp_path / "a", 'port = 50051\nmodels = "models"\n')
    assert not is_labelled(tmp_path / "a")
    assert not is_labelled(tmp_path)
