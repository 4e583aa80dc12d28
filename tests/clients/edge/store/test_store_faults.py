"""An edge store through power cuts, full disks, damage and a second writer."""

import os
import random
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from edge_stores import COLUMNS, make_row, opened, start_writer
from parcels import rows_parcel
from small_disk import mounted

from wearcast.clients.edge.readings import Reading
from wearcast.clients.edge.store.csv_table import CsvTable
from wearcast.clients.edge.store.database import Database
from wearcast.clients.edge.store.edge_store import EdgeStore
from wearcast.clients.edge.store.sqlite_table import SqliteTable
from wearcast.signals.errors import InputError, StoreError

KINDS = ("sqlite", "csv")
FOREVER_US = 2**60


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "small") as folder:
        yield folder


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_committed_outlives_kill_9(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "edge.sqlite"
    told = -1
    for count in (1, 40, 7, 150):
        with start_writer(path, kind, first=told + 1) as writer:
            for _ in range(count):
                writer.stdout.readline()
            writer.kill()
            # It went on until it was killed; what it told last is the last line of all.
            told = max([told + count, *map(int, writer.stdout)])
        with opened(path, kind) as store:
            rows = store.table.read(0, FOREVER_US)
            # A row more may have been committed, and one of a CSV table before its mark.
            assert told + 1 <= len(rows) <= told + 3
            assert rows == [make_row(number) for number in range(len(rows))]
            told = len(rows) - 1


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "edge.sqlite"
    with opened(path) as store:
        writers = [start_writer(path, first=first, step=3, end=300) for first in (0, 1)]
        for number in range(2, 300, 3):
            with store.transaction():
                store.table.write([make_row(number)])
        for writer in writers:
            writer.communicate()
            assert writer.returncode == 0
        assert store.table.read(0, FOREVER_US) == [make_row(number) for number in range(300)]
        assert [store.get(f"mark {first}", int) for first in (0, 1)] == [297, 298]


def test_a_full_database_undoes_the_transaction_and_goes_on_with_room(tmp_path: Path) -> None:
    path = tmp_path / "edge.sqlite"
    with opened(path):
        pass
    database = Database(path)
    with closing(EdgeStore(database, SqliteTable(database, COLUMNS))) as store:
        database.execute("PRAGMA max_page_count = 40")
        written = write_until_full(store)
        assert store.get("mark", int) == written - 1
        database.execute("PRAGMA max_page_count = 1000000")
        write_rows(store, written)
        assert len(store.table.read(0, FOREVER_US)) == 100 * written + 100


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_loses_nothing_and_is_written_again_with_room(
    small_disk: Path, kind: str
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * 300_000)
    with opened(small_disk / "edge.sqlite", kind) as store:
        written = write_until_full(store)
        assert written > 0
        rows = [make_row(number) for number in range(100 * written)]
        assert store.table.read(0, rows[-1].time_us + 1) == rows
        ballast.unlink()
        write_rows(store, written)
        assert store.get("mark", int) == written
        store.maintain()
    with opened(small_disk / "edge.sqlite", kind) as store:
        assert store.table.read(0, FOREVER_US) == [
            make_row(number) for number in range(100 * written + 100)
        ]


def write_until_full(store: EdgeStore) -> int:
    """Hundreds of rows; gives how many fitted."""
    for written in range(1_000_000):
        try:
            write_rows(store, written)
        except StoreError as error:
            assert re.fullmatch(r"store: expected .*, got .*: disk full", str(error))  # noqa: PT017
            return written
    raise AssertionError("it never was full")


def write_rows(store: EdgeStore, hundred: int) -> None:
    with store.transaction():
        store.table.write([make_row(100 * hundred + number) for number in range(100)])
        store.put("mark", hundred)


def test_a_line_that_did_not_fit_leaves_the_file_as_it_was(small_disk: Path) -> None:
    table = CsvTable(small_disk, COLUMNS)
    table.write([make_row(0)])
    path = small_disk / "2024-05-01.csv"
    content = path.read_bytes()
    (small_disk / "ballast").write_bytes(b"\0" * (os.statvfs(small_disk).f_bavail * 4096))
    with pytest.raises(StoreError, match="small: disk full"):
        table.write([make_row(number) for number in range(1, 200)])
    assert path.read_bytes() == content
    (small_disk / "ballast").unlink()
    table.write([make_row(1)])
    assert table.read(0, FOREVER_US) == [make_row(0), make_row(1)]


def test_a_damaged_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "edge.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match=r"edge\.sqlite: file is not a database"), opened(path):
        pass
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"no database" * 1000]


def test_a_damaged_store_is_set_aside_and_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "edge.sqlite"
    path.write_bytes(b"no database" * 1000)
    with opened(path, set_aside=True) as store:
        assert "edge.sqlite was damaged (file is not a database)" in store.set_aside
        assert "saved nothing" in store.set_aside
        store.table.write([make_row(0)])
    (moved,) = tmp_path.glob("edge.sqlite.corrupt-*Z")
    assert moved.read_bytes() == b"no database" * 1000
    with opened(path, set_aside=True) as store:
        assert store.set_aside == ""
        assert store.table.read(0, FOREVER_US) == [make_row(0)]


@pytest.mark.parametrize("seed", range(5))
def test_most_of_a_damaged_store_is_saved(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "edge.sqlite"
    rows = [make_row(number) for number in range(20_000)]
    parcels = [rows_parcel(number) for number in range(30)]
    with opened(path) as store:
        with store.transaction():
            for parcel in parcels:
                store.send_later(parcel)
            store.put("mark", 7)
            store.add_readings([Reading(1, "flow_rate", 2.0)])
            store.outbox.refuse(3, "asset: expected plant")
        store.table.write(rows)
    damage(path, seed)
    with pytest.raises(InputError, match=r"edge\.sqlite: "), opened(path):
        pass
    with opened(path, set_aside=True) as store:
        assert "kept_rows" in store.set_aside
        saved = store.table.read(0, FOREVER_US)
        assert set(saved) <= set(rows)
        assert len(saved) > 0.9 * len(rows)
        assert store.get("mark", int) == 7
        assert store.pending(0, 10) == [Reading(1, "flow_rate", 2.0)]
        assert store.outbox.count() == (29, 1)
        assert store.outbox.oldest_parcel(5)[1] == parcels[5]
        assert store.check() == ""
    with opened(path) as store:
        assert store.table.read(0, FOREVER_US) == saved


def damage(path: Path, seed: int) -> None:
    """Zeros, as a worn card gives, over a page among those of the rows."""
    pages = path.stat().st_size // 4096
    page = random.Random(seed).randrange(pages // 2, pages - 1)
    with path.open("r+b") as file:
        file.seek(page * 4096)
        file.write(b"\0" * 4096)
