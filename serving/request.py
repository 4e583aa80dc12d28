"""What one caller asks of a model, on its way to runs and back."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# One array (n, ...), or an array for each row: those of streams are views that nobody copies before
# they are run.
Rows = NDArray[np.float32] | Sequence[NDArray[np.float32]]
Outputs = dict[str, NDArray[np.float32]]


@dataclass(slots=True, eq=False)
class Request:
    """Rows of one caller, and where their answer goes.

    taken: rows that are part of a run, or were. is_call: counts against the rows that may wait.
    """

    rows: Rows
    minutes: NDArray[np.float32]
    answer: asyncio.Future[Outputs]
    is_call: bool
    deadline_s: float
    came_ns: int = field(default_factory=time.monotonic_ns)
    taken: int = 0
    answered: int = 0
    fill_ns: int = 0
    infer_ns: int = 0
    parts: dict[int, list[NDArray[np.float32]]] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Rows that are part of no run yet."""
        return len(self.rows) - self.taken

    @property
    def has_ended(self) -> bool:
        """Whether nobody waits for it any more: answered, failed, late or its caller gone."""
        return self.answer.done()


class Part(NamedTuple):
    """Rows `start` to `stop` of a request."""

    request: Request
    start: int
    stop: int
