"""Edge stores of the tests, and a process that writes to one."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wearcast.clients.edge.store.edge_store import EdgeStore
from wearcast.clients.edge.store.opening import open_store
from wearcast.signals.plant_table import Columns, PlantRow

COLUMNS = Columns(
    (("flow_rate", "m3/h"), ("pressure", "bar")), (("actual", "flow_rate"), ("multivariate", ""))
)
MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
START_US = 19_844 * DAY_US  # 2024-05-01

# Commits a row and a mark in turns, and prints the mark once both are on disk.
_WRITER = """
import sys
from pathlib import Path
from edge_stores import COLUMNS, make_row
from wearcast.clients.edge.store.opening import open_store
store = open_store(Path(sys.argv[1]), COLUMNS, sys.argv[2])
first, step = int(sys.argv[3]), int(sys.argv[4])
for number in range(first, int(sys.argv[5]), step):
    with store.transaction():
        store.table.write([make_row(number)])
        store.put(f"mark {first}", number)
    print(number, flush=True)
"""


def make_row(number: int, flow_rate: float | None = 41.5) -> PlantRow:
    """The row of a minute."""
    return PlantRow(
        START_US + number * MINUTE_US, (flow_rate, None), (None, 4.25), (3, None), ("MISSING",)
    )


@contextmanager
def opened(
    path: Path, kind: str = "sqlite", columns: Columns = COLUMNS, *, set_aside: bool = False
) -> Iterator[EdgeStore]:
    store = open_store(path, columns, kind, set_aside=set_aside)
    try:
        yield store
    finally:
        store.close()


def start_writer(
    path: Path, kind: str = "sqlite", first: int = 0, step: int = 1, end: int = 1_000_000
) -> subprocess.Popen[str]:
    """Writes the rows first, first + step, ... in a process of its own."""
    numbers = [str(number) for number in (first, step, end)]
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), kind, *numbers],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    )
