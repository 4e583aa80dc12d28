"""The models in a folder MODELS_DIR/NAME/VERSION/, by name and version."""

from collections.abc import Iterable
from pathlib import Path

import wearcast
from wearcast.serving.folder import title_of
from wearcast.serving.labels import Labels
from wearcast.serving.session import Session, open_session
from wearcast.signals.errors import ArtefactError, NotFoundError

BUNDLED = Path(wearcast.__file__).parent / "models"


def find_folders(models_dir: Path | None = None) -> dict[tuple[str, int], Path]:
    """Model folders by name and version, in rising order; by default the bundled models.

    Raises:
        NotFoundError: there is none.
    """
    root = models_dir or BUNDLED
    folders = list_folders(root)
    if not folders:
        raise NotFoundError("models", "a folder holding NAME/VERSION/", root)
    return folders


def list_folders(root: Path) -> dict[tuple[str, int], Path]:
    """Model folders by name and version, in rising order; there may be none."""
    folders = {
        (folder.parent.name, int(folder.name)): folder
        for folder in root.glob("*/*")
        # Export writes into a folder of another name first; only finished ones are numbers.
        if folder.is_dir() and folder.name.isdecimal() and str(int(folder.name)) == folder.name
    }
    return dict(sorted(folders.items()))


def find_model(models_dir: Path | None, name: str, version: int = 0, label: str = "") -> Path:
    """The folder of one model; without a version or label: that labelled stable, else the newest.

    Raises:
        NotFoundError: there is no such model, version or label.
        InputError: both a version and a label.
        ArtefactError: the model's labels can't be read.
    """
    folders = find_folders(models_dir)
    labels = Labels(models_dir or BUNDLED)
    labels.read([key for key in folders if key[0] == name])
    return folders[choose_version(folders, name, labels.choose(name, version, label))]


def open_model(models_dir: Path | None, name: str, version: int = 0, label: str = "") -> Session:
    """Load and check one model, as `find_model` finds it.

    Raises:
        NotFoundError: there is no such model, version or label.
        InputError: both a version and a label.
        ArtefactError: its folder does not hold together, or its labels can't be read.
    """
    return open_version(find_model(models_dir, name, version, label))


def open_models(models_dir: Path | None = None) -> dict[tuple[str, int], Session]:
    """Load and check every version of every model.

    Raises:
        NotFoundError: there is none.
        ArtefactError: a folder does not hold together.
    """
    return {key: open_version(folder) for key, folder in find_folders(models_dir).items()}


def choose_version(known: Iterable[tuple[str, int]], name: str, version: int) -> tuple[str, int]:
    """The key of a model among those known; version 0 is the newest.

    >>> choose_version([("rul", 1), ("rul", 2)], "rul", 0)
    ('rul', 2)

    Raises:
        NotFoundError: there is no such model, or not in that version.
    """
    keys = sorted(known)
    fitting = [key for key in keys if key[0] == name and version in (0, key[1])]
    if not fitting:
        names = ", ".join(f"{known_name}/{known_version}" for known_name, known_version in keys)
        raise NotFoundError("model", f"one of {names}", f"{name}/{version or 'newest'}")
    return fitting[-1]


def open_version(folder: Path) -> Session:
    """Load and check a folder NAME/VERSION/.

    Raises:
        ArtefactError: it does not hold together, or is of another name or version.
    """
    session = open_session(folder)
    got = (session.contract.name, str(session.contract.version))
    if got != (folder.parent.name, folder.name):
        title = title_of(folder)
        raise ArtefactError(f"{title} contract", title, "/".join(got))
    return session
