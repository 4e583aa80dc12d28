import wave
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import wavfile

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.columns import open_columns

NUMBERS = st.floats(-1e6, 1e6)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=20),
    delimiter=st.sampled_from([",", ";", "\t"]),
    header=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_csv_and_parquet_give_what_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[float, float, float]],
    delimiter: str,
    header: bool,  # noqa: FBT001
    end: str,
) -> None:
    folder = tmp_path_factory.mktemp("columns")
    lines = [delimiter.join(["a", "b", "c"])] if header else []
    lines += [delimiter.join(map(repr, row)) for row in rows]
    (folder / "x.csv").write_text(end.join(lines), newline="")
    pq.write_table(
        pa.table(dict(zip("abc", zip(*rows, strict=True), strict=True))), folder / "x.parquet"
    )
    wanted = np.array(rows).T[[2, 0]]
    for name in ("x.csv", "x.parquet"):
        columns = open_columns(folder / name)
        np.testing.assert_array_equal(columns.read([3, 1]), wanted)
        if columns.names:
            assert columns.names == ("a", "b", "c")
            np.testing.assert_array_equal(columns.read(["c", "a"]), wanted)
    assert bool(open_columns(folder / "x.csv").names) == header


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_wav_samples_are_shares_of_the_full_scale(tmp_path: Path, dtype: type) -> None:
    shares = np.array([[-1.0, -0.5, 0.0, 0.5], [0.5, 0.25, -0.25, -1.0]])
    half = 1.0 if dtype == np.float32 else 2.0 ** (8 * np.dtype(dtype).itemsize - 1)
    offset = half if dtype == np.uint8 else 0
    wavfile.write(tmp_path / "x.wav", 12_000, (shares * half + offset).T.astype(dtype))
    columns = open_columns(tmp_path / "x.wav")
    assert columns.sample_rate_hz == 12_000
    np.testing.assert_array_equal(columns.read([1, 2]), shares)
    with pytest.raises(InputError, match="expected 3 or more, got 2"):
        columns.read([3])
    with pytest.raises(InputError, match="expected one column 'de', got 2 without names"):
        columns.read(["de"])


def test_wav_of_24_bits_and_one_channel(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(8000)
        file.writeframes(b"".join(n.to_bytes(3, "little", signed=True) for n in (-(2**23), 2**22)))
    np.testing.assert_array_equal(open_columns(tmp_path / "x.wav").read([1]), [[-1.0, 0.5]])


def test_a_wav_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    wavfile.write(path, 8000, np.arange(1000, dtype=np.int16))
    whole = path.read_bytes()
    for length in (0, 3, 20, 44, 100, len(whole) - 2):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"x\.wav: expected a WAV file"):
            open_columns(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty file"),
        ("a,b\n", "rows: expected 1 or more, got 0"),
        ("a,b\n1,2\n3\n", "row 3: columns: expected 2, got 1"),
        ("a,b\n1\n3\n", "row 2: columns: expected 2, got 1"),
        ("a,b\n1,2,3\n4,5,6\n", "row 2: columns: expected 2, got 3"),
        ("a,b\n1,2\n3,x\n", "row 3: b: expected a finite number, got 'x'"),
        ("1,2\n3,inf\n", "row 2: column 2: expected a finite number, got 'inf'"),
        ("a,a\n1,2\n3,x\n", "row 3: column 2: expected a finite number"),
        ("a" * 200_000 + ",b\n1,2\n", "row 1: expected cells of numbers"),
        ("1,2\n3," + "4" * 200_000 + "x\n", "expected rows of numbers"),
    ],
)
def test_a_bad_csv_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"x\.csv.*{message}"):
        open_columns(path).read([1, 2])


def test_a_bad_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match=r"x\.parquet: expected a Parquet file"):
        open_columns(path)
    pq.write_table(pa.table({"a": [1.0, None], "b": ["x", "y"], "c": [1, 2]}), path)
    with pytest.raises(InputError, match="row 2: a: expected a finite number, got nan"):
        open_columns(path).read(["a"])
    with pytest.raises(InputError, match="b: expected a column of numbers, got string"):
        open_columns(path).read(["b"])
    np.testing.assert_array_equal(open_columns(path).read(["c"]), [[1, 2]])
    pq.write_table(pa.table({"a": pa.array([], pa.float64())}), path)
    with pytest.raises(InputError, match="rows: expected 1 or more"):
        open_columns(path)
