"""From paths on the command line to recordings that can be scored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wearcast.clients.results import give_unique_names
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
    """The recordings at some paths: bearing folders, folders above them, files.

    Raises:
        InputError: nothing there that can be read.
    """
    folders = [folder for path in paths if path.is_dir() for folder in find_bearings(path)]
    folders = list(dict.fromkeys(folder.resolve() for folder in folders))
    names = give_unique_names(folders)
    return [
        _open_snapshots(name, list_snapshots(folder))
        for name, folder in zip(names, folders, strict=True)
    ]


def _open_snapshots(name: str, snapshots: Sequence[tuple[int, Path]]) -> Input:
    def open_blocks(on_skip: OnSkip) -> Iterator[Block]:
        return iterate_snapshots(snapshots, on_skip=on_skip)

    return Input(name, len(snapshots), open_blocks)
