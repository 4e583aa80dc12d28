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
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from wearcast.serving.counts import Took
from wearcast.serving.store_file import open_file
from wearcast.signals.clock import format_time
from wearcast.signals.errors import StoreError
from wearcast.signals.estimate import Estimate

Result = TypeVar("Result")
Keep = Callable[[sqlite3.Connection], None]

_PAGE = 500
# Of each series, in memory: 5 h of blocks each 10 s, a few MB. A stream that goes on needs what its
# model's line is fitted to and what its client missed, some dozens.
KEPT_IN_MEMORY = 2_000
# Chosen: so many more may be kept, as forgetting costs as much as storing.
_FORGET_AFTER = 100
_INSERT = "INSERT INTO estimates VALUES "
_ROW = "(?, ?, ?, ?, ?, ?)"
# The key holds the sequence as well as the time: a clock that is set back gives a time twice.
_REPLACE = """
ON CONFLICT (asset, model, version, sequence, window_end) DO UPDATE SET
    estimate = excluded.estimate
"""
# Chosen: so many rows in a statement; SQLite has 32,766 variables.
_AT_ONCE = 100
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
_SET_AGE = "INSERT INTO series VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_GET_AGE = "SELECT age_at_start_s FROM series WHERE asset = ? AND model = ? AND version = ?"


class SeriesKey(NamedTuple):
    """Whose estimates they are."""

    asset: str
    model: str
    version: int


class _Save(NamedTuple):
    key: SeriesKey
    estimates: Sequence[Estimate]


class _Job(NamedTuple):
    """What is saved, then other work; one of them may be none."""

    save: _Save | None
    work: Callable[[sqlite3.Connection], object] | None
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
        self._connection = open_file(path)
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
        await self._do(keep, _Save(key, estimates))

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

    async def _do(
        self, work: Callable[[sqlite3.Connection], Result] | None, save: _Save | None = None
    ) -> Result:
        # A client that goes away does not undo what is being written: nobody looks at the future.
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(save, work, done))
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
            results = self._save_at_once(jobs) or self._do_all(jobs)
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

    def _save_at_once(self, jobs: list[_Job]) -> list[object]:
        """Save in one statement, which is a transaction by itself; nothing where that can't be.

        Python's lock is given away with each statement, and is slow to come back beside a busy
        event loop.
        """
        saves = [job.save for job in jobs if job.save and not job.work]
        if len(saves) < len(jobs) or sum(len(save.estimates) for save in saves) > _AT_ONCE:
            return []
        try:
            self._write(saves)
        except sqlite3.OperationalError:  # of the file, not of what is saved
            raise
        except Exception:  # noqa: BLE001  # each has its own error when it is done alone
            return []
        return [None] * len(jobs)

    def _do_all(self, jobs: list[_Job]) -> list[object]:
        """What each job gives; those that save and follow each other are done as one."""
        self._connection.execute("BEGIN IMMEDIATE")
        results: list[object] = []
        for is_save, group in groupby(jobs, lambda job: job.save is not None):
            for some in [list(group)] if is_save else [[job] for job in group]:
                results += self._attempt(some)
        self._connection.execute("COMMIT")
        return results

    def _attempt(self, jobs: list[_Job]) -> list[object]:
        """What the jobs give, or the errors that undid them; if one fails, each is done alone."""
        self._connection.execute("SAVEPOINT jobs")
        try:
            self._write([job.save for job in jobs if job.save])
            results = [job.work(self._connection) if job.work else None for job in jobs]
        except Exception as error:  # noqa: BLE001  # handed to who waits for this job
            # Fails where SQLite has undone the whole transaction: then all jobs have failed.
            self._connection.execute("ROLLBACK TO jobs")
            results = [error] if len(jobs) == 1 else []
        self._connection.execute("RELEASE jobs")
        return results or [self._attempt([job])[0] for job in jobs]

    def _write(self, saves: list[_Save]) -> None:
        rows = [_to_row(key, estimate) for key, estimates in saves for estimate in estimates]
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            statement = _INSERT + ", ".join([_ROW] * len(some)) + _REPLACE
            self._connection.execute(statement, list(chain.from_iterable(some)))
        for key, estimates in saves if self.in_memory else ():
            self._since[key] = self._since.get(key, 0) + len(estimates)
            if self._since[key] >= _FORGET_AFTER:
                self._connection.execute(_FORGET, (*key, *key, KEPT_IN_MEMORY))
                self._since[key] = 0


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


def _to_row(key: SeriesKey, estimate: Estimate) -> tuple[object, ...]:
    return (
        *key,
        estimate.sequence,
        format_time(estimate.window_end_us),
        msgspec.json.encode(estimate).decode(),
    )
