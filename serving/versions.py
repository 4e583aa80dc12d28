"""Which versions of which models are loaded: they come and go while others run.

A version is checked, measured and warmed up in a thread before it is let in; one that fails is
refused, and what was there before stays.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from wearcast.serving.batcher import Batcher
from wearcast.serving.counts import Statistics
from wearcast.serving.labels import Labels
from wearcast.serving.models import choose_version, find_folders, open_version
from wearcast.serving.policy import Policy, measure_policy
from wearcast.serving.repository import Found, scan_folders
from wearcast.serving.reuse import Reusing, measure_reuse
from wearcast.serving.session import Session
from wearcast.serving.version import Entry, Loaded, ModelKey, Version
from wearcast.signals.errors import ArtefactError, NotFoundError

_LOG = logging.getLogger(__name__)

_ASKED = "unloaded on request"


class _Opened(NamedTuple):
    sessions: list[Session]
    policy: Policy
    reusing: Reusing | None

    @property
    def text(self) -> str:
        """How its rows are run, in words."""
        return "; ".join(part.text for part in (self.policy, self.reusing) if part)


class Versions:
    """The versions below a folder; one load at a time.

    most_waiting: rows of calls that may wait, of each version.
    """

    def __init__(self, root: Path, *, workers: int, most_waiting: int) -> None:
        self._root = root
        self._workers = workers
        self._most_waiting = most_waiting
        self._versions: dict[ModelKey, Version] = {}
        self._labels = Labels(root)
        # What was asked for, and what it means until something changes.
        self._found: dict[tuple[str, int, str], Loaded] = {}
        self._one_at_a_time = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "loading")
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Load what is there.

        Raises:
            NotFoundError: there is nothing.
            ArtefactError: of some model no version can be loaded, or its labels can't be read.
        """
        find_folders(self._root)
        errors: dict[str, ArtefactError] = {}
        for key, found in (await asyncio.to_thread(scan_folders, self._root)).items():
            try:
                await self._load(key, found)
            except ArtefactError as error:
                errors.setdefault(key[0], error)
        ready = {name for name, _ in self.ready}
        for name, refused in errors.items():
            if name not in ready:
                raise refused
        self._labels.read(self.ready)

    def close(self) -> None:
        """Load nothing more."""
        for task in self._leaving:
            task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def ready(self) -> dict[ModelKey, Loaded]:
        """What answers, by name and version."""
        return {key: item.loaded for key, item in sorted(self._versions.items()) if item.loaded}

    def get(self, key: ModelKey) -> Loaded:
        """One version.

        Raises:
            NotFoundError: it is not loaded.
        """
        version = self._versions.get(key)
        if version is None or version.loaded is None:
            raise NotFoundError("model", "a version that is loaded", f"{key[0]}/{key[1]}")
        return version.loaded

    def find(self, name: str, version: int = 0, label: str = "") -> Loaded:
        """One version; without a version or label: the one labelled stable, else the newest.

        Raises:
            NotFoundError: there is no such model, version or label, or it is not loaded.
            InputError: both a version and a label.
        """
        asked = (name, version, label)
        if asked not in self._found:
            version = self._labels.choose(name, version, label)
            self._found[asked] = self.get(choose_version(self.ready, name, version))
        return self._found[asked]

    def labels_of(self, key: ModelKey) -> tuple[str, ...]:
        """The labels of a version, sorted."""
        return self._labels.of(key)

    def index(self) -> list[Entry]:
        """Every version that is there or was, by name and version."""
        return [
            Entry(*key, version.state, version.reason)
            for key, version in sorted(self._versions.items())
        ]

    async def load(self, name: str, version: int = 0) -> None:
        """Load a version anew, whether it is loaded or not; 0: all that are there.

        Raises:
            NotFoundError: no such folder is there.
            ArtefactError: it was refused; one that was loaded stays.
        """
        async with self._one_at_a_time:
            found = await asyncio.to_thread(scan_folders, self._root)
            keys = [key for key in found if key[0] == name and version in {0, key[1]}]
            if not keys:
                got = f"{name}/{version or 'newest'}"
                raise NotFoundError("model", "one that is in the repository", got)
            refused = []
            for key in keys:
                try:
                    await self._load(key, found[key])
                except ArtefactError as error:
                    refused.append(_without_path(error, found[key].path))
            await self._read_labels()
            if refused:
                raise refused[0]

    async def unload(self, name: str, version: int = 0) -> None:
        """Let nobody find a version any more, and wait until what it was asked is answered; 0: all.

        Streams that began with it keep it until they end. It stays unloaded until it is asked for,
        or its files change.

        Raises:
            NotFoundError: it is not loaded.
        """
        async with self._one_at_a_time:
            keys = [key for key in self.ready if key[0] == name and version in {0, key[1]}]
            if not keys:
                raise NotFoundError(
                    "model", "a version that is loaded", f"{name}/{version or 'newest'}"
                )
            leaving = [(self._versions[key], self._unload(key, _ASKED)) for key in keys]
        for item, loaded in leaving:
            await loaded.answer_all()
            item.let_go(loaded)

    async def refresh(self) -> None:
        """Load what is new or has changed, and unload what is gone."""
        async with self._one_at_a_time:
            found = await asyncio.to_thread(scan_folders, self._root)
            for key, item in found.items():
                version = self._versions.get(key)
                if version is not None:
                    version.is_gone = False
                    if version.print == item.print:
                        continue
                try:
                    await self._load(key, item)
                except ArtefactError:  # logged, and kept as the reason
                    continue
            for key in self._versions.keys() - found.keys():
                self._miss(key)
            await self._read_labels()

    def _miss(self, key: ModelKey) -> None:
        """A folder is not there: perhaps only between two renames, so look for it once more."""
        version = self._versions[key]
        if not version.is_gone:
            version.is_gone = True
        elif version.loaded:
            self._unload(key, "its folder is gone")
        elif not version.leaving:
            del self._versions[key]

    async def _load(self, key: ModelKey, found: Found) -> None:
        version = self._versions.setdefault(key, Version(found.print))
        version.print = found.print
        version.is_loading = True
        name = f"{key[0]}/{key[1]}"
        loop = asyncio.get_running_loop()
        try:
            opened = await loop.run_in_executor(self._thread, _open, found.path, self._workers)
        except ArtefactError as error:
            version.reason = f"refused: {_without_path(error, found.path)}"
            _LOG.warning("%s is refused: %s", name, error)
            raise
        except asyncio.CancelledError:
            version.print = ()  # who asked is gone; the next look tries again
            raise
        except Exception:
            version.reason = "refused: the server's log says why"
            _LOG.exception("%s is refused", name)
            raise
        finally:
            version.is_loading = False
        version.loaded = self._put_together(key, opened, version.loaded)
        self._found.clear()
        version.reason = ""
        _LOG.info("%s is loaded: %s", name, opened.text)

    def _put_together(self, key: ModelKey, opened: _Opened, old: Loaded | None) -> Loaded:
        """What answers from now on; it goes on counting where the old one stopped."""
        most = self._most_waiting
        counts = old.batcher.counts if old else Statistics()
        batcher = Batcher(opened.sessions, opened.policy, most_waiting=most, counts=counts)
        live = batcher
        if (reusing := opened.reusing) is not None:
            live = Batcher(
                opened.sessions,
                reusing.policy,
                most_waiting=most,
                counts=counts,
                reuse=reusing.workers,
            )
        counts.policy = opened.text
        return Loaded(key, opened.sessions[0].contract_json, batcher, live)

    def _unload(self, key: ModelKey, reason: str) -> Loaded:
        version = self._versions[key]
        loaded = self.get(key)
        version.loaded, version.leaving, version.reason = None, loaded, reason
        self._found.clear()

        async def see_off() -> None:
            await loaded.finish()
            version.let_go(loaded)

        task = asyncio.create_task(see_off())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        _LOG.info("%s/%d is unloaded: %s", *key, reason)
        return loaded

    async def _read_labels(self) -> None:
        self._found.clear()
        try:
            self._labels.read(self.ready)
        except ArtefactError as error:
            _LOG.warning("labels stay as they were: %s", error)


def _open(path: Path, workers: int) -> _Opened:
    """Check a folder, and make and warm up a session for each worker."""
    first = open_version(path)
    sessions = [first, *(first.clone() for _ in range(workers - 1))]
    policy = measure_policy(sessions)
    return _Opened(sessions, policy, measure_reuse(sessions, policy))


def _without_path(error: ArtefactError, path: Path) -> ArtefactError:
    """The same for clients, who are not told where the server keeps its files."""
    name = "/".join(path.parts[-2:])
    field, expected, got = (
        text.replace(str(path), name) for text in (error.field, error.expected, error.got)
    )
    return ArtefactError(field, expected, got, reason=error.reason, status=error.status)
