import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wearcast.signals.cleaning import load_rows
from wearcast.signals.cleaning.plant_file import read_plant_file, write_rows
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows

MINUTE_US = 60_000_000


def test_written_rows_say_what_was_not_read(tmp_path: Path) -> None:
    path = tmp_path / "plant.csv"
    text = "time,유량,b\n2020-01-01 00:00,1.5,2\n2020-01-01 00:02,3,\n2020-01-01 00:03,4,\n"
    path.write_text(text, encoding="utf-8")
    cleaned = load_rows(path, gap_limit=1)
    out = path.with_name("out.csv")
    write_rows(out, cleaned.rows, cleaned.filled)
    assert out.read_text(encoding="utf-8").splitlines() == [
        "time,유량,b,quality",
        "2020-01-01T00:00:00Z,1.5,2,",
        "2020-01-01T00:01:00Z,1.5,,유량:FILLED;b:MISSING",
        "2020-01-01T00:02:00Z,3,,b:MISSING",
        "2020-01-01T00:03:00Z,4,,b:MISSING",
    ]
    write_rows(out.with_suffix(".parquet"), cleaned.rows, cleaned.filled)
    table = pq.read_table(out.with_suffix(".parquet"))
    assert table.schema.field("time").type == pa.timestamp("us", "UTC")
    assert table.column("quality").to_pylist() == [
        *(None, "유량:FILLED;b:MISSING", "b:MISSING", "b:MISSING")
    ]
    assert [file.name for file in sorted(tmp_path.iterdir())] == [
        *("out.csv", "out.parquet", "plant.csv")
    ]


rows_of_two = st.integers(1, 20).flatmap(
    lambda count: st.lists(
        st.lists(
            st.one_of(st.floats(allow_infinity=False), st.just(math.nan)), min_size=2, max_size=2
        ),
        min_size=count,
        max_size=count,
    )
)


@pytest.mark.parametrize("suffix", [".csv", ".pq"])
@settings(deadline=None)
@given(rows_of_two, st.integers(0, 4_000_000_000_000_000), st.sampled_from([1, 500_000, MINUTE_US]))
def test_written_rows_read_as_themselves(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    values: list[list[float]],
    start_us: int,
    step_us: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"rows{suffix}"
    names = ("a", 'b, "quoted"; ')
    write_rows(path, Rows(names, start_us, step_us, np.array(values)))
    stripped = tuple(name.strip() for name in names)
    raw = read_plant_file(path, stripped)
    np.testing.assert_array_equal(raw.times_us, start_us + step_us * np.arange(len(values)))
    np.testing.assert_array_equal(raw.values, values)
    assert not raw.texts


def test_a_name_that_stands_for_no_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"out: expected a name that ends in .csv, .* got 'a.xls'"):
        write_rows(tmp_path / "a.xls", Rows(("a",), 0, 1, np.zeros((1, 1))))
