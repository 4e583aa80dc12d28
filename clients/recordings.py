"""From paths on the command line to recordings that can be scored."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wearcast.clients.plant_rows import make_blocks
from wearcast.clients.results import file_name, give_unique_names
from wearcast.signals.contract import Contract
from wearcast.signals.femto import find_bearings, iterate_snapshots, list_snapshots
from wearcast.signals.rows import Rows
from wearcast.signals.series import Block
from wearcast.signals.table import read_table
from wearcast.signals.vibration.cut import cut_blocks
from wearcast.signals.vibration.find import find_recordings, is_vibration
from wearcast.signals.vibration.resample import resample_vibration
from wearcast.signals.vibration.vibration import Vibration

OnSkip = Callable[[str], None]
_SNAPSHOT = re.compile(r"acc_\d+\.csv")


@dataclass(frozen=True)
class Input:
    """One recording to be read: its name, how many files it has, and how to read it.

    `open` gives the blocks that a contract asks for, and tells of what was skipped. labelled: the
    fault that its file says there is; empty: it says nothing.
    """

    name: str
    files: int
    open: Callable[[Contract, OnSkip], Iterator[Block]]
    labelled: str = ""


def find_inputs(
    paths: Sequence[Path], *, of_vibration: bool = False, resampled: bool = False
) -> list[Input]:
    """The recordings at some paths: bearing folders, folders above them, files.

    Snapshot files (acc_NNNNN.csv) of one folder are one recording; any other file is a whole one:
    for models of single readings at even steps it is cleaned, see `wearcast.signals.cleaning`, for
    all others see `wearcast.signals.table`.

    of_vibration: folders, and files that are known as such, are recordings of vibration instead,
    see `wearcast.signals.vibration.find`; resampled: at the model's rate.

    Raises:
        InputError: no recording there, or one of vibration is not what it should be.
    """
    found: dict[Path, Callable[[str], Input]] = {}
    tables: set[Path] = set()
    chosen: dict[Path, set[Path]] = {}
    for path in (path.resolve() for path in paths):
        if of_vibration and (path.is_dir() or is_vibration(path)):
            for vibration in find_recordings(path):
                # What has the same name in another place is told apart by the path.
                found[path / file_name(vibration.name)] = _open_vibration(vibration, resampled)
        elif path.is_dir():
            for folder in find_bearings(path):
                found[folder] = _open_snapshots(list_snapshots(folder))
        elif _SNAPSHOT.fullmatch(path.name):
            chosen.setdefault(path.parent, set()).add(path)
        else:
            found[path] = _open_table(path)
            tables.add(path)
    for folder, files in chosen.items():
        snapshots = [item for item in list_snapshots(folder) if item[1] in files]
        found.setdefault(folder, _open_snapshots(snapshots))
    short = [path.with_suffix("") if path in tables else path for path in found]
    counts = Counter(short)
    names = give_unique_names(
        path if counts[bare] > 1 else bare for path, bare in zip(found, short, strict=True)
    )
    return [make(name) for name, make in zip(names, found.values(), strict=True)]


def _open_snapshots(snapshots: Sequence[tuple[int, Path]]) -> Callable[[str], Input]:
    def open_blocks(_contract: Contract, on_skip: OnSkip) -> Iterator[Block]:
        return iterate_snapshots(snapshots, on_skip=on_skip)

    return lambda name: Input(name, len(snapshots), open_blocks)


def _open_vibration(vibration: Vibration, resampled: bool) -> Callable[[str], Input]:  # noqa: FBT001
    def open_blocks(contract: Contract, _on_skip: OnSkip) -> Iterator[Block]:
        ready = vibration
        if resampled:
            ready = resample_vibration(vibration, contract.sample_rate_hz)
        return cut_blocks(ready, contract)

    return lambda name: Input(name, 1, open_blocks, vibration.fault)


def _open_table(path: Path) -> Callable[[str], Input]:
    def open_blocks(contract: Contract, on_skip: OnSkip) -> Iterator[Block]:
        if contract.window == 1:
            yield from make_blocks(read_rows(path, contract))
            return
        recording = read_table(path, contract)
        for line in recording.skipped:
            on_skip(line)
        yield from recording.blocks()

    return lambda name: Input(name, 1, open_blocks)


def read_rows(path: Path, contract: Contract) -> Rows:
    """The rows of a plant file, at a contract's steps; nothing is filled in.

    Raises:
        InputError: the file is none that can be read, or a channel is not in it.
        MismatchError: its rows are further apart than the contract's.
    """
    from wearcast.signals.cleaning import load_rows  # noqa: PLC0415 - snapshots do without

    names = [channel.name for channel in contract.channels]
    return load_rows(path, names, step_s=contract.hop_s, time_zone=contract.time_zone or "UTC").rows
