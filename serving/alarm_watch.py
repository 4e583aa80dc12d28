"""Alarms of live streams: where they stand, and their alerts, in the store of the estimates.

Tables: `alarm_states`, one row a series, and `alarm_alerts`, one row an alert. A store that was
made before there were alarms gets them with the first stream that asks for alarms.
"""

import sqlite3
from collections.abc import Sequence

import msgspec

from wearcast.serving.alarm_messages import AskedRules
from wearcast.serving.store import Keep, SeriesKey, Store
from wearcast.signals.alarms import Alarms, AlarmsState
from wearcast.signals.alerts import Alert
from wearcast.signals.clock import format_time
from wearcast.signals.estimate import Estimate

_TABLES = (
    """
CREATE TABLE IF NOT EXISTS alarm_states (
    asset TEXT NOT NULL,
    model TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (asset, model, version)
) WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS alarm_alerts (
    asset TEXT NOT NULL,
    model TEXT NOT NULL,
    version INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    place INTEGER NOT NULL,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    detector TEXT NOT NULL,
    channel TEXT NOT NULL,
    stage INTEGER NOT NULL,
    alert TEXT NOT NULL,
    PRIMARY KEY (asset, model, version, sequence, place)
)
""",
)
_GET_STATE = "SELECT state FROM alarm_states WHERE asset = ? AND model = ? AND version = ?"
_SET_STATE = """
INSERT INTO alarm_states VALUES (?, ?, ?, ?)
ON CONFLICT (asset, model, version) DO UPDATE SET state = excluded.state
"""
_ADD = "INSERT INTO alarm_alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_BETWEEN = """
SELECT alert FROM alarm_alerts WHERE asset = ? AND model = ? AND version = ?
AND sequence > ? AND sequence <= ? ORDER BY sequence, place
"""
# In memory, alerts go with their estimates.
_FORGET = """
DELETE FROM alarm_alerts WHERE asset = ?1 AND model = ?2 AND version = ?3 AND sequence < (
    SELECT min(sequence) FROM estimates WHERE asset = ?1 AND model = ?2 AND version = ?3
)
"""


class AlarmWatch:
    """The alarms of one series while a stream has it."""

    def __init__(self, store: Store, key: SeriesKey, alarms: Alarms) -> None:
        self._store = store
        self._key = key
        self._alarms = alarms

    @classmethod
    async def open(
        cls, store: Store, key: SeriesKey, asked: AskedRules, step_s: float
    ) -> "AlarmWatch":
        """Go on where the alarms stood when they were stored last."""

        def work(connection: sqlite3.Connection) -> AlarmsState | None:
            for table in _TABLES:
                connection.execute(table)
            row = connection.execute(_GET_STATE, key).fetchone()
            return msgspec.json.decode(row[0], type=AlarmsState) if row else None

        state = await store.run(work)
        alarms = Alarms(key.asset, asked.rules, asked.by_tag, state=state, step_s=step_s)
        return cls(store, key, alarms)

    def follow(self, estimates: Sequence[Estimate]) -> tuple[list[Alert], Keep]:
        """The alerts about new estimates, and the work that keeps them, for the same commit."""
        alerts = [(estimate, self._alarms.update(estimate)) for estimate in estimates]
        rows = [
            _to_row(self._key, estimate.sequence, place, alert)
            for estimate, part in alerts
            for place, alert in enumerate(part)
        ]
        state = msgspec.json.encode(self._alarms.state).decode()

        def keep(connection: sqlite3.Connection) -> None:
            connection.executemany(_ADD, rows)
            connection.execute(_SET_STATE, (*self._key, state))
            if self._store.in_memory:
                connection.execute(_FORGET, self._key)

        return [alert for _, part in alerts for alert in part], keep

    async def missed(self, received: int, estimates: Sequence[Estimate]) -> list[Alert]:
        """The stored alerts about stored estimates; the client has those up to `received`."""
        span = (received, estimates[-1].sequence)
        texts = await self._store.run(
            lambda connection: connection.execute(_BETWEEN, (*self._key, *span)).fetchall()
        )
        return [msgspec.json.decode(text, type=Alert) for (text,) in texts]


def _to_row(key: SeriesKey, sequence: int, place: int, alert: Alert) -> tuple[object, ...]:
    return (
        *key,
        sequence,
        place,
        format_time(alert.time_us),
        alert.kind,
        alert.detector,
        alert.channel,
        alert.stage,
        msgspec.json.encode(alert).decode(),
    )
