"""Which bearings are learned from, and reading them through the cache."""

from collections.abc import Callable, Sequence
from pathlib import Path

from wearcast.signals.cache import load_bearing
from wearcast.signals.errors import InputError
from wearcast.signals.femto import find_bearings
from wearcast.signals.recording import Recording


def choose_bearings(
    data: Path, only: Sequence[str] = (), without: Sequence[str] = ()
) -> dict[str, Path]:
    """Bearing folders by name; of a folder that holds Learning_set, those in it.

    The other sets hold bearings that were stopped before they failed, or the same ones again.

    Raises:
        InputError: no bearing there, two of one name, or a name asked for is not there.
    """
    folder = data / "Learning_set" if (data / "Learning_set").is_dir() else data
    found: dict[str, Path] = {}
    for path in find_bearings(folder):
        if path.name in found:
            raise InputError(str(folder), "one folder a bearing", f"two of {path.name}")
        found[path.name] = path
    for name in (*only, *without):
        if name not in found:
            raise InputError("bearings", f"some of {', '.join(found)}", name)
    return {
        name: path
        for name, path in found.items()
        if name not in without and (not only or name in only)
    }


def load_bearings(
    paths: dict[str, Path], cache: Path | None, advance: Callable[[], None] = lambda: None
) -> dict[str, Recording]:
    """The recordings in bearing folders, parsed once into the cache.

    Raises:
        InputError: a recording has gaps, so that nobody knows how old the bearing was when.
    """
    recordings = {}
    for name, path in paths.items():
        recording = load_bearing(path, cache)
        if recording.numbers[-1] + 1 != len(recording):
            skipped = "; ".join(recording.skipped[:3]) or "files that are not there"
            raise InputError(name, "every snapshot from the first to the last", f"gaps: {skipped}")
        recordings[name] = recording
        advance()
    return recordings
