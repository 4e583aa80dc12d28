"""Reader of the bearing recordings of Case Western Reserve University, as `.npz` or `.mat`.

An `.npz` file holds the arrays `de` and `fe`, accelerations in g at the drive end and the fan end,
and is named RPM_FAULT_SIZE: `1797_OR6_21.npz` has a fault of 21 mil in the outer race at 6 o'clock.
A `.mat` file is the Data Center's own (MATLAB 5): `X097_DE_time`, `X097_FE_time` and mostly
`X097RPM`. Its fault is known only where the file bears such a name.

Source: Case Western Reserve University Bearing Data Center, seeded fault test data.
"""

import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.vibration import Vibration

SAMPLE_RATE_HZ = 12_000.0
CHANNELS = ("de", "fe")
SUFFIXES = (".npz", ".mat")

_NAME = re.compile(r"(\d+)_(IR|B|OR@?\d*|N|normal)(?:_(\d+))?", re.IGNORECASE)
_FAULTS = {"I": "inner race", "B": "ball", "O": "outer race", "N": "normal"}
_VARIABLE = re.compile(r"X(\d+)_(DE|FE)_time|X(\d+)RPM")


def is_cwru_name(path: Path) -> bool:
    """Whether a file is named as these recordings are; `.mat` files may be named as they like.

    >>> is_cwru_name(Path("1797_OR@6_21.npz")), is_cwru_name(Path("weights.npz"))
    (True, False)
    """
    suffix = path.suffix.lower()
    return suffix == ".mat" or (suffix == ".npz" and _NAME.fullmatch(path.stem) is not None)


def read_cwru(path: Path, *, sample_rate_hz: float = SAMPLE_RATE_HZ) -> Vibration:
    """The recording in a file; channels `de` and `fe` in g.

    Conditions, where known: `speed` in rpm, `size` of the fault in mil, and `recording`, the name
    of the file. sample_rate_hz: no file tells it; some of the Data Center's were taken at 48 kHz.

    Raises:
        InputError: the file can't be read, an array is missing or no row of numbers, or not finite,
            or the two differ in length.
    """
    arrays = _read_mat(path) if path.suffix.lower() == ".mat" else _read_npz(path)
    channels = [_check(path, name, arrays.get(name)) for name in CHANNELS]
    lengths = [len(channel) for channel in channels]
    if len(set(lengths)) > 1:
        got = ", ".join(
            f"{length:,} in {name}" for name, length in zip(CHANNELS, lengths, strict=True)
        )
        raise InputError(f"{path.name}: samples", "as many in de as in fe", got)
    conditions = {}
    if "rpm" in arrays:
        conditions["speed"] = f"{float(arrays['rpm'].flat[0]):g}"
    fault = ""
    named = _NAME.fullmatch(path.stem)
    if named:
        speed, code, size = named.groups()
        fault = _FAULTS[code[0].upper()]
        conditions["speed"] = speed
        if size:
            conditions["size"] = size
    return Vibration(
        name=path.stem,
        channels=CHANNELS,
        units=("g", "g"),
        sample_rate_hz=sample_rate_hz,
        values=np.stack(channels),
        fault=fault,
        conditions=conditions | {"recording": path.stem},
    )


def _read_npz(path: Path) -> Mapping[str, NDArray[np.generic]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in CHANNELS if name in arrays}
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        # A single array, as in a renamed .npy file, can't be entered: TypeError.
        raise InputError(path.name, "an .npz file of numbers", error) from error


def _read_mat(path: Path) -> Mapping[str, NDArray[np.generic]]:
    import scipy.io  # noqa: PLC0415

    try:
        names = [name for name, _, _ in scipy.io.whosmat(path)]
        chosen = _choose(path, names)
        read = scipy.io.loadmat(path, variable_names=list(chosen.values()))
        return {channel: np.asarray(read[name]).ravel() for channel, name in chosen.items()}
    except InputError:
        raise
    except Exception as error:
        # SciPy raises whatever a damaged file leads it to, even UnboundLocalError.
        raise InputError(path.name, "a MATLAB 5 file", _describe(error)) from error


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__


def _choose(path: Path, names: list[str]) -> dict[str, str]:
    """Names of the variables that hold `de`, `fe` and `rpm`, of those that are there."""
    recordings: dict[int, dict[str, str]] = {}
    for name in names:
        found = _VARIABLE.fullmatch(name)
        if found:
            number, end, rpm_number = found.groups()
            recording = recordings.setdefault(int(number or rpm_number), {})
            recording[end.lower() if end else "rpm"] = name
    if len(recordings) > 1 and path.stem.isdecimal():
        # Some of the Data Center's files hold a neighbour's recording as well.
        recordings = {key: value for key, value in recordings.items() if key == int(path.stem)}
    if len(recordings) != 1:
        expected = "one pair such as X097_DE_time, X097_FE_time"
        raise InputError(f"{path.name}: variables", expected, ", ".join(names) or "none")
    return next(iter(recordings.values()))


def _check(path: Path, name: str, array: NDArray[np.generic] | None) -> NDArray[np.float32]:
    field = f"{path.name}: {name}"
    if array is None:
        raise InputError(field, "an array of accelerations", "none of that name")
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "fiu":
        raise InputError(field, "a row of numbers", f"{array.dtype} of shape {array.shape}")
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise InputError(f"{field}[{wrong[0]}]", "a finite number", array[wrong[0]])
    return values
