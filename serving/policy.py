"""How the rows of a model are put together for a run: measured when it is loaded, never configured.

Some models answer many rows together in far less time than one by one, as recurrent and dense ones
do; others gain nothing, as convolutions, and then a batch only makes its first row wait.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wearcast.serving.session import Session

# Chosen: rates that are nearer to each other than this differ by the noise of the measurement.
NOISE = 1.1
# Chosen: the rows of the next run can come during this one; that is worth a fifth of the rows/s.
_NEAR = 1.25
# Chosen: long enough to tell twice from once, short enough that loading stays a matter of seconds.
_MEASURE_S = 0.03
# Chosen: so often a machine's slow moments hit all sizes.
_TURNS = 3


@dataclass(frozen=True)
class Policy:
    """What a run at each frozen batch size takes while all workers do the same.

    run_s: seconds, by batch size.
    """

    run_s: dict[int, float]
    workers: int

    @cached_property
    def batches(self) -> bool:
        """Whether rows are run together."""
        return self._gain >= NOISE

    @cached_property
    def sizes(self) -> list[int]:
        """The batch sizes that are used, rising."""
        return sorted(self.run_s) if self.batches else [min(self.run_s)]

    @cached_property
    def rows_per_s(self) -> float:
        """What all workers together can do."""
        return self.workers * max(self._rate(size) for size in self.sizes)

    @property
    def text(self) -> str:
        """The same in words.

        >>> Policy({1: 0.001, 32: 0.016}, workers=2).text
        'up to 32 rows together, 2.0 times the rows/s of 1'
        >>> Policy({1: 0.001, 32: 0.04}, workers=2).text
        'rows by 1, as more together give 0.8 times the rows/s'
        """
        if len(self.run_s) == 1:
            return f"rows by {min(self.run_s)}, the only batch size"
        if self.batches:
            return f"up to {max(self.sizes)} rows together, {self._words} of {min(self.sizes)}"
        return f"rows by {min(self.run_s)}, as more together give {self._words}"

    @cached_property
    def enough(self) -> int:
        """Rows from which on more together give hardly more rows a second.

        >>> Policy({1: 0.001, 8: 0.004, 32: 0.016}, workers=2).enough
        8
        """
        best = max(map(self._rate, self.sizes))
        return min(size for size in self.sizes if self._rate(size) * _NEAR >= best)

    @cached_property
    def most(self) -> int:
        """Rows that are run together at most, where no more than that wait for each worker.

        Twice what is enough: each run costs something beside its time in ONNX Runtime, but while
        one goes on, the rows of the next can come.

        >>> Policy({1: 0.001, 8: 0.004, 16: 0.008, 32: 0.016}, workers=2).most
        16
        """
        return max(size for size in self.sizes if size <= 2 * self.enough)

    def choose_size(self, waiting: int, free: int = 1) -> int:
        """The frozen batch size of the next run.

        The largest that is filled and near the best; a larger one, filled up, if it answers more
        rows a second. free: workers that can begin a run now; what waits is shared among them while
        each has enough, and among all where there is more than `most`.

        >>> policy = Policy({1: 0.001, 4: 0.002, 8: 0.004, 32: 0.016}, workers=2)
        >>> [policy.choose_size(waiting) for waiting in (1, 3, 9, 40)]
        [1, 4, 8, 8]
        >>> [policy.choose_size(waiting, free=2) for waiting in (8, 40)]
        [4, 8]
        """
        share = max(self.enough, -(-waiting // free))
        waiting = min(waiting, share, max(self.most, waiting // max(self.workers, 2)))
        filled = [size for size in self.sizes if size <= waiting] or self.sizes[:1]
        best = max(map(self._rate, filled))
        near = {size: _NEAR if size <= self.most else NOISE for size in filled}
        size = max(size for size in filled if self._rate(size) * near[size] >= best)
        above = [size for size in self.sizes if size > waiting]
        larger = min(above, key=self.run_s.__getitem__, default=size)
        is_better = waiting / self.run_s[larger] > self._rate(size) * NOISE
        return larger if is_better else size

    @cached_property
    def _gain(self) -> float:
        """Rows a second at the best larger batch size, in multiples of those at the smallest."""
        smallest, *larger = sorted(self.run_s)
        return max(map(self._rate, larger), default=0.0) / self._rate(smallest)

    @property
    def _words(self) -> str:
        return f"{self._gain:.1f} times the rows/s"

    def _rate(self, size: int) -> float:
        return size / self.run_s[size]


class Runner(Protocol):
    """What can be timed: a worker's session, or a part of one."""

    def run_batch(self, inputs: Sequence[NDArray[np.float32]]) -> object:
        """Run rows, as many as a frozen batch size."""


def measure_policy(sessions: Sequence[Session]) -> Policy:
    """Time runs of the golden cases at each batch size, on all workers' sessions at once."""
    cases = [item for item in sessions[0].golden_input() if item is not None]
    return measure_runs(sessions, cases, sessions[0].contract.batch_sizes)


def measure_runs(
    runners: Sequence[Runner], cases: Sequence[NDArray[np.float32]], sizes: Sequence[int]
) -> Policy:
    """Time runs at each batch size, one runner a worker, on all workers at once.

    cases: rows of each input, repeated as often as needed.
    """
    inputs = {size: [_repeat(item, size) for item in cases] for size in sizes}
    with ThreadPoolExecutor(len(runners)) as threads:
        times = list(threads.map(_time_runs, runners, [inputs] * len(runners)))
    run_s = {size: statistics.median(took[size] for took in times) for size in sizes}
    return Policy(run_s, len(runners))


def _repeat(rows: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return rows[np.arange(size) % len(rows)]


def _time_runs(runner: Runner, inputs: Mapping[int, list[NDArray[np.float32]]]) -> dict[int, float]:
    """Seconds of a run at each size, the mean of some.

    Of this thread's own time, in which the whole run happens: by the clock on the wall a busy
    machine would let long runs look worse than short ones. Measured over all of them, and from one
    step of that clock on, as some machines tell that time in steps longer than a run; and the sizes
    in turns, as a machine that slows down does so for all of them.
    """
    runs, took_s = dict.fromkeys(inputs, 0), dict.fromkeys(inputs, 0.0)
    for rows in inputs.values():
        runner.run_batch(rows)
    for turn in range(1, _TURNS + 1):
        for size, rows in inputs.items():
            before_s = time.thread_time()
            while (start_s := time.thread_time()) == before_s:
                runner.run_batch(rows)
            start_s -= took_s[size]
            while runs[size] < turn or took_s[size] < _MEASURE_S * turn / _TURNS:
                runner.run_batch(rows)
                runs[size] += 1
                took_s[size] = time.thread_time() - start_s
    return {size: took_s[size] / runs[size] for size in inputs}
