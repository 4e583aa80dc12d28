"""Estimates in SQLite: committed before they are acknowledged, given back exactly.

Each is a row of `estimates` with the whole answer as JSON; `wearcast.serving.views` shows them as
tables.

One thread owns the connection. It takes all that waits and commits it at once, so many streams
share one flush to disk. Another process may read and write the same file.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from wearcast.serving.counts import Took
from wearcast.serving.views import VIEWS
from wearcast.signals.clock import format_time
from wearcast.signals.errors import InputError, StoreError
from wearcast.signals.estimate import Estimate

Result = TypeVar("Result")
Keep = Callable[[sqlite3.Connection], None]

_APPLICATION_ID = 0x57454152  # "WEAR"
_FORMAT = 2
_BUSY_S = 30.0
_PAGE = 500
# Of each series, in memory: 5 h of blocks each 10 s, a few MB. A stream that goes on needs what its
# model's line is fitted to and what its client missed, some dozens.
KEPT_IN_MEMORY = 2_000
# Chosen: so many more may be kept, as forgetting costs as much as storing.
_FORGET_AFTER = 100
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
# The key holds the sequence as well as the time: a clock that is set back gives a time twice.
_UPSERT = """
INSERT INTO estimates VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (asset, model, version, sequence, window_end) DO UPDATE SET
    estimate = excluded.estimate
"""
_LAST = """
SELECT estimate FROM estimates WHERE asset = ? AND model = ? AND version = ?
ORDER BY sequence DESC LIMIT ?
"""
_UP_TO = """
SELECT estimate FROM estimates WHERE asset = ? AND model = ? AND version = ? AND sequence <= ?
ORDER BY sequence DESC LIMIT 1
"""
_AFTER = """
SELECT estimate FROM estimates WHERE asset = ? AND model = ? AND version = ? AND sequence > ?
ORDER BY sequence LIMIT ?
"""
_FORGET = """
DELETE FROM estimates WHERE asset = ? AND model = ? AND version = ? AND sequence <= (
    SELECT sequence FROM estimates WHERE asset = ? AND model = ? AND version = ?
    ORDER BY sequence DESC LIMIT 1 OFFSET ?
)
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
_SET_AGE = "INSERT INTO series VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_GET_AGE = "SELECT age_at_start_s FROM series WHERE asset = ? AND model = ? AND version = ?"


class SeriesKey(NamedTuple):
    """Whose estimates they are."""

    asset: str
    model: str
    version: int


class _Job(NamedTuple):
    work: Callable[[sqlite3.Connection], object]
    done: asyncio.Future[Any]


class Store:
    """Keeps estimates in a file, or the newest of each series in memory: `KEPT_IN_MEMORY` or more.

    in_memory: whether there is no file. commits: transactions so far.

    Raises:
        InputError: the file is no SQLite database, a damaged one, or one of something else.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.in_memory = path is None
        self.commits = Took()  # only its own thread adds to it
        self._connection = _open(path)
        self._since: dict[SeriesKey, int] = {}
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="store")
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do other work on the store's file; committed when this returns, undone if it raises."""
        return await self._do(work)

    async def save(
        self, key: SeriesKey, estimates: Sequence[Estimate], keep: Keep | None = None
    ) -> None:
        """Commit estimates, and with them what `keep` writes; those stored already are replaced."""

        def work(connection: sqlite3.Connection) -> None:
            rows = [_to_row(key, estimate) for estimate in estimates]
            connection.executemany(_UPSERT, rows)
            if self.in_memory and self._is_full(key, len(rows)):
                connection.execute(_FORGET, (*key, *key, KEPT_IN_MEMORY))
            if keep is not None:
                keep(connection)

        await self._do(work)

    def _is_full(self, key: SeriesKey, more: int) -> bool:
        """Whether enough came since the last look that older ones should be forgotten."""
        self._since[key] = self._since.get(key, 0) + more
        if self._since[key] < _FORGET_AFTER:
            return False
        self._since[key] = 0
        return True

    async def last(self, key: SeriesKey, count: int) -> list[Estimate]:
        """The newest `count` estimates, oldest first."""
        return (await self._read(_LAST, (*key, count)))[::-1]

    async def up_to(self, key: SeriesKey, sequence: int) -> Estimate | None:
        """The newest estimate at or before a sequence number."""
        found = await self._read(_UP_TO, (*key, sequence))
        return found[0] if found else None

    async def after(self, key: SeriesKey, sequence: int) -> AsyncIterator[list[Estimate]]:
        """The estimates after a sequence number, oldest first, a page at a time."""
        while page := await self._read(_AFTER, (*key, sequence, _PAGE)):
            yield page
            sequence = page[-1].sequence

    async def remember_age(self, key: SeriesKey, age_at_start_s: float) -> float:
        """The age that was given first for a series; the one given now, if this is the first."""

        def work(connection: sqlite3.Connection) -> float:
            connection.execute(_SET_AGE, (*key, age_at_start_s))
            return float(connection.execute(_GET_AGE, key).fetchone()[0])

        return await self._do(work)

    def close(self) -> None:
        """Commit what waits and close the file."""
        self._jobs.put(None)
        self._thread.join()
        self._connection.close()

    async def _read(self, query: str, parameters: tuple[object, ...]) -> list[Estimate]:
        texts = await self._do(
            lambda connection: [text for (text,) in connection.execute(query, parameters)]
        )
        return [msgspec.json.decode(text, type=Estimate) for text in texts]

    async def _do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        # A client that goes away does not undo what is being written: nobody looks at the future.
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, done))
        return await done

    def _work(self) -> None:
        closing = False
        while not closing:
            jobs = [self._jobs.get()]
            while not self._jobs.empty():
                jobs.append(self._jobs.get())
            closing = None in jobs
            self._commit([job for job in jobs if job is not None])

    def _commit(self, jobs: list[_Job]) -> None:
        """Do all jobs in one transaction, and only then say so; one that fails leaves no trace."""
        begun_ns = time.monotonic_ns()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._attempt(job) for job in jobs]
            self._connection.execute("COMMIT")
            self.commits.add(time.monotonic_ns() - begun_ns)
        except Exception as error:  # noqa: BLE001  # whatever it is, somebody waits for an answer
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            results = [error] * len(jobs)
        ends: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], object]]] = {}
        for job, result in zip(jobs, results, strict=True):
            ends.setdefault(job.done.get_loop(), []).append((job.done, result))
        for loop, its in ends.items():
            with contextlib.suppress(RuntimeError):  # it is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, its)

    def _attempt(self, job: _Job) -> object:
        """What the job gives, or the error that undid it."""
        self._connection.execute("SAVEPOINT job")
        try:
            result = job.work(self._connection)
        except Exception as error:  # noqa: BLE001  # handed to who waits for this job
            # Fails where SQLite has undone the whole transaction: then all jobs have failed.
            self._connection.execute("ROLLBACK TO job")
            result = error
        self._connection.execute("RELEASE job")
        return result


def _settle(ends: list[tuple[asyncio.Future[Any], object]]) -> None:
    """Wake those who wait, on their loop: all of a commit at once."""
    for done, result in ends:
        if done.cancelled():
            continue
        if isinstance(result, sqlite3.Error):
            done.set_exception(StoreError(f"store: {result}"))
        elif isinstance(result, Exception):
            done.set_exception(result)
        else:
            done.set_result(result)


def _open(path: Path | None) -> sqlite3.Connection:
    """Open the database, made anew where there is none."""
    expected = "an SQLite file of wearcast"
    try:
        connection = sqlite3.connect(
            path or ":memory:", timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise InputError("store", expected, f"{path}: {error}") from error
    try:
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


def _to_row(key: SeriesKey, estimate: Estimate) -> tuple[object, ...]:
    return (
        *key,
        estimate.sequence,
        format_time(estimate.window_end_us),
        msgspec.json.encode(estimate).decode(),
    )
