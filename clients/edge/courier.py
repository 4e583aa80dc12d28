"""Takes parcels out of the outbox to the central server, oldest first, each until it is there."""

import logging
import random
import threading
from contextlib import suppress
from pathlib import Path

from wearcast.clients.edge.carriers.carrier import Carrier, PostponedError, RefusedError
from wearcast.clients.edge.store.outbox import Outbox
from wearcast.signals.errors import StoreError, WearcastError

_LOG = logging.getLogger(__name__)
# Parcels are told by `wake`; what another process put there is found at the next look.
_LOOK_S = 60.0
# So many parcels are forgotten at once: each time the disk is waited for.
_MOST_SENT = 20
# A receiver that names a later time than this is asked at this time.
_LONGEST_WAIT_S = 3600.0
_DOUBLINGS = 30


class Courier:
    """A thread that sends; it has its own connection to the outbox in the file `path`.

    A parcel is deleted when the receiver has acknowledged it, and parked with the reason when it
    never will; what goes wrong otherwise is tried again after growing pauses, from `first_pause_s`
    doubling up to `longest_pause_s`, each between half of that and all of it by chance, so that
    many plants don't come back at once. A parcel arrives once or more often, and its key tells.

    problem: what keeps parcels from arriving, in words; empty: nothing.
    """

    def __init__(
        self,
        path: Path,
        carrier: Carrier,
        *,
        first_pause_s: float = 1.0,
        longest_pause_s: float = 300.0,
    ) -> None:
        self.problem = ""
        self._path = path
        self._carrier = carrier
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._asked = 1  # how often `wake` was called, and the start
        self._done = 0  # up to which of those all that waited is gone
        self._sent: list[int] = []  # acknowledged, and still in the outbox
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """Begin to send what waits."""
        self._thread.start()

    def wake(self) -> None:
        """Tell that a parcel was committed to the outbox; from whichever thread."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until all parcels that are in the outbox now are gone; False: they are not yet."""
        with self._changed:
            asked = self._asked = self._asked + 1
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._done >= asked, timeout_s)

    def stop(self, patience_s: float = 5.0) -> bool:
        """End; a parcel that is on its way has some seconds, and else is sent again next time.

        False: the thread still waits for a receiver's answer, and will end with it.
        """
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(patience_s)
        self._carrier.close()
        if self._thread.is_alive():
            self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        outbox = None
        failures = 0
        while not self._stop.is_set():
            asked = self._asked
            try:
                outbox = outbox or Outbox(self._path)
                while not self._stop.is_set() and self._send_oldest(outbox):
                    failures = 0
            except Exception as error:  # noqa: BLE001  # nothing may end the thread
                if not self._stop.is_set():
                    self._tell(error)
                    self._stop.wait(self._pause_s(failures, error))
                    failures += 1
            else:
                failures = 0
                self._clear()
                self._wait_for_more(asked)
        if outbox is not None:
            with suppress(StoreError):  # they are sent again, and known by their keys
                self._forget_sent(outbox)
            outbox.close()

    def _send_oldest(self, outbox: Outbox) -> bool:
        """Send one parcel; False: none waits."""
        oldest = outbox.oldest_parcel(max(self._sent, default=0))
        if oldest is None:
            self._forget_sent(outbox)
            return False
        number, parcel = oldest
        try:
            self._carrier.send(parcel)
        except RefusedError as error:
            _LOG.error("parcel %s is parked: %s", parcel.key, error)
            outbox.refuse(number, str(error))
        except WearcastError:
            self._forget_sent(outbox)
            raise
        else:
            self._sent.append(number)
            if len(self._sent) >= _MOST_SENT:
                self._forget_sent(outbox)
        self._clear()
        return True

    def _forget_sent(self, outbox: Outbox) -> None:
        if self._sent:
            outbox.sent(*self._sent)
            self._sent.clear()

    def _wait_for_more(self, asked: int) -> None:
        with self._changed:
            if not self._stop.is_set():
                self._done = asked
                self._changed.notify_all()
            self._changed.wait_for(lambda: self._asked > asked or self._stop.is_set(), _LOOK_S)

    def _pause_s(self, failures: int, error: Exception) -> float:
        pause_s = min(self._first_pause_s * 2.0 ** min(failures, _DOUBLINGS), self._longest_pause_s)
        pause_s *= random.uniform(0.5, 1.0)  # noqa: S311  # no secret
        if isinstance(error, PostponedError):
            return max(pause_s, min(error.after_s, _LONGEST_WAIT_S))
        return pause_s

    def _tell(self, error: Exception) -> None:
        """Into `problem`, and where it is another one than before, into the log."""
        text = str(error) or type(error).__name__
        if text != self.problem:
            if isinstance(error, WearcastError):
                _LOG.warning("parcels wait: %s", text)
            else:
                _LOG.error("parcels wait: %s", text, exc_info=error)
        self.problem = text

    def _clear(self) -> None:
        if self.problem:
            _LOG.info("parcels go through again")
        self.problem = ""
