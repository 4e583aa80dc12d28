"""New versions of models, trained on the rows that the store keeps: by `wearcast retrain`."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from wearcast.clients.edge.models import LocalModels
from wearcast.clients.edge.settings import EdgeSettings
from wearcast.clients.edge.starting import check_models
from wearcast.clients.edge.store.opening import reopen_store
from wearcast.clients.edge.store.table_files import read_parts, write_file
from wearcast.signals.errors import InputError, WearcastError

_DAY_US = 86_400_000_000
_LAST_LINES = 5


class TrainingError(WearcastError):
    """A model could not be trained or exported."""


def retrain(settings: EdgeSettings) -> list[Path]:
    """Train and export the models that `schedule.retrain` names; gives their new folders.

    Raises:
        InputError: none is named, or there are no rows.
        TrainingError: one could not be trained; no version is new then.
        MismatchError, NotFoundError, ArtefactError: they do not fit the plant, or the other models.
        StoreError: the rows can't be read now.
    """
    wanted = settings.schedule.retrain
    if not wanted or settings.models.dir is None:
        raise InputError("schedule.retrain", "models to train", "none")
    with _workplace(settings) as folder:
        data = folder / "rows.csv"
        _write_rows(settings, data)
        for name, words in wanted.items():
            _train(settings, name, words, data, folder)
        return _publish(settings, folder)


@contextlib.contextmanager
def _workplace(settings: EdgeSettings) -> Iterator[Path]:
    """A folder beside the store; what one that was killed has left there goes first."""
    folder = settings.store.path.with_name(f"{settings.store.path.name}.retraining")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_rows(settings: EdgeSettings, data: Path) -> None:
    with contextlib.closing(reopen_store(settings.store.path)) as store:
        newest_us = store.table.newest_us()
        if newest_us is None:
            raise InputError("store", "rows to train on", f"none in {settings.store.path}")
        first_us = newest_us - round(settings.store.keep_days * _DAY_US)
        parts = read_parts(store.table, max(0, first_us), newest_us + 1)
        write_file(data, store.table.columns, parts)


def _train(
    settings: EdgeSettings, name: str, words: Sequence[str], data: Path, folder: Path
) -> None:
    checkpoint = folder / f"{name}.pth"
    more = ["--data", data, "--out", checkpoint, *_list_units(settings, words)]
    if not _find_values(words, "--time-zone"):
        more += ["--time-zone", settings.time_zone]
    _run(name, "train", *words, *map(str, more))
    version = max(_list_versions(settings, name), default=0) + 1
    more = ["--name", name, "--out", folder / "models", "--version", version]
    _run(name, "export", str(checkpoint), *map(str, more))


def _list_units(settings: EdgeSettings, words: Sequence[str]) -> list[str]:
    """Units of the channels that are trained on, unless the words have them."""
    named = _find_values(words, "--channel", "--target")
    given = [pair.partition("=")[0] for pair in _find_values(words, "--unit")]
    more = []
    for channel, unit in settings.channels.items():
        if unit and channel not in given and (not named or channel in named):
            more += ["--unit", f"{channel}={unit}"]
    return more


def _find_values(words: Sequence[str], *options: str) -> list[str]:
    """What is given to options, as two words or as one with a sign of equality."""
    values = []
    for word, after in zip(words, [*words[1:], ""], strict=True):
        option, sign, value = word.partition("=")
        if option in options:
            values.append(value if sign else after)
    return values


def _run(name: str, *words: str) -> None:
    """Run a verb in a process of its own, which gives all its memory back."""
    done = subprocess.run(  # noqa: S603 - words of the settings, and no shell
        [sys.executable, "-m", "wearcast", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = " | ".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
        raise TrainingError(f"schedule.retrain.{name}: wearcast {words[0]}: {lines}")


def _list_versions(settings: EdgeSettings, name: str) -> list[int]:
    folder = settings.models.dir or Path()
    return [int(path.name) for path in folder.glob(f"{name}/*") if path.name.isdecimal()]


def _publish(settings: EdgeSettings, folder: Path) -> list[Path]:
    """Move new versions to where the service looks for them, if it can use them."""
    models = folder / "models"
    contracts = []
    for name in settings.models.names:
        found = models if (models / name).exists() else settings.models.dir
        contracts += LocalModels([name], found).contracts
    check_models(settings, contracts)
    made = []
    for path in sorted(models.glob("*/*")):
        target = (settings.models.dir or Path()) / path.relative_to(models)
        # It appears whole, also where the models are on another disk.
        unfinished = target.with_name(f".{target.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(path, unfinished)
        unfinished.rename(target)
        made.append(target)
    return made
