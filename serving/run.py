"""Rows that are run together, on the thread of a worker."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from wearcast.serving.request import Part, Rows

if TYPE_CHECKING:
    from wearcast.serving.batcher import Batcher


@dataclass(slots=True, eq=False)
class Run:
    """Rows that are run together, filled up to a frozen batch size; `fill_ns` is what that took.

    is_ahead: no worker was free for it, and none has begun it. late_ns: from when it was made until
    one did.
    """

    batcher: "Batcher"
    size: int
    parts: list[Part]
    options: ort.RunOptions
    stopped: bool = False
    is_ahead: bool = False
    fill_ns: int = 0
    late_ns: int = 0
    made_ns: int = field(default_factory=time.monotonic_ns)

    @property
    def rows(self) -> int:
        """How many they are, without the filling."""
        return sum(stop - start for _, start, stop in self.parts)

    def stop(self) -> None:
        """Nobody wants it: do not begin, or end as soon as ONNX Runtime can."""
        self.stopped, self.is_ahead = True, False
        self.options.terminate = True

    def work(self, worker: int) -> list[NDArray[np.float32]]:
        """Run it in the session of a worker, on whose thread this is called."""
        self.is_ahead = False
        begun_ns = time.monotonic_ns()
        self.late_ns = begun_ns - self.made_ns
        batcher = self.batcher
        contract = batcher.contract
        shape = (contract.sequence, len(contract.channels), contract.window)
        blocks = [request.rows[start:stop] for request, start, stop in self.parts]
        if batcher.reuse:
            windows = list(chain.from_iterable(blocks))
            known = [it for request, start, stop in self.parts for it in request.known[start:stop]]
            return batcher.reuse[worker].run(windows, known, self.size, self.options)
        inputs = [self._fill(blocks, shape)]
        if contract.time_zone is not None:
            minutes = [request.minutes[start:stop] for request, start, stop in self.parts]
            inputs.append(self._fill(minutes, ()))
        self.fill_ns = time.monotonic_ns() - begun_ns
        return batcher.sessions[worker].run_batch(inputs, self.options)

    def _fill(self, parts: Sequence[Rows], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """The parts' rows in one array of the frozen size, zeros behind them."""
        whole = np.empty((self.size, *shape), np.float32)
        end = 0
        for rows in parts:
            begin, end = end, end + len(rows)
            whole[begin:end] = rows
        whole[end:] = 0
        return whole
