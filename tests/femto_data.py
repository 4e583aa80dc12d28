"""Real recordings: PRONOSTIA archives beside the repository, unpacked once on each machine."""

import os
import tarfile
import tempfile
from pathlib import Path

import pytest

ARCHIVES = Path(__file__).parents[1] / ".." / "shared" / "data" / "femto"


def unpack_bearing(group: str, archive: str) -> Path:
    """The bearing's folder; skips the test where the archive is absent."""
    packed = ARCHIVES / group / f"{archive}.tar.xz"
    if not packed.exists():
        pytest.skip(f"real data is absent: ../shared/data/femto/{group}/{archive}.tar.xz")
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    cache = Path(tempfile.gettempdir()) / f"wearcast-femto-{owner}"
    folder = cache / archive
    if not folder.exists():
        cache.mkdir(mode=0o700, exist_ok=True)
        # Renamed when whole: tests that run side by side, or are stopped, leave nothing half done.
        with tempfile.TemporaryDirectory(dir=cache) as unpacked:
            with tarfile.open(packed) as tar:
                tar.extractall(unpacked, filter="data")
            try:
                Path(unpacked).rename(folder)
            except OSError:
                assert folder.exists()
            else:
                Path(unpacked).mkdir()
    return folder / group / archive.partition("-")[0]
