"""All that an edge service must not lose, in one SQLite file that people can read too.

`SELECT * FROM plant`, `forecasts`, `alerts`, `pending`, `spare`, `next_day`, `state`, `outbox`.
The plant's table can be a folder of CSV files instead, see `wearcast.clients.edge.store.csv_table`.

The service writes from one thread. Another thread or process opens a store, or only an `Outbox`,
of its own on the same file.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from wearcast.clients.edge.readings import Reading
from wearcast.clients.edge.store.database import Database
from wearcast.clients.edge.store.outbox import Outbox
from wearcast.clients.edge.store.tables import Table
from wearcast.signals.alerts import Alert
from wearcast.signals.estimate import Estimate
from wearcast.signals.parcel import Parcel

Value = TypeVar("Value")

_ADD = "INSERT INTO pending VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_SPAN = (
    "SELECT time_us, channel, value, quality FROM {} WHERE time_us >= ? AND time_us < ? "
    "ORDER BY time_us, channel"
)
_SPARE = "INSERT INTO spare (time_us, channel, value, quality, received_us) VALUES (?, ?, ?, ?, ?)"
_FORECAST = (
    "INSERT INTO kept_forecasts (window_end_us, model, estimate) VALUES (?, ?, ?) "
    "ON CONFLICT (window_end_us, model) DO UPDATE SET estimate = excluded.estimate"
)
_FORECASTS = (
    "SELECT estimate FROM kept_forecasts WHERE window_end_us >= ? AND window_end_us < ? "
    "ORDER BY window_end_us, model"
)
_NEXT_DAY = "INSERT INTO next_day (channel, first_us, end_us, value) VALUES (?, ?, ?, ?)"
_NEXT_DAY_AT = "SELECT channel, value FROM next_day WHERE end_us > ? AND first_us <= ? ORDER BY id"
_ALERT = "INSERT INTO kept_alerts (id, time_us, alert) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_ALERTS = (
    "SELECT alert FROM kept_alerts WHERE time_us >= ? AND time_us < ? ORDER BY time_us, number"
)
_PUT = "INSERT INTO state VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
# What has a time, besides the plant's table; not what waits in the outbox.
_HISTORY = {
    "pending": "time_us",
    "spare": "time_us",
    "kept_forecasts": "window_end_us",
    "next_day": "end_us",
    "kept_alerts": "time_us",
}


class EdgeStore:
    """An open store; see `wearcast.clients.edge.store.opening.open_store`, which opens one.

    table: the plant's rows. outbox: parcels that wait. set_aside: what was damaged when it was
    opened and what could be saved, in words; empty: nothing was. Each method is one transaction, or
    part of the one that is open. Raises `StoreError` where the file can't be read or written now;
    the object goes on once it can.
    """

    def __init__(self, database: Database, table: Table, set_aside: str = "") -> None:
        self.path = database.path
        self.table = table
        self.outbox = Outbox(database.path, database)
        self.set_aside = set_aside
        self._database = database

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what the block writes; on disk once it is left.

        Rows of a CSV table are on disk at once: the block must be one that can be done again.
        """
        with self._database.transaction():
            yield

    def get(self, name: str, kind: type[Value]) -> Value | None:
        """The value that was put under a name, as that type; None: there is none."""
        for (text,) in self._database.execute("SELECT value FROM state WHERE name = ?", (name,)):
            return msgspec.json.decode(text, type=kind)
        return None

    def put(self, name: str, value: object) -> None:
        """Keep a value under a name: whatever msgspec turns into JSON."""
        self._database.change(_PUT, (name, msgspec.json.encode(value).decode()))

    def add_readings(
        self, readings: Sequence[Reading], not_before_us: int | None = None
    ) -> list[Reading]:
        """Keep readings until their step is closed.

        Gives those that had no place: of before `not_before_us`, or of a time and channel that has
        a reading with another value. One that is there already, with the same value, is nothing.
        """
        early: list[Reading] = []
        rest: list[Reading] = []
        for reading in readings:
            late = not_before_us is not None and reading.time_us < not_before_us
            (early if late else rest).append(reading)
        rows = [(r.time_us, r.channel, r.value, " ".join(r.quality)) for r in rest]
        if self._database.change_many(_ADD, rows) == len(rows):
            return early
        return early + [reading for reading in rest if self._differs(reading)]

    def pending(self, first_us: int, end_us: int) -> list[Reading]:
        """Kept readings from first to before end, by time and channel."""
        return self._list_readings("pending", first_us, end_us)

    def drop_pending(self, before_us: int) -> int:
        """Delete kept readings before a time; gives how many."""
        return self._database.change("DELETE FROM pending WHERE time_us < ?", (before_us,))

    def oldest_pending_us(self) -> int | None:
        """Time of the oldest kept reading."""
        return self._find("SELECT min(time_us) FROM pending")

    def keep_spare(self, reading: Reading, received_us: int) -> None:
        """Keep a reading that has no place in the table."""
        cells = (reading.time_us, reading.channel, reading.value, " ".join(reading.quality))
        self._database.change(_SPARE, (*cells, received_us))

    def spare(self, first_us: int, end_us: int) -> list[Reading]:
        """Readings that had no place, from first to before end, by time and channel."""
        return self._list_readings("spare", first_us, end_us)

    def count_spare(self) -> int:
        """How many readings had no place."""
        return self._find("SELECT count(*) FROM spare") or 0

    def add_forecast(self, estimate: Estimate) -> None:
        """Keep a forecast; it replaces that of the same model and time."""
        text = msgspec.json.encode(estimate).decode()
        self._database.change(_FORECAST, (estimate.window_end_us, estimate.model, text))

    def forecasts(self, first_us: int, end_us: int) -> list[Estimate]:
        """Forecasts whose window ended from first to before end, oldest first."""
        rows = self._database.execute(_FORECASTS, (first_us, end_us))
        return [msgspec.json.decode(text, type=Estimate) for (text,) in rows]

    def add_next_day(self, channel: str, first_us: int, end_us: int, value: float) -> None:
        """Keep what a channel will read from first to before end."""
        self._database.change(_NEXT_DAY, (channel, first_us, end_us, value))

    def next_day(self, time_us: int) -> dict[str, float]:
        """What was said last of a time, by channel."""
        return dict(self._database.execute(_NEXT_DAY_AT, (time_us, time_us)))

    def add_alerts(self, alerts: Sequence[Alert]) -> None:
        """Keep alerts; those whose id is there already stay as they are."""
        rows = [(each.id, each.time_us, msgspec.json.encode(each).decode()) for each in alerts]
        self._database.change_many(_ALERT, rows)

    def alerts(self, first_us: int, end_us: int) -> list[Alert]:
        """Alerts from first to before end, oldest first."""
        rows = self._database.execute(_ALERTS, (first_us, end_us))
        return [msgspec.json.decode(text, type=Alert) for (text,) in rows]

    def send_later(self, parcel: Parcel) -> None:
        """Put a parcel into the outbox; one with its key stays as it is."""
        self.outbox.send_later(parcel)

    def ask(self, command: Mapping[str, Any]) -> None:
        """Leave a command for the service, which may be another process."""
        text = msgspec.json.encode(command).decode()
        self._database.change("INSERT INTO commands (command) VALUES (?)", (text,))

    def take_commands(self) -> list[dict[str, Any]]:
        """Commands in the order in which they were left; they are gone with the transaction."""
        with self._database.joined():
            rows = self._database.execute("SELECT command FROM commands ORDER BY id")
            if rows:
                self._database.change("DELETE FROM commands")
        return [msgspec.json.decode(text, type=dict[str, Any]) for (text,) in rows]

    def purge(self, before_us: int) -> int:
        """Delete all history before a time, not what waits to be sent; gives how many rows."""
        with self._database.joined():
            count = self.table.purge(before_us)
            for name, column in _HISTORY.items():
                statement = f"DELETE FROM {name} WHERE {column} < ?"  # noqa: S608
                count += self._database.change(statement, (before_us,))
        return count

    def maintain(self) -> None:
        """Give room of what was deleted back to the disk; not within a transaction."""
        self._database.maintain()

    def check(self) -> str:
        """What is wrong with the file, in words; nothing if it is sound."""
        return self._database.check()

    def size_bytes(self) -> int:
        """Bytes on disk."""
        return self._database.size_bytes() + self.table.size_bytes()

    def close(self) -> None:
        """Close the files; an open transaction is undone."""
        self.table.close()
        self._database.close()

    def _list_readings(self, table: str, first_us: int, end_us: int) -> list[Reading]:
        rows = self._database.execute(_SPAN.format(table), (first_us, end_us))
        return [
            Reading(time, name, value, tuple(flags.split())) for time, name, value, flags in rows
        ]

    def _differs(self, reading: Reading) -> bool:
        key = (reading.time_us, reading.channel)
        found = self._database.execute(
            "SELECT value FROM pending WHERE time_us = ? AND channel = ?", key
        )
        return found != [(reading.value,)]

    def _find(self, statement: str) -> int | None:
        found: int | None = self._database.execute(statement)[0][0]
        return found
