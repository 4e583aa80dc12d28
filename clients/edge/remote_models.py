"""Models on a server, asked over one live stream that goes on where it broke off.

The stream's blocks come out of the table, so they can be sent again however long the server was
away. The server keeps the series under the asset's name and the time of its first step, as that is
what its blocks are numbered from.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence

from wearcast.clients.client import Client
from wearcast.clients.decode import Acknowledged, Notice
from wearcast.clients.edge.blocks import Numbering
from wearcast.clients.edge.models import Answers
from wearcast.clients.edge.settings import EdgeSettings, ModelSettings
from wearcast.clients.edge.store.edge_store import EdgeStore
from wearcast.signals.clock import format_time
from wearcast.signals.contract import Contract
from wearcast.signals.errors import MismatchError, NotFoundError, ReplacedError, WearcastError
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block

_LOG = logging.getLogger(__name__)
_PAGE = 240
_TICK_S = 0.2
_PAUSE_S = 5.0
_REPLACED_PAUSE_S = 300.0
# A thread that is stuck in a call goes on by itself, and is heard no more.
_PATIENCE_S = 10.0


def fetch_contracts(settings: EdgeSettings) -> list[Contract]:
    """Contracts of the models that the settings name.

    Raises:
        UnreachableError: the server does not answer.
        NotFoundError: it does not serve one of them.
    """
    with _open_client(settings.models) as client:
        return [client.model(name) for name in settings.models.names]


def _open_client(settings: ModelSettings) -> Client:
    return Client(
        settings.server,
        settings.tls_ca,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
        token=settings.token_file,
    )


class RemoteModels:
    """See `wearcast.clients.edge.models.Models`.

    open_store: another connection to the store, for the thread that reads rows.
    """

    def __init__(
        self,
        settings: EdgeSettings,
        contracts: list[Contract],
        open_store: Callable[[], EdgeStore],
    ) -> None:
        self.problem = ""
        self.contracts = contracts
        self._settings = settings
        self._open_store = open_store
        self._changed = threading.Condition()
        self._fed = 0
        self._done = -1
        self._answers: list[Answers] = []
        self._failure: WearcastError | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def needs(self) -> int:
        """The first block that is to be fed next."""
        return self._fed

    def resume(self, done: int, numbering: Numbering) -> None:
        """Go on behind the last block that was answered, -1 for none."""
        self.close()
        self._stop = threading.Event()
        self._answers = []
        self._fed = done + 1
        self._done = done
        self._thread = threading.Thread(
            target=self._run, args=(numbering, self._stop), name="models", daemon=True
        )
        self._thread.start()

    def feed(self, blocks: Sequence[Block]) -> None:
        """Tell that the next blocks are in the table."""
        if blocks:
            with self._changed:
                self._fed = blocks[-1].sequence + 1
                self._changed.notify_all()

    def take(self) -> Answers | None:
        """What has been answered since it was asked last.

        Raises:
            NotFoundError, MismatchError: the server has other models than at the start; the next
                start asks it for those.
        """
        if self._failure is not None:
            raise self._failure
        with self._changed:
            answers, self._answers = self._answers, []
        if not answers:
            return None
        estimates = [estimate for part in answers for estimate in part.estimates]
        return Answers(estimates, answers[-1].done)

    def close(self) -> None:
        """End the stream."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)

    def _run(self, numbering: Numbering, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                store = self._open_store()
                try:
                    self._follow(store, numbering, stop)
                finally:
                    store.close()
            except ReplacedError as error:  # to ask at once would replace whoever replaced us
                self.problem = str(error)
                stop.wait(_REPLACED_PAUSE_S)
            except (NotFoundError, MismatchError) as error:  # it serves other models now
                self._failure = error
                return
            except Exception as error:  # noqa: BLE001  # nothing else may end the thread
                if not isinstance(error, WearcastError):
                    _LOG.error("models: asked anew", exc_info=error)
                self.problem = str(error) or type(error).__name__
                stop.wait(_PAUSE_S)

    def _follow(self, store: EdgeStore, numbering: Numbering, stop: threading.Event) -> None:
        source = _TableSource(
            store, numbering, self._wait_for, lambda: numbering.time_us(self._fed), stop
        )
        wanted = self._settings.models
        waiting: list[Estimate] = []
        with _open_client(wanted) as client:
            events = client.monitor(
                source,
                asset=f"{self._settings.asset} from {format_time(numbering.time_us(0))}",
                model=wanted.names,
                received=dict.fromkeys(wanted.names, self._done),
                acknowledged=self._done,
                stop=stop,
            )
            for event in events:
                match event:
                    case Estimate():
                        waiting.append(event)
                    case Acknowledged(sequence=sequence):
                        self.problem = ""
                        waiting.sort(key=lambda estimate: estimate.sequence)
                        self._publish([it for it in waiting if it.sequence <= sequence], sequence)
                        # What was stored before comes first, before blocks that go before it.
                        waiting = [it for it in waiting if it.sequence > sequence]
                    case Notice(code="RECONNECTING"):
                        self.problem = event.text
                    case Notice(code="RECONNECTED"):
                        self.problem = ""

    def _publish(self, estimates: list[Estimate], done: int) -> None:
        """Let the answers up to a block be taken; those before are known."""
        with self._changed:
            if done > self._done:
                self._done = done
                self._answers.append(Answers(estimates, done))

    def _wait_for(self, number: int) -> bool:
        """Whether a block is in the table, after waiting for it a little."""
        with self._changed:
            if self._fed <= number:
                self._changed.wait(_TICK_S)
            return self._fed > number


class _TableSource:
    """The rows of the table as a live stream."""

    def __init__(
        self,
        store: EdgeStore,
        numbering: Numbering,
        wait_for: Callable[[int], bool],
        end_us: Callable[[], int],
        stop: threading.Event,
    ) -> None:
        self._store = store
        self._numbering = numbering
        self._wait_for = wait_for
        self._end_us = end_us
        self._stop = stop

    def blocks(self, from_sequence: int) -> Iterator[Block | None]:
        """Blocks from that number on, each once it is in the table."""
        number = from_sequence
        while not self._stop.is_set():
            if not self._wait_for(number):
                yield None
                continue
            first_us = self._numbering.time_us(number)
            page_us, end_us = self._numbering.time_us(number + _PAGE), self._end_us()
            rows = self._store.table.read(first_us, min(page_us, end_us))
            if not rows:
                rows = self._store.table.read(first_us, end_us)[:_PAGE]
            for block in self._numbering.make_blocks(rows, number):
                yield block
                number = block.sequence + 1
            if not rows:  # what was told is not committed yet
                self._stop.wait(_TICK_S)
                yield None

    def release(self, before: int) -> None:
        """Nothing is kept: the table has it all."""
