"""What lies in MODELS_DIR now: version folders that come, change and go."""

from pathlib import Path
from typing import NamedTuple

from wearcast.serving.models import list_folders

# Of each file: name, size, time of change, number on the disk.
Print = tuple[tuple[str, int, int, int], ...]


class Found(NamedTuple):
    """A version's folder; `print` differs once a file in it was written, replaced or removed."""

    path: Path
    print: Print


def scan_folders(root: Path) -> dict[tuple[str, int], Found]:
    """What is there, by name and version, in rising order."""
    found = {}
    for key, path in list_folders(root).items():
        try:
            found[key] = Found(path, _take_print(path))
        except OSError:  # it went while we looked
            continue
    return found


def _take_print(path: Path) -> Print:
    files = []
    for item in sorted(path.iterdir()):
        stat = item.stat()
        files.append((item.name, stat.st_size, stat.st_mtime_ns, stat.st_ino))
    return tuple(files)
