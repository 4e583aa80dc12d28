"""`wearcast history` exports rows of a store, also while its service writes."""

import subprocess
from pathlib import Path

import pytest
from edge_stores import COLUMNS, make_row, opened, start_writer
from program import call

from wearcast.clients.edge.store.table_files import read_parquet, write_parquet

DAY = 1440


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return call("history", *arguments)


def list_times(text: str) -> list[str]:
    header, *lines = text.splitlines()
    assert header.split(",") == COLUMNS.names
    return [line.partition(",")[0] for line in lines]


@pytest.fixture(scope="module", params=["sqlite", "csv"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 40 days, a row each 6 hours from 2024-05-01 0:00 UTC."""
    path = tmp_path_factory.mktemp("stores") / "edge.sqlite"
    with opened(path, request.param) as store:
        store.table.write([make_row(number) for number in range(0, 40 * DAY, DAY // 4)])
    return path


def test_a_day_is_exported_as_csv(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "day.csv"
    done = run(path, "--day", "2024-05-02", "--out", out)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{out}: 4 rows\n")
    assert out.read_text().splitlines()[1:] == [
        f"2024-05-02T{hour}:00:00.000000Z,41.5,,,4.25,3,,MISSING"
        for hour in ("00", "06", "12", "18")
    ]
    assert list(tmp_path.iterdir()) == [out]


def test_a_day_is_that_of_its_time_zone(path: Path) -> None:
    done = run(path, "--day", "2024-05-02", "--time-zone", "Asia/Seoul")
    assert list_times(done.stdout) == [
        "2024-05-01T18:00:00.000000Z",
        "2024-05-02T00:00:00.000000Z",
        "2024-05-02T06:00:00.000000Z",
        "2024-05-02T12:00:00.000000Z",
    ]


def test_the_newest_day_is_exported_when_none_is_named(path: Path) -> None:
    times = list_times(run(path).stdout)
    assert [times[0], len(times)] == ["2024-06-09T00:00:00.000000Z", 4]


def test_months_between_two_times_are_exported_as_parquet(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.parquet"
    arguments = ("--from", "2024-05-01T09:00", "--to", "2024-06-09T09:00", "--time-zone")
    done = run(path, *arguments, "Asia/Seoul", "--out", out)
    assert (done.returncode, done.stderr) == (0, f"{out}: 156 rows\n")
    rows = [row for part in read_parquet(out, COLUMNS) for row in part]
    assert rows == [make_row(number) for number in range(0, 39 * DAY, DAY // 4)]


def test_everything_up_to_a_time_is_exported(path: Path) -> None:
    times = list_times(run(path, "--to", "2024-05-01T12:00Z").stdout)
    assert times == ["2024-05-01T00:00:00.000000Z", "2024-05-01T06:00:00.000000Z"]


def test_parquet_has_utc_times_and_small_stages(tmp_path: Path) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    assert write_parquet(tmp_path / "rows.parquet", COLUMNS, [[], [make_row(0, None)]]) == 1
    schema = pq.read_schema(tmp_path / "rows.parquet")
    assert schema.names == COLUMNS.names
    kinds = ["timestamp[us, tz=UTC]", *["double"] * 4, *["int8"] * 2, "string"]
    assert [str(kind) for kind in schema.types] == kinds


def test_an_empty_store_has_a_header_only(tmp_path: Path) -> None:
    with opened(tmp_path / "edge.sqlite"):
        pass
    assert list_times(run(tmp_path / "edge.sqlite").stdout) == []
    assert list_times(run(tmp_path / "edge.sqlite", "--from", "2024-01-01").stdout) == []


@pytest.mark.parametrize("kind", ["sqlite", "csv"])
def test_history_is_read_while_another_process_writes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "edge.sqlite"
    with start_writer(path, kind) as writer:
        for _ in range(3):
            told = int(writer.stdout.readline())
            done = run(path, "--day", "2024-05-01")
            assert done.returncode == 0
            assert len(list_times(done.stdout)) > told
        assert writer.poll() is None
        writer.kill()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--day", "May"), "--day: expected a date such as 2024-05-01, got 'May'"),
        (("--from", "May"), "--from: expected an ISO 8601 time, got 'May'"),
        (("--day", "2024-05-01", "--to", "2024-05-02"), "--day goes without --from and --to"),
        (("--from", "2024-05-02", "--to", "2024-05-01"), "--to: expected a time after 2024-05-02"),
        (("--out", "none/rows.csv"), "out: expected a file in a folder that is there"),
        (("--out", "rows.xlsx"), "out: expected a name that ends in .csv, .parquet or .png"),
        (("--time-zone", "Mars"), "time_zone: expected a zone of the IANA database"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    with opened(tmp_path / "edge.sqlite"):
        pass
    done = run(tmp_path / "edge.sqlite", *arguments)
    assert done.returncode != 0
    assert problem in done.stderr


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert "edge.sqlite: no file" in run(tmp_path / "edge.sqlite").stderr
    assert list(tmp_path.iterdir()) == []


def test_a_picture_has_all_rows(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.png"
    done = run(path, "--from", "2024-05-01", "--out", out)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{out}: 160 rows\n")
    picture = out.read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert b"160 rows" in picture
