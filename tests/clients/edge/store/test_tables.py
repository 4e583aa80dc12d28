"""Both tables of the plant keep rows by time."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from edge_stores import COLUMNS, DAY_US, MINUTE_US, START_US, make_row, opened
from hypothesis import given, settings
from hypothesis import strategies as st

from wearcast.clients.edge.store.csv_table import CsvTable
from wearcast.clients.edge.store.database import Database
from wearcast.clients.edge.store.sqlite_table import SqliteTable, make_table
from wearcast.clients.edge.store.tables import Table, check_names
from wearcast.signals.errors import InputError
from wearcast.signals.plant_table import Columns, PlantRow

KINDS = ("sqlite", "csv")
FOREVER_US = 2**60
# A few days, so that rows are written again, out of order, and at the ends of days.
TIMES = st.integers(-3, 3).map(lambda steps: START_US + steps * DAY_US // 2) | st.integers(
    START_US - DAY_US, START_US + DAY_US
)
numbers = st.none() | st.floats(allow_nan=False)
rows = st.builds(
    PlantRow,
    time_us=TIMES,
    readings=st.tuples(numbers, numbers),
    predictions=st.tuples(numbers, numbers),
    stages=st.tuples(*[st.none() | st.integers(-1, 4)] * 2),
    quality=st.lists(st.sampled_from(["MISSING", "FILLED"]), unique=True).map(tuple),
)
batches = st.lists(rows, max_size=4) | st.lists(rows, min_size=51, max_size=60)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), batches),
        st.tuples(st.just("read"), st.tuples(TIMES, TIMES)),
        st.tuples(st.just("purge"), TIMES),
    ),
    max_size=5,
)
runs = st.lists(steps, max_size=3)


@contextmanager
def opened_table(folder: Path, kind: str) -> Iterator[Table]:
    if kind == "csv":
        yield CsvTable(folder, COLUMNS)
        return
    with closing(Database(folder / "edge.sqlite")) as database:
        database.execute("PRAGMA synchronous = OFF")
        make_table(database, COLUMNS)
        yield SqliteTable(database, COLUMNS)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(runs=runs)
def test_a_table_does_as_a_dictionary_does(kind: str, runs: list) -> None:
    expected: dict[int, PlantRow] = {}
    with tempfile.TemporaryDirectory() as folder:
        for steps in [*runs, []]:
            with opened_table(Path(folder), kind) as table:
                for step, value in steps:
                    if step == "write":
                        table.write(value)
                        expected |= {row.time_us: row for row in value}
                    elif step == "read":
                        assert table.read(*value) == list_rows(expected, *value)
                    else:
                        assert table.purge(value) == sum(time < value for time in expected)
                        expected = {time: row for time, row in expected.items() if time >= value}
                    assert table.newest_us() == max(expected, default=None)
                assert table.read(0, FOREVER_US) == list_rows(expected, 0, FOREVER_US)


def list_rows(rows: dict[int, PlantRow], first: int, end: int) -> list[PlantRow]:
    return [rows[time] for time in sorted(rows) if first <= time < end]


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_that_is_none_is_read_as_none(tmp_path: Path, kind: str) -> None:
    with opened_table(tmp_path, kind) as table:
        table.write([make_row(0, float("nan"))])
        assert table.read(0, FOREVER_US) == [make_row(0, None)]


@pytest.mark.parametrize("kind", KINDS)
def test_new_columns_are_empty_in_old_rows(tmp_path: Path, kind: str) -> None:
    with opened(tmp_path / "edge.sqlite", kind) as store:
        store.table.write([make_row(0)])
    wider = Columns((("level", "m"), *COLUMNS.channels), (*COLUMNS.points, ("night", "level")))
    row = PlantRow(START_US + MINUTE_US, (1.5, None, None), (None, None, 2.0), (0, 1, -1))
    with opened(tmp_path / "edge.sqlite", kind, wider) as store:
        store.table.write([row])
        old = PlantRow(
            START_US, (None, 41.5, None), (None, None, 4.25), (3, None, None), ("MISSING",)
        )
        assert store.table.read(0, FOREVER_US) == [old, row]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_are_dropped_stay_in_the_file(tmp_path: Path, kind: str) -> None:
    with opened(tmp_path / "edge.sqlite", kind) as store:
        store.table.write([make_row(0)])
    narrow = Columns((("flow_rate", "m3/h"),))
    with opened(tmp_path / "edge.sqlite", kind, narrow) as store:
        store.table.write([PlantRow(START_US + MINUTE_US, (7.0,), (None,), ())])
    with opened(tmp_path / "edge.sqlite", kind) as store:
        second = PlantRow(START_US + MINUTE_US, (7.0, None), (None, None), (None, None))
        assert store.table.read(0, FOREVER_US) == [make_row(0), second]


@pytest.mark.parametrize(
    ("names", "second"),
    [(("flow", "Flow_predict"), "flow_predict"), (("time",), "time"), (("time_us",), "time_us")],
)
def test_two_columns_of_one_name_are_refused(names: tuple[str, ...], second: str) -> None:
    columns = Columns(tuple((name, "bar") for name in names))
    with pytest.raises(InputError, match=f"columns: expected names that differ.*'{second}'"):
        check_names(columns)


def test_people_read_the_table_with_select(tmp_path: Path) -> None:
    with opened(tmp_path / "edge.sqlite") as store:
        store.table.write([make_row(1)])
    with closing(sqlite3.connect(tmp_path / "edge.sqlite")) as connection:
        cursor = connection.execute("SELECT * FROM plant")
        assert [name for name, *_ in cursor.description] == COLUMNS.names
        assert cursor.fetchall() == [
            ("2024-05-01T00:01:00.000000Z", 41.5, None, None, 4.25, 3, None, "MISSING")
        ]


def test_people_read_a_csv_file_a_day(tmp_path: Path) -> None:
    table = CsvTable(tmp_path, COLUMNS)
    table.write([make_row(1), make_row(1440)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2024-05-01.csv", "2024-05-02.csv"]
    assert (tmp_path / "2024-05-01.csv").read_text() == (
        "time,flow_rate,pressure,flow_rate_predict,pressure_predict,flow_rate_actual_stage,"
        "all_multivariate_stage,quality\n"
        "2024-05-01T00:01:00.000000Z,41.5,,,4.25,3,,MISSING\n"
    )


def test_a_torn_last_line_is_dropped_and_mended(tmp_path: Path) -> None:
    CsvTable(tmp_path, COLUMNS).write([make_row(0), make_row(1)])
    path = tmp_path / "2024-05-01.csv"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        table = CsvTable(tmp_path, COLUMNS)
        left = max(0, whole[:length].count(b"\n") - 1)
        assert table.read(0, FOREVER_US) == [make_row(0)][:left]
        table.write([make_row(2)])
        assert table.read(0, FOREVER_US) == [*[make_row(0)][:left], make_row(2)]
        assert CsvTable(tmp_path, COLUMNS).read(0, FOREVER_US) == table.read(0, FOREVER_US)


def test_a_line_that_is_no_row_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = CsvTable(tmp_path, COLUMNS)
    table.write([make_row(0)])
    with (tmp_path / "2024-05-01.csv").open("ab") as file:
        file.write(b"\0\0\0\n,,\n2024-05-01T00:05:00Z,many,,,,,,\n")
    table.write([make_row(9)])
    assert table.read(0, FOREVER_US) == [make_row(0), make_row(9)]
    assert "2024-05-01.csv" in caplog.text
    assert "could not convert string to float: 'many'" in caplog.text


def test_a_day_that_is_over_has_each_time_once(tmp_path: Path) -> None:
    table = CsvTable(tmp_path, COLUMNS)
    table.write([make_row(5), make_row(4)])
    table.write([make_row(5, 1.5)])
    path = tmp_path / "2024-05-01.csv"
    assert path.read_text().count("\n") == 4
    table = CsvTable(tmp_path, COLUMNS)  # the service begins anew in between
    table.write([make_row(1440)])
    assert path.read_text().count("\n") == 3
    assert table.read(0, FOREVER_US) == [make_row(4), make_row(5, 1.5), make_row(1440)]


def test_a_reader_follows_what_another_writes(tmp_path: Path) -> None:
    writer, reader = CsvTable(tmp_path, COLUMNS), CsvTable(tmp_path, COLUMNS)
    for number in range(1435, 1445):
        writer.write([make_row(number), make_row(number - 3, 2.0)])
        assert reader.read(0, FOREVER_US) == writer.read(0, FOREVER_US)
        assert reader.newest_us() == make_row(number).time_us


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("hello")
    (tmp_path / "2024-99-99.csv").write_text("hello")
    table = CsvTable(tmp_path, COLUMNS)
    table.write([make_row(0)])
    table.purge(FOREVER_US)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2024-99-99.csv", "notes.csv"]


def test_a_file_that_was_taken_away_is_begun_anew(tmp_path: Path) -> None:
    table = CsvTable(tmp_path, COLUMNS)
    table.write([make_row(0)])
    (tmp_path / "2024-05-01.csv").unlink()
    table.write([make_row(1)])
    assert table.read(0, FOREVER_US) == [make_row(1)]
