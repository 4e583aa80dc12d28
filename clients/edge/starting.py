"""Puts an edge service together from its settings, and runs it."""

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from wearcast.clients.edge.carriers import open_carrier
from wearcast.clients.edge.clock import Clock, DrivenClock, SystemClock
from wearcast.clients.edge.courier import Courier
from wearcast.clients.edge.models import LocalModels, Models, NoModels, check_fit
from wearcast.clients.edge.notify import Notifier
from wearcast.clients.edge.remote_models import RemoteModels, fetch_contracts
from wearcast.clients.edge.retraining import Retrainer
from wearcast.clients.edge.service import Service
from wearcast.clients.edge.settings import EdgeSettings
from wearcast.clients.edge.sources import open_source
from wearcast.clients.edge.store.edge_store import EdgeStore
from wearcast.clients.edge.store.opening import open_store, reopen_store
from wearcast.clients.edge.telling import AlertWriter
from wearcast.signals.alarm_rules import Tag, check_tags
from wearcast.signals.contract import Contract
from wearcast.signals.errors import MismatchError, StoreError, UnreachableError
from wearcast.signals.owner import owned
from wearcast.signals.plant_table import Columns, make_columns

_LOG = logging.getLogger(__name__)
_CONTRACTS = "contracts"


def run_edge(
    settings: EdgeSettings,
    stop: threading.Event,
    clock: Clock | None = None,
    *,
    retrain: Sequence[str] = (),
) -> None:
    """Run the service until `stop` is set, or until its sources have ended for good.

    clock: what the settings say, unless another one is given. retrain: the command that trains
    models anew when it is time; without it nothing does.

    Raises:
        InputError: a setting is not what it should be, or the store is another program's, or
            another service runs on it.
        NotFoundError, ArtefactError, MismatchError: the models can't be used.
        StoreError: the store can't be opened now.
    """
    if clock is None:
        clock = DrivenClock() if settings.clock == "readings" else SystemClock()
    models = open_models(settings)
    notifier = Notifier()
    _make_folder(settings.store.path.parent)
    with (
        owned(settings.store.path, "store.path"),
        _opened(settings, models) as store,
        _couriered(settings, store) as courier,
    ):
        sources = [
            open_source(source, list(settings.channels), clock.now_us)
            for source in settings.sources
        ]
        service = Service(
            settings,
            store,
            sources,
            models,
            clock,
            tell=AlertWriter(settings),
            wake_courier=courier.wake if courier else lambda: None,
            delivery_problem=lambda: courier.problem if courier else "",
            beat=notifier.beat,
            retrainer=_make_retrainer(settings, store, retrain),
        )
        notifier.ready()
        names = ", ".join(source.name for source in sources)
        _LOG.info("asset %s: reads %s, keeps %s", settings.asset, names, store.path)
        service.run(stop)
        notifier.stopping()
        # Where time is that of the readings, what is in the outbox is all that will ever be.
        while courier and settings.clock == "readings" and not stop.is_set():
            if courier.wait(1.0):
                break
        with contextlib.suppress(StoreError):
            store.maintain()
        _LOG.info("asset %s: ended in order", settings.asset)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"store: {folder}: {error.strerror}") from error


def _make_retrainer(
    settings: EdgeSettings, store: EdgeStore, command: Sequence[str]
) -> Retrainer | None:
    if not command or not settings.schedule.retrain:
        return None

    def open_newest() -> Models:
        models = open_models(settings)
        if find_columns(settings, models) != store.table.columns:
            expected = "the detectors of those in use; others take a restart"
            names = ", ".join(f"{it.name}/{it.version}" for it in models.contracts)
            raise MismatchError("models", expected, names)
        return models

    return Retrainer(settings, command, open_newest)


def open_models(settings: EdgeSettings) -> Models:
    """The models that the settings name, checked against the channels."""
    wanted = settings.models
    if not wanted.names:
        return NoModels()
    models: Models
    if wanted.server:
        path = settings.store.path
        models = RemoteModels(settings, _find_contracts(settings), lambda: reopen_store(path))
    else:
        models = LocalModels(wanted.names, wanted.dir)
    check_models(settings, models.contracts)
    return models


def check_models(settings: EdgeSettings, contracts: list[Contract]) -> None:
    """Whether these models fit the plant, and have the tags that alarms have rules for.

    Raises:
        InputError, MismatchError: they don't.
    """
    check_fit(contracts, settings.channels, settings.step_s)
    points = make_columns(contracts).points
    check_tags(settings.alarms.by_tag, [Tag(*point) for point in points], "tags")


def _find_contracts(settings: EdgeSettings) -> list[Contract]:
    """Of models on a server: what it says; while it is away, what it said last."""
    try:
        return fetch_contracts(settings)
    except UnreachableError:
        # Without them nobody knows the table's columns: so the first start needs the server.
        if not settings.store.path.exists():
            raise
        with contextlib.closing(reopen_store(settings.store.path)) as store:
            known = store.get(_CONTRACTS, list[str]) or []
        contracts = [Contract.from_json(text) for text in known]
        if [contract.name for contract in contracts] != list(settings.models.names):
            raise
        _LOG.warning("models.server: %s is away; rows wait for it", settings.models.server)
        return contracts


def find_columns(settings: EdgeSettings, models: Models) -> Columns:
    """Columns of the plant's table."""
    if models.contracts:
        return make_columns(models.contracts)
    return Columns(tuple(settings.channels.items()))


@contextlib.contextmanager
def _opened(settings: EdgeSettings, models: Models) -> Iterator[EdgeStore]:
    wanted = settings.store
    store = open_store(
        wanted.path,
        find_columns(settings, models),
        wanted.table,
        wanted.csv_dir or wanted.path.with_suffix(".csv.d"),
        set_aside=True,
    )
    if store.set_aside:
        _LOG.error("store: %s", store.set_aside)
    store.put(_CONTRACTS, [contract.to_json() for contract in models.contracts])
    try:
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def _couriered(settings: EdgeSettings, store: EdgeStore) -> Iterator[Courier | None]:
    if settings.delivery is None:
        yield None
        return
    courier = Courier(
        store.path,
        open_carrier(settings.delivery),
        longest_pause_s=settings.delivery.longest_pause_s,
    )
    courier.start()
    try:
        yield courier
    finally:
        courier.stop()
