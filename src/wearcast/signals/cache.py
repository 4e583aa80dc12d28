"""Recordings parsed once: later reads of an unchanged folder take the parsed arrays from a cache.

An entry is one `.npz` file, named after the folder and the names, sizes and modification times of
its snapshot files. A changed folder has another key, so a stale entry is never read.
"""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wearcast.signals.femto import list_snapshots, read_bearing
from wearcast.signals.recording import Recording

# Raise it whenever the reader or the entry's layout changes, so that older entries are left alone.
_FORMAT = 1


def default_cache() -> Path:
    """`$XDG_CACHE_HOME/wearcast`, or `~/.cache/wearcast`.

    Source: XDG Base Directory Specification 0.8.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wearcast"


def load_bearing(
    path: Path,
    cache_dir: Path | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Recording:
    """The recording in a bearing folder, from the cache if it is there and whole.

    cache_dir: None for `default_cache()`. progress: is called with (done, all) while files are
    parsed.

    Raises:
        InputError: as `read_bearing`.
    """
    directory = cache_dir or default_cache()
    name = path.resolve().name
    entry = directory / f"{name}-{_key(path)}.npz"
    recording = _read_entry(entry, name)
    if recording is None:
        recording = read_bearing(path, progress=progress)
        _write_entry(entry, recording)
    return recording


def _key(path: Path) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {path.resolve()}".encode())
    for _, file in list_snapshots(path):
        facts = file.stat()
        digest.update(f"\n{file.name} {facts.st_size} {facts.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def _read_entry(entry: Path, name: str) -> Recording | None:
    try:
        # Opened here, as NumPy leaves a damaged file open.
        with entry.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Recording(
                name=name,
                sample_rate_hz=float(arrays["sample_rate_hz"]),
                numbers=arrays["numbers"],
                starts_us=arrays["starts_us"],
                values=arrays["values"],
                skipped=tuple(arrays["skipped"].tolist()),
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
        # Damaged, for instance by a full disk: it is made anew and replaced.
        return None


def _write_entry(entry: Path, recording: Recording) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    # Whoever reads meanwhile, or writes the same entry, sees a whole file or none.
    with tempfile.NamedTemporaryFile(dir=entry.parent, suffix=".part", delete=False) as file:
        part = Path(file.name)
        try:
            np.savez(
                file,
                sample_rate_hz=recording.sample_rate_hz,
                numbers=recording.numbers,
                starts_us=recording.starts_us,
                values=recording.values,
                skipped=np.array(recording.skipped, dtype=np.str_),
            )
            file.flush()
            part.replace(entry)
        finally:
            part.unlink(missing_ok=True)
