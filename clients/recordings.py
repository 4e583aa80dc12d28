"""From paths on the command line to recordings that can be scored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wearcast.clients.results import give_unique_names
from wearcast.signals.errors import InputError
from wearcast.signals.femto import find_bearings, iterate_snapshots, list_snapshots
from wearcast.signals.series import Block

OnSkip = Callable[[str], None]


@dataclass(frozen=True)
class Input:
    """One recording to be read: its name, how many blocks at most, and how to read them."""

    name: str
    size: int
    open: Callable[[OnSkip], Iterator[Block]]


def find_inputs(paths: Sequence[Path]) -> list[Input]:
    """The recordings at some paths: bearing folders, folders above them, snapshot files.

    Snapshot files that lie in one folder are one recording.

    Raises:
        InputError: nothing there that can be read.
    """
    wanted: dict[Path, set[Path] | None] = {}
    for path in paths:
        if path.is_dir():
            wanted |= dict.fromkeys(folder.resolve() for folder in find_bearings(path))
    for path in paths:
        if path.is_file():
            files = wanted.setdefault(path.resolve().parent, set())
            if files is not None:
                files.add(path.resolve())
    names = give_unique_names(wanted)
    return [
        _open_snapshots(name, _choose_snapshots(folder, files))
        for name, (folder, files) in zip(names, wanted.items(), strict=True)
    ]


def _choose_snapshots(folder: Path, files: set[Path] | None) -> list[tuple[int, Path]]:
    snapshots = list_snapshots(folder)
    if files is None:
        return snapshots
    foreign = sorted(files - {path for _, path in snapshots})
    if foreign:
        raise InputError(str(foreign[0]), "a snapshot named acc_NNNNN.csv", foreign[0].name)
    return [(number, path) for number, path in snapshots if path in files]


def _open_snapshots(name: str, snapshots: Sequence[tuple[int, Path]]) -> Input:
    def open_blocks(on_skip: OnSkip) -> Iterator[Block]:
        return iterate_snapshots(snapshots, on_skip=on_skip)

    return Input(name, len(snapshots), open_blocks)
