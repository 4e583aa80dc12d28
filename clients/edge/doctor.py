"""Looks a setup over: config, models, store, disk, clock, sources, and where things are sent."""

import contextlib
import shutil
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from wearcast.clients.edge.progress import Progress
from wearcast.clients.edge.settings import EdgeSettings, load_edge_settings
from wearcast.clients.edge.sources import open_source
from wearcast.clients.edge.starting import open_models
from wearcast.clients.edge.store.edge_store import EdgeStore
from wearcast.clients.edge.store.opening import reopen_store
from wearcast.signals.clock import format_time
from wearcast.signals.errors import WearcastError

_CONNECT_S = 3.0
# Below this the store may soon not grow: a year of rows takes about 150 MB.
_LEAST_FREE = 200 * 2**20
# This program is not older; a clock that says so was never set.
_EARLIEST_S = 1_767_225_600  # 2026-01-01
_LATE_US = 10 * 60_000_000


class Verdict(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(NamedTuple):
    """What was looked at, how it is, and in words."""

    part: str
    verdict: Verdict
    text: str


def examine(config: Path) -> Iterator[Finding]:
    """Look everything over; nothing is changed, and the service may be running."""
    try:
        settings = load_edge_settings(config)
    except WearcastError as error:
        yield Finding("config", Verdict.PROBLEM, str(error).removeprefix("config: "))
        return
    yield Finding("config", Verdict.OK, f"{config}: asset {settings.asset}")
    parts: dict[str, Callable[[EdgeSettings], Iterator[Finding]]] = {
        "models": _examine_models,
        "store": _examine_store,
        "disk": _examine_disk,
        "clock": _examine_clock,
        "sources": _examine_sources,
        "delivery": _examine_delivery,
        "retraining": _examine_retraining,
    }
    for part, look in parts.items():
        try:
            yield from look(settings)
        except (WearcastError, OSError, ModuleNotFoundError) as error:
            yield Finding(part, Verdict.PROBLEM, str(error))


def _examine_models(settings: EdgeSettings) -> Iterator[Finding]:
    with contextlib.closing(open_models(settings)) as models:
        names = ", ".join(f"{it.name}/{it.version}" for it in models.contracts)
    place = settings.models.server or str(settings.models.dir or "bundled")
    yield Finding("models", Verdict.OK, f"{names} ({place})" if names else "none are asked for")


def _examine_store(settings: EdgeSettings) -> Iterator[Finding]:
    path = settings.store.path
    for aside in sorted(path.parent.glob(path.name + ".corrupt-*")):
        text = f"{aside.name} was damaged and set aside; what could be read of it was kept"
        yield Finding("store", Verdict.WARNING, text)
    if not path.exists():
        yield Finding("store", Verdict.OK, f"{path}: none yet; the first start makes it")
        return
    with contextlib.closing(reopen_store(path)) as store:
        problem = store.check()
        if problem:
            yield Finding("store", Verdict.PROBLEM, f"{path}: damaged: {problem}")
            return
        yield _examine_rows(settings, store)
        waiting, refused = store.outbox.count()
        if refused:
            first = store.outbox.refused()[0]
            text = f"refused parcels: {refused}, the first for: {first.reason}"
            yield Finding("delivery", Verdict.WARNING, text)
        if waiting:
            yield Finding("delivery", Verdict.OK, f"parcels that wait in the outbox: {waiting}")
        spare = store.count_spare()
        if spare:
            text = f"readings without a place (two for one minute): {spare}, in table spare"
            yield Finding("store", Verdict.WARNING, text)


def _examine_rows(settings: EdgeSettings, store: EdgeStore) -> Finding:
    size = f"{store.size_bytes() / 2**20:.1f} MB"
    progress = store.get("progress", Progress)
    newest_us = store.table.newest_us()
    if progress is None or newest_us is None:
        return Finding("store", Verdict.WARNING, f"{settings.store.path}: {size}, no row yet")
    text = f"{settings.store.path}: {size}, newest row {format_time(newest_us)[:19]}Z"
    if settings.clock == "system" and newest_us - time.time() * 1e6 > _LATE_US:
        return Finding("store", Verdict.WARNING, f"{text}; that is ahead of the clock")
    behind_us = newest_us - progress.answered_us
    if settings.models.names and behind_us > _LATE_US:
        return Finding("store", Verdict.WARNING, f"{text}; {behind_us / 60e6:.0f} min not judged")
    if settings.clock == "system" and time.time() * 1e6 - newest_us > _LATE_US:
        return Finding("store", Verdict.WARNING, f"{text}; the service is not running, or is late")
    return Finding("store", Verdict.OK, text)


def _examine_disk(settings: EdgeSettings) -> Iterator[Finding]:
    folder = settings.store.path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    verdict = Verdict.OK if free >= _LEAST_FREE else Verdict.PROBLEM
    yield Finding("disk", verdict, f"{free / 2**30:.1f} GB free at {folder}")


def _examine_clock(settings: EdgeSettings) -> Iterator[Finding]:
    now_s = time.time()
    text = f"{format_time(round(now_s * 1e6))[:19]}Z, days of {settings.time_zone}"
    if now_s < _EARLIEST_S:
        yield Finding("clock", Verdict.PROBLEM, f"{text}: it was never set")
        return
    synchronised = _ask_time_service()
    if synchronised == "no":
        yield Finding("clock", Verdict.WARNING, f"{text}; no time server sets it")
        return
    known = {"yes": "set by a time server"}.get(synchronised, "whether it is set is not known here")
    yield Finding("clock", Verdict.OK, f"{text}; {known}")


def _ask_time_service() -> str:
    """Gives "yes" or "no", or "" where systemd does not run."""
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _examine_sources(settings: EdgeSettings) -> Iterator[Finding]:
    for source in settings.sources:
        part = f"source {open_source(source, list(settings.channels), lambda: 0).name}"
        for name in ("path", "port"):
            place = getattr(source, name, None)
            if isinstance(place, Path | str) and not Path(place).exists():
                yield Finding(part, Verdict.PROBLEM, f"{place}: is not there")
                break
        else:
            target = _find_host(source)
            place = getattr(source, "path", None) or getattr(source, "port", None)
            text = f"{place}: is there" if place else "read as it comes"
            yield _try_host(part, *target) if target else Finding(part, Verdict.OK, text)


def _find_host(source: object) -> tuple[str, int] | None:
    """Host and port of a source or a receiver that has them."""
    host, port = getattr(source, "host", None), getattr(source, "port", None)
    if isinstance(host, str) and isinstance(port, int):
        return host, port
    url = getattr(source, "url", None) or getattr(source, "address", None)
    if not url:
        return None
    parts = urllib.parse.urlsplit(url if "//" in url else f"//{url}")
    usual = {"http": 80, "https": 443, "opc.tcp": 4840}
    return parts.hostname or "", parts.port or usual.get(parts.scheme, 0)


def _try_host(part: str, host: str, port: int) -> Finding:
    try:
        socket.create_connection((host, port), timeout=_CONNECT_S).close()
    except OSError as error:
        text = f"{host}:{port} does not answer: {error.strerror or error}"
        return Finding(part, Verdict.PROBLEM, text)
    return Finding(part, Verdict.OK, f"{host}:{port} answers")


def _examine_delivery(settings: EdgeSettings) -> Iterator[Finding]:
    target = _find_host(settings.delivery) if settings.delivery else None
    if target is None:
        yield Finding("delivery", Verdict.OK, "nothing is sent: [delivery] is not set")
    else:
        yield _try_host("delivery", *target)


def _examine_retraining(settings: EdgeSettings) -> Iterator[Finding]:
    if not settings.schedule.retrain:
        return
    import torch  # noqa: PLC0415

    names = ", ".join(settings.schedule.retrain)
    text = f"{names} each {settings.schedule.retrain_days:g} days, torch {torch.__version__}"
    yield Finding("retraining", Verdict.OK, text)
