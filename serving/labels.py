"""Labels: names for versions of a model, in MODELS_DIR/NAME/labels.toml.

    stable = 1
    canary = 2

A label moves only to a version that answers. Until it does, the label stays where it was.
"""

import logging
import tomllib
from collections.abc import Collection
from pathlib import Path

from wearcast.signals.errors import ArtefactError, InputError, NotFoundError

_LOG = logging.getLogger(__name__)

_FILE = "labels.toml"
# Meant where neither a version nor a label is said.
STABLE = "stable"


class Labels:
    """The labels of the models below a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._versions: dict[str, dict[str, int]] = {}
        self._told: set[tuple[str, str, int]] = set()

    def read(self, ready: Collection[tuple[str, int]]) -> None:
        """Read all files again; `ready` are the models and versions that answer.

        Raises:
            ArtefactError: a file is no such one; its model's labels stay as they were.
        """
        error: ArtefactError | None = None
        for name in sorted({name for name, _ in ready} | self._versions.keys()):
            try:
                asked = _read_file(self._root / name / _FILE)
            except ArtefactError as damaged:
                error = error or damaged
                continue
            old = self._versions.get(name, {})
            self._versions[name] = {
                label: self._move(name, label, old.get(label), version, ready)
                for label, version in asked.items()
            }
        if error:
            raise error

    def choose(self, name: str, version: int, label: str) -> int:
        """The version that is meant by a version or a label; 0: the newest.

        Raises:
            NotFoundError: the model has no such label.
            InputError: both a version and a label.
        """
        if version and label:
            raise InputError("label", "none beside a version", repr(label), reason="LABEL")
        labels = self._versions.get(name, {})
        if label and label not in labels:
            expected = f"a label of {name} ({', '.join(sorted(labels)) or 'it has none'})"
            raise NotFoundError("label", expected, repr(label))
        return version or labels.get(label or STABLE, 0)

    def of(self, key: tuple[str, int]) -> tuple[str, ...]:
        """The labels of a version, sorted."""
        name, version = key
        labels = self._versions.get(name, {})
        return tuple(sorted(label for label, labelled in labels.items() if labelled == version))

    def _move(
        self, name: str, label: str, old: int | None, new: int, ready: Collection[tuple[str, int]]
    ) -> int:
        """Where a label stands now."""
        if old == new:
            return new
        if (name, new) in ready:
            _LOG.info("%s: %s is version %d", name, label, new)
            return new
        if (name, label, new) not in self._told:  # once, not with each look at the file
            self._told.add((name, label, new))
            _LOG.warning("%s: %s names version %d, which does not answer", name, label, new)
        return new if old is None else old


def _read_file(path: Path) -> dict[str, int]:
    """Versions by label; none where there is no file."""
    try:
        table = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        got = error.strerror if isinstance(error, OSError) else error
        raise ArtefactError(str(path), "a file in TOML", got) from error
    for label, version in table.items():
        if type(version) is not int or version < 1:
            raise ArtefactError(f"{path} {label}", "a version, from 1 up", repr(version))
    return table
