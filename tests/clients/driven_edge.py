"""An edge service whose clock and readings the test drives; its store and models are real."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from tiny_plant import MINUTE_US, MONDAY_US
from waiting import LONG_S

from wearcast.clients.edge.carriers import open_carrier
from wearcast.clients.edge.clock import DrivenClock
from wearcast.clients.edge.courier import Courier
from wearcast.clients.edge.models import LocalModels, NoModels
from wearcast.clients.edge.readings import Batch, Reading
from wearcast.clients.edge.retraining import Retrainer
from wearcast.clients.edge.service import Service
from wearcast.clients.edge.settings import EdgeSettings
from wearcast.clients.edge.starting import find_columns
from wearcast.clients.edge.store.opening import open_store
from wearcast.clients.edge.telling import AlertWriter
from wearcast.signals.alerts import Alert
from wearcast.signals.parcel import Parcel, ParcelKind

CHANNELS = {"flow": "m3/h", "pressure": "bar"}


def at(clock: str, day: int = 0) -> int:
    """A time of the first Monday of 2024, UTC, or so many days later: "10:07"."""
    hours, minutes = clock.split(":")
    return MONDAY_US + ((day * 24 + int(hours)) * 60 + int(minutes)) * MINUTE_US


class Hand:
    """A source whose readings the test hands in."""

    def __init__(self, name: str = "hand") -> None:
        self.name = name
        self.problem = ""
        self.caught_up = True
        self.ended = False
        self.given: list[Reading] = []
        self.acknowledged: list[Reading] = []
        self.position: object = None
        self.runs = threading.Event()
        self._put: Callable[[Batch], None] | None = None
        self._failure: Exception | None = None

    def run(self, position: object, put: Callable[[Batch], None], stop: threading.Event) -> None:
        self.position = position
        self._put = put
        self.runs.set()
        while not stop.wait(0.01):
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure

    def fail(self, failure: Exception) -> None:
        """Let its thread end with an error."""
        self.runs.clear()
        self._failure = failure

    def give(self, *readings: Reading, position: object = None) -> None:
        taken = list(readings)
        self.given += taken
        self._put(Batch(self.name, taken, position, lambda: self.acknowledged.extend(taken)))


class Edge:
    """The service on a folder; opened again on the same one it is the service restarted."""

    def __init__(
        self,
        folder: Path,
        now_us: int,
        *,
        models_dir: Path | None = None,
        clock: DrivenClock | None = None,
        clock_kind: str = "system",
        retrain: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        self.settings = EdgeSettings(
            **{
                "asset": "pump",
                "clock": clock_kind,
                "channels": CHANNELS,
                "sources": [{"type": "stdin"}],
                "store": {"path": folder / "edge.sqlite"},
                "delivery": {"type": "grpc", "address": "127.0.0.1:1"},
                "grace_s": 5,
                "models": {"names": ["tiny-outlier", "tiny-forecast"]},
            }
            | settings
        )
        self.clock = clock or DrivenClock(now_us)
        self.hand = Hand()
        names = self.settings.models.names
        models = LocalModels(names, models_dir) if models_dir else NoModels()
        self.store = open_store(
            self.settings.store.path,
            find_columns(self.settings, models),
            self.settings.store.table,
            set_aside=True,
        )
        self.told: list[Alert] = []
        self.retrainer = (
            Retrainer(self.settings, retrain, lambda: LocalModels(names, models_dir))
            if retrain
            else None
        )
        self.service = Service(
            self.settings,
            self.store,
            [self.hand],
            models,
            self.clock,
            tell=AlertWriter(self.settings) if self.settings.alerts.file else self.told.extend,
            retrainer=self.retrainer,
        )
        self.service.start()
        assert self.hand.runs.wait(LONG_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.service.close()
        self.store.close()

    def read(self, time_us: int, flow: float | None = 1.0, pressure: float | None = 4.0) -> None:
        """Hand in a reading of both channels."""
        self.hand.give(Reading(time_us, "flow", flow), Reading(time_us, "pressure", pressure))

    def go(self, until_us: int, *, without: Sequence[int] = (), flow: float = 1.0) -> None:
        """Minute by minute up to half a minute behind a time; each full minute has a reading."""
        first_us = -(-self.clock.now_us() // MINUTE_US) * MINUTE_US
        for minute_us in range(first_us, until_us + 1, MINUTE_US):
            self.clock.drive(minute_us + 30_000_000)
            if minute_us not in without:
                self.read(minute_us + 1_000_000, flow)
            self.turn()

    def turn(self) -> None:
        while self.service.turn():
            pass

    def deliver(self) -> None:
        """Send all that waits."""
        courier = Courier(self.store.path, open_carrier(self.settings.delivery))
        courier.start()
        assert courier.wait(LONG_S)
        courier.stop()

    def parcels(self, kind: ParcelKind | None = None) -> list[Parcel]:
        """What waits in the outbox."""
        found: list[Parcel] = []
        number = 0
        while (oldest := self.store.outbox.oldest_parcel(number)) is not None:
            number, parcel = oldest
            if kind in {None, parcel.kind}:
                found.append(parcel)
        return found
