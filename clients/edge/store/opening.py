"""Opens the store of an edge service: made anew, as it was left, or saved from a damaged file."""

from pathlib import Path
from typing import Literal

import msgspec

from wearcast.clients.edge.store.csv_table import CsvTable
from wearcast.clients.edge.store.database import DamagedError, Database
from wearcast.clients.edge.store.edge_store import EdgeStore
from wearcast.clients.edge.store.salvage import move_aside, salvage
from wearcast.clients.edge.store.schema import EXPECTED, check_owner, prepare_store
from wearcast.clients.edge.store.sqlite_table import SqliteTable, make_table
from wearcast.clients.edge.store.tables import Table, check_names
from wearcast.signals.errors import InputError
from wearcast.signals.plant_table import Columns

TableKind = Literal["sqlite", "csv"]
_MADE = "store"


class Made(msgspec.Struct, frozen=True):
    """How a store was opened last."""

    columns: Columns
    table: TableKind
    csv_dir: str


def open_store(
    path: Path,
    columns: Columns,
    table: TableKind = "sqlite",
    csv_dir: Path | None = None,
    *,
    set_aside: bool = False,
) -> EdgeStore:
    """Open a store, made anew where there is none; for the service that writes it.

    columns: of the plant's table. Those that an older store has not yet are added; what it has
    besides stays in it. csv_dir: the folder of a CSV table; without it `plant` beside the store.
    set_aside: a damaged file is renamed, and what can be read of it goes on in a new one; what was
    done is then in the store's `set_aside`. Nobody else may have a damaged file open.

    Raises:
        InputError: the file is another program's, a damaged one without `set_aside`, or its rows
            are of another kind of table or in other units.
        StoreError: it can't be read or written now.
    """
    check_names(columns)
    made = Made(columns, table, str((csv_dir or path.parent / "plant").absolute()))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _open(path, made)
    except DamagedError as error:
        if not set_aside:
            raise InputError("store", EXPECTED, f"{path}: {error.__cause__ or error}") from error
        moved = move_aside(path)
        problem = str(error.__cause__ or error)
    saved = _open(path, made, moved)
    saved.set_aside = f"{path} was damaged ({problem}), is now {moved.name}; {saved.set_aside}"
    return saved


def reopen_store(path: Path) -> EdgeStore:
    """Open a store as its service did last, which may be writing it now.

    Raises:
        InputError: no store is there.
        StoreError: it can't be read or written now.
    """
    if not path.is_file():
        raise InputError("store", EXPECTED, f"{path}: no file")
    database = Database(path)
    try:
        # Without a lock: who writes all the time is not waited for.
        check_owner(database)
        database.prepare()
        store = EdgeStore(database, SqliteTable(database, Columns(())))
        made = store.get(_MADE, Made)
        if made is None:
            raise InputError("store", EXPECTED, f"{path}: an empty one")  # noqa: TRY301
        store.table = _make_table(database, made)
    except BaseException:
        database.close()
        raise
    return store


def _open(path: Path, made: Made, damaged: Path | None = None) -> EdgeStore:
    database = Database(path)
    try:
        prepare_store(database)
        if problem := database.check():
            raise DamagedError(problem)  # noqa: TRY301
        store = EdgeStore(database, _make_table(database, made))
        if damaged is not None:
            make_table(database, made.columns)
            store.set_aside = salvage(damaged, database)
        _check_made(store, made)
        if made.table == "sqlite":
            make_table(database, made.columns)
        store.put(_MADE, made)
    except BaseException:
        database.close()
        raise
    return store


def _make_table(database: Database, made: Made) -> Table:
    if made.table == "csv":
        return CsvTable(Path(made.csv_dir), made.columns)
    return SqliteTable(database, made.columns)


def _check_made(store: EdgeStore, made: Made) -> None:
    """Refuse to mix rows of two kinds of tables, or readings of two units."""
    last = store.get(_MADE, Made)
    if last is None:
        return
    advice = "begin a new store"
    if made.table != last.table:
        expected = f"{last.table}, as the rows in {store.path} are"
        raise InputError("table", expected, f"{made.table}: {advice}")
    units = dict(last.columns.channels)
    for name, unit in made.columns.channels:
        if units.get(name, unit) != unit:
            expected = f"{units[name]}, as in {store.path}"
            raise InputError(f"channels.{name}.unit", expected, f"{unit}: {advice}")
