"""What one caller asks of a model, on its way to runs and back."""

import asyncio
import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wearcast.serving.reuse import Encoded

# One array (n, ...), or an array for each row: those of streams are views that nobody copies before
# they are run.
Rows = NDArray[np.float32] | Sequence[NDArray[np.float32]]
Outputs = dict[str, NDArray[np.float32]]


@dataclass(slots=True, eq=False)
class Request:
    """Rows of one caller, and where their answer goes.

    known: of each row its blocks, where what was made of them is used again; else empty. taken:
    rows that are part of a run, or were. is_call: counts against the rows that may wait. queue_ns:
    how long the first row waited. batch_rows: of the largest run that it was part of.
    """

    rows: Rows
    minutes: NDArray[np.float32]
    known: Sequence[Sequence[Encoded]]
    answer: asyncio.Future[Outputs]
    is_call: bool
    deadline_s: float
    came_ns: int = field(default_factory=time.monotonic_ns)
    taken: int = 0
    answered: int = 0
    queue_ns: int = 0
    batch_rows: int = 0
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


@dataclass(slots=True)
class Work:
    """What models did for one call, be it a stream: for its trace.

    models: names and versions. rows: how many were asked. batch_rows: of the largest run that they
    were part of. queue_ns, infer_ns: their waiting and running, one request after the other.
    """

    models: set[tuple[str, int]] = field(default_factory=set)
    rows: int = 0
    batch_rows: int = 0
    queue_ns: int = 0
    infer_ns: int = 0

    def add(self, request: Request) -> None:
        """A request has ended."""
        self.rows += len(request.rows)
        self.batch_rows = max(self.batch_rows, request.batch_rows)
        self.queue_ns += request.queue_ns
        self.infer_ns += request.infer_ns


# Of the call that is being answered; None: it is not traced.
WORK: ContextVar[Work | None] = ContextVar("work", default=None)


class Part(NamedTuple):
    """Rows `start` to `stop` of a request."""

    request: Request
    start: int
    stop: int
