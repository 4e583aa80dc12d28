"""Parcels that wait for the central server: kept until it has acknowledged them."""

from pathlib import Path

import msgspec

from wearcast.clients.edge.store.database import Database
from wearcast.signals.parcel import Parcel

SCHEMA = """
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    refused TEXT,
    parcel TEXT NOT NULL
);
CREATE INDEX waiting ON outbox (id) WHERE refused IS NULL;
"""
_SEND = "INSERT INTO outbox (key, kind, parcel) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_OLDEST = "SELECT id, parcel FROM outbox WHERE refused IS NULL AND id > ? ORDER BY id LIMIT 1"
_COUNT = "SELECT count(*) FILTER (WHERE refused IS NULL), count(refused) FROM outbox"
_REFUSED = "SELECT id, key, refused FROM outbox WHERE refused IS NOT NULL ORDER BY id"


class RefusedParcel(msgspec.Struct, frozen=True):
    """A parcel that the server will not take, and why; it is kept for people to look at."""

    id: int
    key: str
    reason: str


class Outbox:
    """Parcels in the order in which they were put there.

    path: a store that `wearcast.clients.edge.store.opening` has made. With `database` it shares
    that connection and its transactions; else it has its own, for a thread of its own.

    Raises:
        StoreError: the file can't be read or written; so do all methods.
    """

    def __init__(self, path: Path, database: Database | None = None) -> None:
        self._database = database or Database(path)
        if database is None:
            self._database.prepare()

    def send_later(self, parcel: Parcel) -> None:
        """Put a parcel there, in the transaction that is open; one with its key stays as it is."""
        text = msgspec.json.encode(parcel).decode()
        self._database.change(_SEND, (parcel.key, parcel.kind, text))

    def oldest_parcel(self, after_id: int = 0) -> tuple[int, Parcel] | None:
        """The parcel that has waited longest, of those behind a number, and its number."""
        for number, text in self._database.execute(_OLDEST, (after_id,)):
            try:
                return number, msgspec.json.decode(text, type=Parcel)
            except msgspec.MsgspecError as error:  # another version's; the others can go on
                self.refuse(number, f"parcel: expected one of this version, got {error}")
                return self.oldest_parcel(number)
        return None

    def sent(self, *numbers: int) -> None:
        """Forget parcels: the server has them."""
        rows = [(number,) for number in numbers]
        self._database.change_many("DELETE FROM outbox WHERE id = ?", rows)

    def refuse(self, number: int, reason: str) -> None:
        """Park a parcel that the server will never take, with its reason."""
        self._database.change("UPDATE outbox SET refused = ? WHERE id = ?", (reason, number))

    def count(self) -> tuple[int, int]:
        """How many parcels wait, and how many are parked."""
        ((waiting, parked),) = self._database.execute(_COUNT)
        return waiting, parked

    def refused(self) -> list[RefusedParcel]:
        """The parked parcels, oldest first."""
        return [RefusedParcel(*row) for row in self._database.execute(_REFUSED)]

    def close(self) -> None:
        """Close its connection."""
        self._database.close()
