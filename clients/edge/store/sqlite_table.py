"""The plant's table in SQLite: `SELECT * FROM plant` shows it.

The rows are in `kept_rows` by microseconds, which are half as large as texts and found faster; the
view `plant` shows them with times in ISO 8601, and the columns in the order of `Columns.names`.

New columns are added to an old file. Those that are no longer asked for stay in `kept_rows` with
what they hold, and are not in the view.
"""

from collections.abc import Sequence
from typing import Any

from wearcast.clients.edge.store.database import Database, iso, quote
from wearcast.signals.plant_table import Columns, PlantRow

ROWS = "kept_rows"
_TIME = "time_us"
# Rows in a statement: it takes half the time a row that statements of one row take.
_MANY = 50
_VARIABLES = 30_000  # in a statement; SQLite takes 32,766


class SqliteTable:
    """See `wearcast.clients.edge.store.tables.Table`; in the transaction that is open, or its own.

    The table itself is made by `make_table`.
    """

    def __init__(self, database: Database, columns: Columns) -> None:
        self.columns = columns
        self._database = database
        self._channels = len(columns.channels)
        names = [_TIME, *(quote(name) for name in columns.names[1:])]
        listed = ", ".join(names)
        self._many = max(1, min(_MANY, _VARIABLES // len(names)))
        self._upsert, self._upsert_many = (_make_upsert(names, rows) for rows in (1, self._many))
        self._select = (
            f"SELECT {listed} FROM {ROWS} "  # noqa: S608
            f"WHERE {_TIME} >= ? AND {_TIME} < ? ORDER BY {_TIME}"
        )

    def write(self, rows: Sequence[PlantRow]) -> None:
        """Keep rows; see `Table`."""
        whole = len(rows) - len(rows) % self._many
        parts = (rows[first : first + self._many] for first in range(0, whole, self._many))
        with self._database.joined():
            self._database.change_many(self._upsert_many, map(_list_cells, parts))
            self._database.change_many(self._upsert, (_list_cells([row]) for row in rows[whole:]))

    def read(self, first_us: int, end_us: int) -> list[PlantRow]:
        """Rows from first to before end; see `Table`."""
        predictions = 1 + self._channels
        stages = predictions + self._channels
        return [
            PlantRow(
                cells[0],
                cells[1:predictions],
                cells[predictions:stages],
                cells[stages:-1],
                tuple((cells[-1] or "").split()),
            )
            for cells in self._database.execute(self._select, (first_us, end_us))
        ]

    def purge(self, before_us: int) -> int:
        """Delete rows before a time; see `Table`."""
        return self._database.change(
            f"DELETE FROM {ROWS} WHERE {_TIME} < ?",  # noqa: S608
            (before_us,),
        )

    def newest_us(self) -> int | None:
        """Time of the newest row; see `Table`."""
        found = self._database.execute(f"SELECT max({_TIME}) FROM {ROWS}")  # noqa: S608
        newest: int | None = found[0][0]
        return newest

    def size_bytes(self) -> int:
        """Nothing: the rows are in the database."""
        return 0

    def close(self) -> None:
        """Nothing: the database is closed by who opened it."""


def make_table(database: Database, columns: Columns) -> None:
    """Make the table, or add what it has not yet, and make the view anew if it has changed.

    Raises:
        StoreError: the file can't be written.
    """
    types = _list_types(columns)
    with database.transaction():
        database.execute(f"CREATE TABLE IF NOT EXISTS {ROWS} ({_TIME} INTEGER PRIMARY KEY)")
        there = {row[1].lower() for row in database.execute(f"PRAGMA table_info({ROWS})")}
        for name, kind in types.items():
            if name.lower() not in there:
                database.execute(f"ALTER TABLE {ROWS} ADD COLUMN {quote(name)} {kind}")
        listed = ", ".join(quote(name) for name in types)
        view = f"CREATE VIEW plant AS SELECT {iso(_TIME)} AS time, {listed} FROM {ROWS}"  # noqa: S608
        found = database.execute("SELECT sql FROM sqlite_schema WHERE name = 'plant'")
        if found != [(view,)]:
            database.execute("DROP VIEW IF EXISTS plant")
            database.execute(view)


def _make_upsert(names: Sequence[str], rows: int) -> str:
    values = ", ".join(["(" + ", ".join("?" * len(names)) + ")"] * rows)
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    return (
        f"INSERT INTO {ROWS} ({', '.join(names)}) VALUES {values} "  # noqa: S608 - quoted
        f"ON CONFLICT ({_TIME}) DO UPDATE SET {changes}"
    )


def _list_cells(rows: Sequence[PlantRow]) -> list[object]:
    """All cells of all rows, one behind the other."""
    cells: list[object] = []
    for row in rows:
        cells.append(row.time_us)
        cells += row.readings
        cells += row.predictions
        cells += row.stages
        cells.append(" ".join(row.quality))
    return cells


def _list_types(columns: Columns) -> dict[str, str]:
    """Type of each column but the time."""
    numbers = 2 * len(columns.channels)
    kinds: list[Any] = [*["REAL"] * numbers, *["INTEGER"] * len(columns.points), "TEXT"]
    return dict(zip(columns.names[1:], kinds, strict=True))
