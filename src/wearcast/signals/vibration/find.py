"""Recordings of vibration at a path, whichever of the known layouts they have."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.cwru import is_cwru_name, read_cwru
from wearcast.signals.vibration.gear_csv import is_gear, read_gear
from wearcast.signals.vibration.labelled import TOML, find_labelled, is_labelled, read_labelled
from wearcast.signals.vibration.rotor_csv import is_rotor, read_rotor
from wearcast.signals.vibration.vibration import Vibration

_LAYOUTS = (
    f"a folder with {TOML}, a rotor's folder (sensor1.csv to sensor4.csv), gear files (CSV with "
    "speedSet, load_value, gear_fault_desc), CWRU files (such as 1797_IR_7.npz, or .mat), or a "
    "folder above those"
)
_Reader = Callable[[], list[Vibration]]


def is_vibration(path: Path) -> bool:
    """Whether `find_recordings` knows the layout; reads no more than the head of a file."""
    return bool(_find_readers(path, linear=False))


def find_recordings(path: Path, *, linear: bool = False) -> list[Vibration]:
    """All recordings of a file or folder; of a folder of no known layout, those of its folders.

    linear: rotors' sensors are resampled along straight lines, see
    `wearcast.signals.vibration.resample`. No two recordings have one name: where they would, the
    name of the unit stands before it.

    Raises:
        InputError: the layout is none that is known, or a file is not as its layout wants it.
    """
    readers = _find_readers(path, linear=linear)
    if not readers:
        got = "a path of no such layout" if path.exists() else "no such path"
        raise InputError(str(path), _LAYOUTS, got)
    return _give_unique_names([vibration for read in readers for vibration in read()])


def _find_readers(path: Path, *, linear: bool) -> list[_Reader]:
    if path.is_dir():
        own = _find_in_folder(path, linear=linear)
        if own:
            return own
        folders = sorted(child for child in path.iterdir() if child.is_dir())
        return [reader for folder in folders for reader in _find_in_folder(folder, linear=linear)]
    if not path.is_file():
        return []
    path = path.resolve()
    for folder in path.parents:
        if is_labelled(folder) and path in find_labelled(folder):
            return [partial(read_labelled, folder, [path])]
    return _find_file(path)


def _find_in_folder(folder: Path, *, linear: bool) -> list[_Reader]:
    if is_labelled(folder):
        return [partial(read_labelled, folder)]
    if is_rotor(folder):
        return [partial(read_rotor, folder, linear=linear)]
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return [reader for file in files for reader in _find_file(file)]


def _find_file(path: Path) -> list[_Reader]:
    if is_cwru_name(path):
        return [lambda: [read_cwru(path)]]
    if is_gear(path):
        return [partial(read_gear, path)]
    return []


def _give_unique_names(vibrations: list[Vibration]) -> list[Vibration]:
    counts = Counter(vibration.name for vibration in vibrations)
    named = [
        replace(vibration, name=f"{vibration.conditions['unit']}-{vibration.name}")
        if counts[vibration.name] > 1 and "unit" in vibration.conditions
        else vibration
        for vibration in vibrations
    ]
    (name, count), *_ = Counter(vibration.name for vibration in named).most_common(1)
    if count > 1:
        raise InputError("recordings", "each name once", f"{name} {count} times")
    return named
