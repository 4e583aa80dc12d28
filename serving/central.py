"""What edge services have sent, in the store's file: each parcel once, whole or not at all.

Tables: `parcels`, one line each; `plant_rows`, a row of an asset and time, with its columns by name
in JSON; `plant_forecasts`, the forecasts as JSON; `plant_alerts`. The views `plant_values` and
`plant_forecast_values` show the JSON as lines.
"""

import asyncio
import sqlite3
import time
from typing import NamedTuple

import msgspec

from wearcast.serving.store import Store
from wearcast.signals.clock import format_time
from wearcast.signals.errors import FieldError
from wearcast.signals.parcel import Parcel

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS parcels (
    key TEXT NOT NULL PRIMARY KEY,
    asset TEXT NOT NULL,
    kind TEXT NOT NULL,
    first_time TEXT NOT NULL,
    end_time TEXT NOT NULL,
    created TEXT NOT NULL,
    received TEXT NOT NULL,
    expected INTEGER NOT NULL,
    complete INTEGER NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS plant_rows (
    asset TEXT NOT NULL,
    time TEXT NOT NULL,
    row TEXT NOT NULL,
    PRIMARY KEY (asset, time)
) WITHOUT ROWID""",
    """CREATE VIEW IF NOT EXISTS plant_values AS SELECT
    asset, time, item.key AS name, item.value AS value
FROM plant_rows, json_each(row) AS item WHERE item.key <> 'quality'""",
    """CREATE TABLE IF NOT EXISTS plant_forecasts (
    asset TEXT NOT NULL,
    model TEXT NOT NULL,
    window_end TEXT NOT NULL,
    forecast TEXT NOT NULL,
    PRIMARY KEY (asset, model, window_end)
)""",
    """CREATE VIEW IF NOT EXISTS plant_forecast_values AS SELECT
    asset, model, window_end,
    point.value ->> '$.channel' AS channel,
    point.value ->> '$.unit' AS unit,
    point.value ->> '$.horizon_s' AS horizon_s,
    quantile.value ->> 0 AS quantile,
    quantile.value ->> 1 AS value
FROM plant_forecasts, json_each(forecast, '$.answer.points') AS point,
    json_each(point.value, '$.values') AS quantile""",
    """CREATE TABLE IF NOT EXISTS plant_alerts (
    id TEXT NOT NULL PRIMARY KEY,
    asset TEXT NOT NULL,
    kind TEXT NOT NULL,
    time TEXT NOT NULL,
    detector TEXT NOT NULL,
    channel TEXT NOT NULL,
    unit TEXT NOT NULL,
    stage INTEGER NOT NULL,
    previous_stage INTEGER NOT NULL,
    value REAL,
    cause TEXT NOT NULL,
    model TEXT NOT NULL,
    quality TEXT NOT NULL
) WITHOUT ROWID""",
)
_ADD_PARCEL = "INSERT INTO parcels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_SET_ROW = "INSERT OR REPLACE INTO plant_rows VALUES (?, ?, ?)"
_SET_FORECAST = "INSERT OR REPLACE INTO plant_forecasts VALUES (?, ?, ?, ?)"
_ADD_ALERT = (
    "INSERT INTO plant_alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


class NoStoreError(FieldError):
    """The server keeps nothing in a file, so it can't promise to keep a parcel."""

    status = "FAILED_PRECONDITION"
    reason = "NO_STORE"


class _Lines(NamedTuple):
    """A parcel as lines of the tables."""

    parcel: tuple[object, ...]
    rows: list[tuple[object, ...]]
    forecasts: list[tuple[object, ...]]
    alerts: list[tuple[object, ...]]


class Central:
    """Keeps parcels in the file of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, parcel: Parcel) -> bool:
        """Commit a parcel; False: one with its key was there already, and nothing has changed.

        Raises:
            NoStoreError: the store is no file.
            StoreError: it can't be written now.
        """
        if self._store.in_memory:
            raise NoStoreError("store", "a file to keep parcels in (--store)", "none")
        lines = await asyncio.to_thread(_to_lines, parcel, time.time_ns() // 1000)

        def work(connection: sqlite3.Connection) -> bool:
            for statement in _SCHEMA:  # a store of before has none of these tables
                connection.execute(statement)
            if connection.execute(_ADD_PARCEL, lines.parcel).rowcount == 0:
                return False
            connection.executemany(_SET_ROW, lines.rows)
            connection.executemany(_SET_FORECAST, lines.forecasts)
            connection.executemany(_ADD_ALERT, lines.alerts)
            return True

        return await self._store.run(work)


def _to_lines(parcel: Parcel, received_us: int) -> _Lines:
    names = parcel.columns.names[1:] if parcel.columns else []
    times = (parcel.first_us, parcel.end_us, parcel.created_us, received_us)
    return _Lines(
        (
            parcel.key,
            parcel.asset,
            parcel.kind.value,
            *(format_time(time_us) for time_us in times),
            parcel.expected,
            parcel.complete,
        ),
        [
            (
                parcel.asset,
                format_time(row.time_us),
                _to_json(
                    dict(
                        zip(
                            names,
                            (*row.readings, *row.predictions, *row.stages, row.quality),
                            strict=True,
                        )
                    )
                ),
            )
            for row in parcel.rows
        ],
        [
            (parcel.asset, item.model, format_time(item.window_end_us), _to_json(item))
            for item in parcel.forecasts
        ],
        [
            (
                alert.id,
                alert.asset,
                alert.kind.value,
                format_time(alert.time_us),
                alert.detector,
                alert.channel,
                alert.unit,
                alert.stage,
                alert.previous_stage,
                alert.value,
                alert.cause,
                alert.model,
                " ".join(alert.quality),
            )
            for alert in parcel.alerts
        ],
    )


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
