"""The edge service: one loop that takes readings in, closes steps, judges, sends and tidies.

Whatever it has done stands in the store, in one transaction with the mark that it is done. So the
service may be killed at any moment: it goes on from there, with nothing lost and nothing twice.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from wearcast.clients.edge.blocks import Numbering
from wearcast.clients.edge.clock import Clock, DrivenClock
from wearcast.clients.edge.commands import obey
from wearcast.clients.edge.criteria import Criteria
from wearcast.clients.edge.inbox import Inbox
from wearcast.clients.edge.judging import Judge, Said
from wearcast.clients.edge.models import Models
from wearcast.clients.edge.progress import Progress
from wearcast.clients.edge.readings import Source
from wearcast.clients.edge.retraining import Retrainer
from wearcast.clients.edge.sending import Sender
from wearcast.clients.edge.settings import EdgeSettings
from wearcast.clients.edge.steps import Steps
from wearcast.clients.edge.store.database import DamagedError
from wearcast.clients.edge.store.edge_store import EdgeStore
from wearcast.clients.edge.upkeep import Upkeep
from wearcast.signals.alerts import Alert
from wearcast.signals.contract import Contract
from wearcast.signals.errors import StoreError

_LOG = logging.getLogger(__name__)
_TICK_S = 1.0
# Steps that are closed before the schedule has its turn: those of an hour. Each turn waits some
# times for the disk, so this is what a record is caught up with by.
_MOST_STEPS = 60
_LONGEST_PAUSE_S = 30
_TELL_PAUSE_S = 60.0
_PROGRESS = "progress"
_POSITION = "position of "

Tell = Callable[[Sequence[Alert]], None]


class Service:
    """Runs until it is stopped, or until its sources have ended for good.

    tell: writes alerts out; called after they are stored, and again with the same after a crash in
    between. wake_courier: called when something was put into the outbox. beat: called at least
    every few seconds, with a line on how things are.
    """

    def __init__(
        self,
        settings: EdgeSettings,
        store: EdgeStore,
        sources: Sequence[Source],
        models: Models,
        clock: Clock,
        *,
        tell: Tell,
        wake_courier: Callable[[], None] = lambda: None,
        delivery_problem: Callable[[], str] = lambda: "",
        beat: Callable[[str], None] = lambda _: None,
        retrainer: Retrainer | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._inbox = Inbox(sources)
        self._models = models
        self._clock = clock
        self._tell = tell
        self._wake_courier = wake_courier
        self._find_delivery_problem = delivery_problem
        self._beat = beat
        self._retrainer = retrainer
        self._step_us = round(settings.step_s * 1e6)
        self._grace_us = round(settings.grace_s * 1e6)
        self._replays = settings.clock == "readings"
        self._started_us = clock.now_us()
        self._sources = list(sources)
        self.problem = ""
        self._untold_problem = ""
        self._tell_from_s = 0.0
        self._load()

    def start(self) -> None:
        """Let the sources begin to read."""
        positions = {
            source.name: self._store.get(_POSITION + source.name, object)
            for source in self._sources
        }
        self._inbox.start(positions)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set or all sources have ended.

        Raises:
            DamagedError: the store is no sound file any more.
        """
        self.start()
        failures = 0
        try:
            while not stop.is_set():
                try:
                    if failures:  # what memory holds may never have come to the disk
                        self._load()
                    busy = self.turn(_TICK_S)
                except DamagedError:  # the next start saves what can be read
                    raise
                except StoreError as error:
                    # Nothing is acknowledged, and all that was half done is undone.
                    self._report(str(error))
                    self._rest(stop, failures)
                    failures += 1
                    continue
                failures = 0
                self._report("")
                if self._inbox.ended and not busy:
                    return
        finally:
            self.close()

    def close(self) -> None:
        """Let sources and models go; the store stays open."""
        self._inbox.close()
        self._models.close()
        if self._retrainer:
            self._retrainer.close()

    def turn(self, wait_s: float = 0.0) -> bool:
        """Do all that is to be done now; whether anything was.

        Raises:
            StoreError: the store can't be written now. All is as it was before what failed.
        """
        if not self._replays:
            self._watch_clock()
        took = self._take_in(wait_s)
        with self._store.transaction():
            done = obey(self._store, self._judge, self._now_us())
        self._renew_models()
        busy = took or done
        while self._advance():
            busy = True
        return busy

    @property
    def contracts(self) -> list[Contract]:
        """Of the models in use."""
        return self._models.contracts

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong now, by part."""
        own = {
            "store": self.problem,
            "models": self._models.problem,
            "alerts": self._untold_problem,
            "delivery": self._find_delivery_problem(),
        }
        if self._retrainer:
            own["retraining"] = self._retrainer.problem
        return self._inbox.problems | {part: text for part, text in own.items() if text}

    def _now_us(self) -> int:
        return self._clock.now_us()

    def _load(self) -> None:
        """Take up where the store says."""
        store, settings = self._store, self._settings
        stored = store.get(_PROGRESS, Progress)
        self._progress = progress = stored or Progress(began_us=self._now_us())
        self._saved = msgspec.json.encode(stored)
        if self._replays and isinstance(self._clock, DrivenClock):
            self._clock.drive(progress.next_us or 0)
        with store.transaction():
            self._save()
        self._steps = Steps(store, progress, list(settings.channels), self._step_us)
        self._sender = Sender(store, progress, settings, judged=bool(self._models.contracts))
        self._criteria = Criteria(store, progress, settings)
        self._upkeep = Upkeep(store, progress, settings)
        self._judge = self._make_judge()

    def _make_judge(self) -> Judge | None:
        """None before the first step, whose time gives the models' blocks their numbers."""
        origin_us = self._progress.origin_us
        if origin_us is None:
            return None
        numbering = Numbering(origin_us, self._step_us)
        return Judge(self._store, self._progress, self._settings, self._models, numbering)

    def _renew_models(self) -> None:
        """Go on with models that have been trained anew, at the same row."""
        if self._retrainer is None:
            return
        models = self._retrainer.turn(self._progress, self._now_us())
        if models is not None:
            old, self._models = self._models, models
            old.close()
            with self._store.transaction():
                self._save()
            self._load()

    def _take_in(self, wait_s: float) -> bool:
        """Store what sources have read, then acknowledge it."""
        batches = self._inbox.take(wait_s)
        if not batches:
            return False
        with self._store.transaction():
            for batch in batches:
                self._steps.take(batch.readings, self._now_us())
                self._store.put(_POSITION + batch.source, batch.position)
            self._save()  # which rows have changed since they were sent
        self._inbox.stored()
        return True

    def _advance(self) -> bool:
        """Close some steps, judge them, and send what is due then; whether there was anything."""
        self._beat("; ".join(f"{part}: {text}" for part, text in self.problems.items()) or "ok")
        if self._replays and isinstance(self._clock, DrivenClock):
            horizon_us = self._inbox.horizon_us(None, self._step_us)
            self._clock.drive(horizon_us or 0)
        else:
            horizon_us = self._inbox.horizon_us(self._now_us() - self._grace_us, self._step_us)
        closed = self._close(horizon_us) if horizon_us is not None else False
        fed = self._judge.feed() if self._judge else False
        sent = self._conclude()
        return bool(closed or fed or sent)

    def _watch_clock(self) -> None:
        """Begin anew at the present after a clock that was far ahead."""
        with self._store.transaction():
            if not self._steps.rewind(self._now_us()):
                return
            self._save()
        _LOG.warning("the clock was ahead, and has been set back: rows go on at the present")
        self._judge = self._make_judge()

    def _close(self, horizon_us: int) -> bool:
        with self._store.transaction():
            closed = self._steps.close(
                horizon_us,
                self._criteria.bounds,
                most=_MOST_STEPS,
                off_before_us=0 if self._replays else self._started_us,
            )
            self._save()
        if self._judge is None:
            self._judge = self._make_judge()
        return closed

    def _conclude(self) -> int:
        """Keep what the models have said, and put into the outbox what is due."""
        now_us = self._now_us()
        with self._store.transaction():
            said = self._judge.take() if self._judge else Said([], [])
            self._sender.send_alerts(said.alerts, now_us)
            self._sender.send_forecasts(said.forecasts, now_us)
            sent = self._sender.send_due(now_us)
            self._criteria.refresh()
            self._upkeep.purge(now_us)
            self._save()
        self._upkeep.maintain(now_us)
        if sent or said.alerts or said.forecasts:
            self._wake_courier()
        self._tell_alerts()
        return sent + len(said.alerts) + len(said.forecasts)

    def _save(self) -> None:
        """Keep the marks, if they have moved: flash memory wears out by writing."""
        marks = msgspec.json.encode(self._progress)
        if marks != self._saved:
            self._store.put(_PROGRESS, self._progress)
            self._saved = marks

    def _tell_alerts(self) -> None:
        """Write alerts out; where that fails, again after a while. They are stored and sent on."""
        if self._judge is None or time.monotonic() < self._tell_from_s:
            return
        untold = self._judge.untold()
        if not untold:
            return
        try:
            self._tell(untold)
        except StoreError as error:
            if not self._untold_problem:
                _LOG.error("%s; alerts wait", error)
            self._untold_problem = str(error)
            self._tell_from_s = time.monotonic() + _TELL_PAUSE_S
            return
        self._untold_problem = ""
        with self._store.transaction():
            self._judge.forget_told()

    def _rest(self, stop: threading.Event, failures: int) -> None:
        """A pause, longer after each failure; alive all the same."""
        for _ in range(min(2**failures, _LONGEST_PAUSE_S)):
            self._beat(self.problem)
            if stop.wait(1.0):
                return

    def _report(self, problem: str) -> None:
        if problem != self.problem:
            _LOG.log(logging.ERROR if problem else logging.INFO, problem or "the store works again")
            self.problem = problem
