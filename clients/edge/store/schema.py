"""What is in the file of an edge store, and whether a file is one."""

from wearcast.clients.edge.store import outbox
from wearcast.clients.edge.store.database import Database, iso
from wearcast.signals.errors import InputError

EXPECTED = "an SQLite file of wearcast edge"
_APPLICATION_ID = 0x57454447  # "WEDG"
_FORMAT = 1
_SCHEMA = (
    outbox.SCHEMA
    + f"""
CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE pending (
    time_us INTEGER NOT NULL,
    channel TEXT NOT NULL,
    value REAL,
    quality TEXT NOT NULL,
    PRIMARY KEY (time_us, channel)
) WITHOUT ROWID;
CREATE TABLE spare (
    id INTEGER PRIMARY KEY,
    time_us INTEGER NOT NULL,
    channel TEXT NOT NULL,
    value REAL,
    quality TEXT NOT NULL,
    received_us INTEGER NOT NULL
);
CREATE TABLE kept_forecasts (
    id INTEGER PRIMARY KEY,
    window_end_us INTEGER NOT NULL,
    model TEXT NOT NULL,
    estimate TEXT NOT NULL,
    UNIQUE (window_end_us, model)
);
CREATE TABLE next_day (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    first_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL,
    value REAL NOT NULL
);
CREATE INDEX next_day_end ON next_day (end_us);
CREATE TABLE kept_alerts (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    time_us INTEGER NOT NULL,
    alert TEXT NOT NULL
);
CREATE INDEX kept_alerts_time ON kept_alerts (time_us);
CREATE TABLE commands (id INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT NOT NULL);
CREATE VIEW forecasts AS SELECT
    {iso("window_end_us")} AS window_end,
    model,
    point.value ->> '$.channel' AS channel,
    point.value ->> '$.unit' AS unit,
    point.value ->> '$.horizon_s' AS horizon_s,
    quantile.value ->> 0 AS quantile,
    quantile.value ->> 1 AS value
FROM kept_forecasts, json_each(estimate, '$.answer.points') AS point,
    json_each(point.value, '$.values') AS quantile;
CREATE VIEW alerts AS SELECT
    {iso("time_us")} AS time,
    alert ->> '$.kind' AS kind,
    alert ->> '$.detector' AS detector,
    alert ->> '$.channel' AS channel,
    alert ->> '$.unit' AS unit,
    alert ->> '$.stage' AS stage,
    alert ->> '$.previous_stage' AS previous_stage,
    alert ->> '$.value' AS value,
    alert ->> '$.cause' AS cause,
    alert ->> '$.model' AS model,
    id
FROM kept_alerts;
"""  # noqa: S608 - nothing of a user's is in it
)


def prepare_store(database: Database) -> None:
    """Make the tables in an empty file.

    Raises:
        InputError: the file is another program's, or of another format.
        DamagedError: it is no sound database.
        StoreError: it can't be read or written now.
    """
    if not _is_empty(database):  # another program's file is not touched
        check_owner(database)
    database.prepare()
    with database.transaction():
        if _is_empty(database):
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {_FORMAT}")
        check_owner(database)


def _is_empty(database: Database) -> bool:
    return database.execute("SELECT count(*) FROM sqlite_schema") == [(0,)]


def check_owner(database: Database) -> None:
    """Refuse what is no store; reads only.

    Raises:
        InputError: the file is another program's, or of another format.
        DamagedError: it is no sound database.
        StoreError: it can't be read now.
    """
    ((application,),) = database.execute("PRAGMA application_id")
    ((version,),) = database.execute("PRAGMA user_version")
    if application != _APPLICATION_ID:
        raise InputError("store", EXPECTED, f"{database.path}: another program's")
    if version != _FORMAT:
        problem = f"{database.path}: of format {version}, not {_FORMAT}: begin a new one"
        raise InputError("store", EXPECTED, problem)
