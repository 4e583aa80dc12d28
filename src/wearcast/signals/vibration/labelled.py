r"""Reader of any folder of CSV, Parquet or WAV files that a `wearcast.toml` in it describes.

    files = "runs/**/*.csv"       # which of the files below the folder; all where it is left out
    sample_rate_hz = 12_000       # or: time = "t", a column of evenly rising seconds; WAV: neither
    channels = [
        { name = "de", unit = "g" },
        { name = "fe", unit = "g", column = "FE [mV]", scale = 0.01 },
    ]

    [[labels]]                    # the first that fits a file counts
    files = "runs/new/*.csv"
    fault = "normal"
    conditions = { unit = "A" }

    [[labels]]
    pattern = 'runs/(?P<fault>\w+)/(?P<unit>\w+)-(?P<speed>\d+)rpm\.csv'
    faults = { IR = "inner race", OR = "outer race" }

Paths are relative to the folder and have `/`. A pattern is a regular expression for the whole of
it; its groups are the fault and the conditions by name, and `faults` says what other words mean.
With labels, a file that none of them fits is an error; without, no fault is known. `column` is a
name in the file, or a place from 1; left out: the channel's name, or its place in the list where
the file has no names, as WAV files and CSV files without a header. What is read is multiplied by
`scale`; whole numbers of WAV files count as shares of the full scale, -1 to 1.
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.columns import SUFFIXES, open_columns
from wearcast.signals.vibration.even_time import find_step
from wearcast.signals.vibration.vibration import Vibration

TOML = "wearcast.toml"
_FAULT = "fault"


class LabelledChannel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the values of a channel stand in each file."""

    name: str
    unit: str
    column: str | Annotated[int, Meta(ge=1)] | None = None
    scale: float = 1.0


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of the files that a glob, or else a regular expression, fits."""

    files: str | None = None
    pattern: str | None = None
    fault: str = ""
    faults: dict[str, str] = {}
    conditions: dict[str, str] = {}


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `wearcast.toml`."""

    channels: Annotated[tuple[LabelledChannel, ...], Meta(min_length=1)]
    files: str = "**/*"
    sample_rate_hz: Annotated[float, Meta(gt=0)] | None = None
    time: str | Annotated[int, Meta(ge=1)] | None = None
    labels: tuple[Label, ...] = ()


def is_labelled(folder: Path) -> bool:
    """Whether a folder holds such a `wearcast.toml`; programs may have settings of that name."""
    try:
        text = (folder / TOML).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False
    return re.search(r"^\s*channels\s*=|^\s*\[\[channels\]\]", text, re.MULTILINE) is not None


def find_labelled(folder: Path) -> list[Path]:
    """The files of a folder that its `wearcast.toml` speaks of, sorted.

    Raises:
        InputError: the TOML is not as above, or there are no such files.
    """
    return _find_files(folder, _read_layout(folder))


def read_labelled(folder: Path, files: Sequence[Path] | None = None) -> list[Vibration]:
    """One recording for each file, named as its path with `-` for `/`; or for some of them only.

    Conditions: those of its label, and `recording`, its name, where the label has none.

    Raises:
        InputError: the TOML is not as above; there are no such files, or two of one name; or a file
            has no label, can't be read, lacks a column, has another cell than a finite number, or
            has no even time.
    """
    layout = _read_layout(folder)
    found = _find_files(folder, layout)
    labels = [(label, _find_fitting(folder, label)) for label in layout.labels]
    recordings: dict[str, Vibration] = {}
    for path in found if files is None else files:
        relative = path.relative_to(folder)
        name = "-".join(relative.with_suffix("").parts)
        if name in recordings:
            raise InputError(f"{relative.as_posix()}: name", "one file a name", f"{name} again")
        fault, conditions = _label(relative, path, labels)
        rate_hz, values = _read_file(path, layout)
        recordings[name] = Vibration(
            name=name,
            channels=tuple(channel.name for channel in layout.channels),
            units=tuple(channel.unit for channel in layout.channels),
            sample_rate_hz=rate_hz,
            values=values,
            fault=fault,
            conditions={"recording": name} | conditions,
        )
    return list(recordings.values())


def _read_layout(folder: Path) -> Layout:
    try:
        tables = tomllib.loads((folder / TOML).read_text(encoding="utf-8-sig"))
        layout = msgspec.convert(tables, Layout)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(TOML, "a readable TOML file", error) from error
    except msgspec.ValidationError as error:
        raise InputError(TOML, "files, sample_rate_hz or time, channels, labels", error) from error
    names = [channel.name for channel in layout.channels]
    if len(set(names)) < len(names):
        raise InputError(f"{TOML}: channels", "each name once", ", ".join(names))
    if layout.time is not None and layout.sample_rate_hz is not None:
        raise InputError(TOML, "either sample_rate_hz or time", "both")
    for number, label in enumerate(layout.labels, 1):
        _check_label(f"{TOML}: labels[{number}]", label)
    return layout


def _check_label(field: str, label: Label) -> None:
    if (label.files is None) == (label.pattern is None):
        raise InputError(
            field, "either files or pattern", "neither" if label.files is None else "both"
        )
    if label.pattern is None:
        return
    try:
        groups = re.compile(label.pattern).groupindex
    except re.error as error:
        raise InputError(f"{field}: pattern", "a regular expression", error) from error
    if label.fault and _FAULT in groups:
        raise InputError(field, "the fault once", "fault and a group (?P<fault>...)")


def _find_files(folder: Path, layout: Layout) -> list[Path]:
    found = [path for path in _glob(folder, layout.files) if path.suffix.lower() in SUFFIXES]
    if not found:
        suffixes = ", ".join(SUFFIXES)
        raise InputError(f"{folder}: files", f"{layout.files} with {suffixes}", "none")
    return sorted(found)


def _find_fitting(folder: Path, label: Label) -> set[Path]:
    return set() if label.files is None else set(_glob(folder, label.files))


def _glob(folder: Path, pattern: str) -> list[Path]:
    """Files below the folder, and never above it."""
    if not pattern or ".." in Path(pattern).parts:
        raise InputError(f"{TOML}: files", "a pattern below the folder", repr(pattern))
    try:
        return [path for path in folder.glob(pattern) if path.is_file()]
    except (ValueError, NotImplementedError) as error:
        raise InputError(f"{TOML}: files", "a pattern below the folder", error) from error


def _label(
    relative: Path, path: Path, labels: Sequence[tuple[Label, set[Path]]]
) -> tuple[str, dict[str, str]]:
    """Fault and conditions of a file, by the first label that fits."""
    name = relative.as_posix()
    for label, fitting in labels:
        if label.pattern is None:
            if path in fitting:
                return label.fault, dict(label.conditions)
        elif match := re.fullmatch(label.pattern, name):
            groups = {key: text for key, text in match.groupdict().items() if text is not None}
            word = groups.pop(_FAULT, label.fault)
            return label.faults.get(word, word), label.conditions | groups
    if labels:
        raise InputError(f"{name}: label", f"one that fits among labels in {TOML}", "none")
    return "", {}


def _read_file(path: Path, layout: Layout) -> tuple[float, NDArray[np.float32]]:
    """Sample rate in Hz and values (channels, n) in the channels' units."""
    columns = open_columns(path)
    wanted = [
        channel.column or (channel.name if columns.names else place)
        for place, channel in enumerate(layout.channels, 1)
    ]
    rate_hz = columns.sample_rate_hz or layout.sample_rate_hz
    if rate_hz is None:
        if layout.time is None:
            raise InputError(TOML, "sample_rate_hz or time", f"neither, and none in {path.name}")
        times_s, *channels = columns.read([layout.time, *wanted])
        rate_hz = 1 / find_step(path.name, times_s, columns.first_row)
    else:
        if layout.sample_rate_hz not in {None, rate_hz}:
            field = f"{path.name}: sample_rate_hz"
            raise InputError(field, f"{layout.sample_rate_hz:g} as in {TOML}", f"{rate_hz:g}")
        channels = list(columns.read(wanted))
    scales = [channel.scale for channel in layout.channels]
    values = [channel * scale for channel, scale in zip(channels, scales, strict=True)]
    return rate_hz, np.array(values, np.float32)
