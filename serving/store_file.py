"""The SQLite file behind a store: opened, checked, and made where there is none."""

import sqlite3
from pathlib import Path

from wearcast.serving.views import VIEWS
from wearcast.signals.errors import InputError

_APPLICATION_ID = 0x57454152  # "WEAR"
_FORMAT = 2
_BUSY_S = 30.0
# Chosen for the store in memory: rows take less time than with SQLite's 4 KB. A file keeps those.
_PAGE_BYTES = 16_384
_TABLES = """
CREATE TABLE series (
    asset TEXT NOT NULL,
    model TEXT NOT NULL,
    version INTEGER NOT NULL,
    age_at_start_s REAL NOT NULL,
    PRIMARY KEY (asset, model, version)
) WITHOUT ROWID;
CREATE TABLE estimates (
    asset TEXT NOT NULL,
    model TEXT NOT NULL,
    version INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    window_end TEXT NOT NULL,
    estimate TEXT NOT NULL,
    PRIMARY KEY (asset, model, version, sequence, window_end)
);
"""
# Both ends of each table and of its index: enough to tell a damaged file from a sound one in a
# moment, however large it is. Damage in between is met, and told, when it is read.
_PROBES = (
    "SELECT * FROM series ORDER BY asset, model, version LIMIT 1",
    "SELECT * FROM series ORDER BY asset DESC, model DESC, version DESC LIMIT 1",
    "SELECT * FROM estimates ORDER BY rowid LIMIT 1",
    "SELECT * FROM estimates ORDER BY rowid DESC LIMIT 1",
    "SELECT * FROM estimates ORDER BY asset, model, version, sequence LIMIT 1",
    "SELECT * FROM estimates ORDER BY asset DESC, model DESC, version DESC, sequence DESC LIMIT 1",
)


def open_file(path: Path | None) -> sqlite3.Connection:
    """Open the database, made anew where there is none; without a path it is in memory.

    Raises:
        InputError: the file is no SQLite database, a damaged one, or one of something else.
    """
    expected = "an SQLite file of wearcast"
    try:
        connection = sqlite3.connect(
            path or ":memory:", timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise InputError("store", expected, f"{path}: {error}") from error
    try:
        if path is None:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        problem = _prepare(connection)
    except sqlite3.Error as error:
        problem = str(error)
    if problem:
        connection.close()
        raise InputError("store", expected, f"{path}: {problem}")
    return connection


def _prepare(connection: sqlite3.Connection) -> str:
    """Make tables and views where there are none; what is wrong with the file, or nothing."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables == 0:
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_FORMAT}")
    elif application != _APPLICATION_ID:
        return "another program's"
    elif version != _FORMAT:
        return f"of format {version}, not {_FORMAT}: begin a new one"
    for statement in VIEWS.split(";"):
        connection.execute(statement)
    connection.execute("COMMIT")
    for probe in _PROBES:
        connection.execute(probe).fetchone()
    return ""
