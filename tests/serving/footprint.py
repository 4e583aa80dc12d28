"""What a process holds of the machine, as Linux tells it."""

from pathlib import Path
from typing import NamedTuple

import pytest

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs Linux's /proc to look into the server"
)


class Footprint(NamedTuple):
    """memory_mib: resident. descriptors: open files and connections."""

    memory_mib: float
    descriptors: int
    threads: int


def footprint_of(process_id: int) -> Footprint:
    folder = Path("/proc") / str(process_id)
    lines = (folder / "status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    return Footprint(
        memory_mib=int(status["VmRSS"].split()[0]) / 1024,
        descriptors=len(list((folder / "fd").iterdir())),
        threads=int(status["Threads"]),
    )
