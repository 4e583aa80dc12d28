"""Saves what can be read of a damaged store."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wearcast.clients.edge.store.database import Database, list_files, quote

# Each table, and the order in which it lies in the file.
_TABLES = {
    "state": "rowid",
    "outbox": "rowid",
    "kept_rows": "rowid",
    "pending": "time_us {0}, channel {0}",
    "spare": "rowid",
    "kept_forecasts": "rowid",
    "next_day": "rowid",
    "kept_alerts": "rowid",
    "commands": "rowid",
}
_JSON = {
    "state": "value",
    "outbox": "parcel",
    "kept_forecasts": "estimate",
    "kept_alerts": "alert",
    "commands": "command",
}


def move_aside(path: Path) -> Path:
    """Rename a store to NAME.corrupt-TIME, with the files beside it; gives its new path."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    moved = path.with_name(f"{path.name}.corrupt-{stamp}")
    # The store itself last: a new one must not find the old one's log.
    for old, new in reversed(list(zip(list_files(path), list_files(moved), strict=True))):
        with suppress(FileNotFoundError):
            old.rename(new)
    return moved


def salvage(damaged: Path, database: Database) -> str:
    """Copy each row that can be read, once, into a new store; gives what was copied, in words.

    Rows are read from both ends of each table, up to what is damaged.

    Raises:
        StoreError: the new store can't be written now.
    """
    saved: dict[str, int] = {}
    with closing(sqlite3.connect(damaged, isolation_level=None)) as old:
        old.text_factory = lambda text: text.decode(errors="replace")
        for table in _TABLES:
            columns = _list_columns(old, table)
            if columns:
                saved[table] = _copy(old, database, table, columns)
    counts = ", ".join(f"{count} of {table}" for table, count in saved.items() if count)
    return f"saved {counts or 'nothing'}"


def _copy(old: sqlite3.Connection, database: Database, table: str, columns: dict[str, str]) -> int:
    there = {row[1].lower() for row in database.execute(f"PRAGMA table_info({table})")}
    for name, kind in columns.items():
        if name.lower() not in there:  # the plant's channels of another time
            database.execute(f"ALTER TABLE {table} ADD COLUMN {quote(name)} {kind}")
    listed = ", ".join(quote(name) for name in columns)
    places = ", ".join("?" * len(columns))
    insert = f"INSERT OR IGNORE INTO {table} ({listed}) VALUES ({places})"  # noqa: S608
    sound = f"WHERE json_valid({_JSON[table]})" if table in _JSON else ""
    order = _TABLES[table] if "{0}" in _TABLES[table] else _TABLES[table] + " {0}"
    count = 0
    for direction in ("ASC", "DESC"):
        ordered = order.format(direction)
        query = f"SELECT {listed} FROM {table} {sound} ORDER BY {ordered}"  # noqa: S608
        count += database.change_many(insert, _read(old, query))
    return count


def _list_columns(old: sqlite3.Connection, table: str) -> dict[str, str]:
    """Names and types of a table's columns; none where it can't be read."""
    try:
        return {row[1]: row[2] for row in old.execute(f"PRAGMA table_info({table})")}
    except sqlite3.DatabaseError:
        return {}


def _read(old: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Rows up to the first that can't be read."""
    with suppress(sqlite3.DatabaseError):
        yield from old.execute(query)
