"""An SQLite file that many processes may write, and that is whole after a power cut.

Each commit is flushed to disk before it counts (WAL with `synchronous = FULL`). Errors of SQLite
become `StoreError`, and leave no half-done transaction; the same object goes on once there is room.
"""

import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wearcast.signals.errors import StoreError

BUSY_S = 30.0
# Below this much room, an error of input and output is one of a full disk.
_FULL_BYTES = 65_536
# Result codes, https://www.sqlite.org/rescode.html
_BUSY, _LOCKED, _IOERR, _CORRUPT, _FULL, _NOTADB = 5, 6, 10, 11, 13, 26


class DamagedError(StoreError):
    """The file is no sound SQLite database."""


class Database:
    """One connection; for one thread at a time.

    Raises:
        StoreError: the file can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._told():
            self._connection = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )

    def prepare(self) -> None:
        """Set what lasts in the file, and how this connection writes."""
        # Holds for a file that has no tables yet.
        self.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what the block writes; on disk once it is left.

        Raises:
            StoreError: it can't be written now; nothing of it has been.
        """
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._told():
                self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    @contextmanager
    def joined(self) -> Iterator[None]:
        """The transaction that is open, or one of its own."""
        if self._connection.in_transaction:
            yield
        else:
            with self.transaction():
                yield

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows that a statement gives.

        Raises:
            StoreError: it can't be read or written now.
        """
        with self._told():
            return self._connection.execute(statement, values).fetchall()

    def change(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run a statement; gives how many rows it changed.

        Raises:
            StoreError: it can't be written now.
        """
        with self._told():
            return self._connection.execute(statement, values).rowcount

    def change_many(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        """Run a statement for each row, all or none; gives how many rows it changed.

        Raises:
            StoreError: it can't be written now.
        """
        with self.joined(), self._told():
            return self._connection.executemany(statement, rows).rowcount

    def maintain(self) -> None:
        """Give room of what was deleted back to the disk, and empty the write-ahead log.

        Raises:
            StoreError: it can't be written now.
        """
        with self._told():
            # A script is run to its end; `execute` would give one page back.
            self._connection.executescript("PRAGMA incremental_vacuum")
        # Who reads now keeps the log from being emptied: not waited for, it comes with the next.
        self.execute("PRAGMA busy_timeout = 0")
        try:
            self.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")

    def check(self) -> str:
        """What is wrong with the file, in words; nothing if it is sound."""
        try:
            found = self._connection.execute("PRAGMA quick_check(1)").fetchall()
        except sqlite3.DatabaseError as error:
            return str(error)
        return "" if found == [("ok",)] else "; ".join(str(text) for (text,) in found)

    def size_bytes(self) -> int:
        """Bytes on disk, with the write-ahead log."""
        return sum(file.stat().st_size for file in list_files(self.path) if file.exists())

    def close(self) -> None:
        """Close the file; an open transaction is undone."""
        self._connection.close()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # SQLite undoes some by itself
            with self._told():
                self._connection.execute("ROLLBACK")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if type(error) not in {sqlite3.OperationalError, sqlite3.DatabaseError}:
                raise  # a mistake of ours, such as a wrong number of values
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            text = f"store: expected a sound file to write to, got {self._describe(error, code)}"
            raise (DamagedError if code in {_CORRUPT, _NOTADB} else StoreError)(text) from error

    def _describe(self, error: sqlite3.DatabaseError, code: int) -> str:
        if code == _FULL or (code == _IOERR and _is_full(self.path)):
            return f"{self.path}: disk full"
        if code in {_BUSY, _LOCKED}:
            return f"{self.path}: another process has been writing for {BUSY_S:g} s"
        return f"{self.path}: {error}"


def list_files(path: Path) -> list[Path]:
    """The files that make up a database; not all need be there."""
    return [path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")]


def quote(name: str) -> str:
    """A name of a column, for SQL.

    >>> quote("flow rate")
    '"flow rate"'
    """
    return '"' + name.replace('"', '""') + '"'


def iso(column: str) -> str:
    """SQL that shows microseconds since 1970 UTC as `wearcast.signals.clock.format_time` does."""
    seconds = f"strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000000, 'unixepoch')"
    return f"{seconds} || printf('.%06dZ', {column} % 1000000)"


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _FULL_BYTES
    except OSError:
        return False
