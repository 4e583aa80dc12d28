"""The requests of one model that wait, and how they are put together for runs.

All of it happens on the event loop; only `Run.work` is called by a worker's thread.
"""

import asyncio
import time
from collections.abc import Sequence
from itertools import chain

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from wearcast.serving.counts import Statistics, Took
from wearcast.serving.policy import Policy
from wearcast.serving.request import Outputs, Part, Request, Rows
from wearcast.serving.reuse import Encoded, Reuse
from wearcast.serving.run import Run
from wearcast.serving.session import Session
from wearcast.signals.errors import BusyError, DeadlineError

# ONNX Runtime's word for: say nothing by yourself. What went wrong is raised, and logged once.
_SILENT = 4
_SOONEST_S = 0.01
_NO_MINUTES = np.empty(0, np.float32)


class Batcher:
    """Requests of one model, in turn: each has less than two whole batches at a time.

    sessions: one a worker. reuse: likewise, where rows are run by halves, and come with what is
    known of their blocks. most_waiting: rows of calls that may wait; one request may have more.
    used_s: time of workers that this model has had, to be compared among models.
    """

    def __init__(
        self,
        sessions: Sequence[Session],
        policy: Policy,
        *,
        most_waiting: int,
        counts: Statistics | None = None,
        reuse: Sequence[Reuse] = (),
    ) -> None:
        self.sessions = sessions
        self.reuse = reuse
        self.contract = sessions[0].contract
        self.policy = policy
        self.counts = counts or Statistics()
        self.counts.policy = policy.text
        self.used_s = 0.0
        self._most_waiting = most_waiting
        # Several runs' rows: callers that have their answers at the same time ask again at the same
        # time, and until then the workers have nothing.
        self._turn = max(policy.sizes)
        # In the order of their turns; a dict, as those that end leave from anywhere.
        self._turns: dict[Request, None] = {}
        self._waiting = {True: 0, False: 0}  # rows, by is_call
        self._open: set[Request] = set()
        self._runs: set[Run] = set()

    @property
    def waiting(self) -> int:
        """Rows that are in no run yet, or in one that is ahead."""
        return self.unassigned + sum(part.stop - part.start for part in self._find_ahead())

    @property
    def unassigned(self) -> int:
        """Rows that are in no run yet."""
        return self._waiting[True] + self._waiting[False]

    @property
    def wants_run(self) -> bool:
        """Whether a run should begin now if a worker is free.

        Where rows gain from each other's company, a second run at the same time would only split
        them, unless there is enough for both, or they would be run one by one.
        """
        if not self.policy.batches or all(run.stopped for run in self._runs):
            return self.unassigned > 0
        return self.unassigned >= self.policy.enough or (
            self.unassigned > 1
            and self.policy.choose_size(self.unassigned) == min(self.policy.sizes)
        )

    @property
    def has_full_run(self) -> bool:
        """Whether the next run need not wait for others to join it."""
        return self.unassigned >= self.policy.most

    def admit(
        self,
        rows: Rows,
        minutes: NDArray[np.float32] | None,
        *,
        known: Sequence[Sequence[Encoded]] = (),
        deadline_s: float = np.inf,
        is_call: bool = True,
    ) -> Request:
        """Let rows wait for their run; with their minutes, if the model looks at the clock.

        known: of each row its blocks, where there is reuse. deadline_s: monotonic time by which the
        answer is wanted. is_call: not so for streams, whose rows are bounded by their inboxes.

        Raises:
            BusyError: too many rows wait already.
            DeadlineError: it is late already.
        """
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            self.counts.fail.add(0)
            raise DeadlineError
        waiting = self._count_calls() if is_call else 0
        if waiting and waiting + len(rows) > self._most_waiting:
            self.counts.rejected += 1
            raise BusyError(
                f"rows that wait: expected at most {self._most_waiting}, "
                f"got {waiting} and {len(rows)} more",
                retry_s=max(self.waiting / self.policy.rows_per_s, _SOONEST_S),
            )
        loop = asyncio.get_running_loop()
        request = Request(
            rows,
            _NO_MINUTES if minutes is None else minutes,
            known,
            loop.create_future(),
            is_call,
            deadline_s,
        )
        if left_s < np.inf:
            request.timer = loop.call_later(left_s, self._be_late, request)
        self._turns[request] = None
        self._waiting[is_call] += len(rows)
        self._open.add(request)
        return request

    def begin_run(self, free: int = 1) -> Run | None:
        """Take rows for the next run; None where all that waited was late.

        free: workers that could begin one.
        """
        now_s = time.monotonic()
        room = size = self.policy.choose_size(self.unassigned, free)
        run = Run(self, size, [], ort.RunOptions())
        run.options.log_severity_level = _SILENT
        while room and self._turns:
            request = next(iter(self._turns))
            if request.has_ended:  # its caller has just gone, and was not seen leaving yet
                self._forget(request, self.counts.cancel)
                continue
            if request.deadline_s <= now_s:
                self._be_late(request)
                continue
            count = min(room, request.waiting)
            if not request.taken:
                request.queue_ns = time.monotonic_ns() - request.came_ns
                self.counts.queue.add(request.queue_ns)
            run.parts.append(Part(request, request.taken, request.taken + count))
            request.taken += count
            self._waiting[request.is_call] -= count
            room -= count
            # Not past the end of its turn with these: it stays in front.
            if request.waiting and request.taken % self._turn >= count:
                continue
            del self._turns[request]
            if request.waiting:
                self._turns[request] = None
        if not run.parts:
            return None
        self._runs.add(run)
        return run

    def end_run(
        self, run: Run, outputs: list[NDArray[np.float32]] | None, error: Exception | None, ns: int
    ) -> None:
        """Give a run's outputs to its requests, or its error."""
        self._runs.discard(run)
        infer_ns, rows = ns - run.fill_ns, run.rows
        if outputs is not None:
            self.counts.batches.setdefault(rows, Took()).add(infer_ns)
            self.counts.last_ms = time.time_ns() // 1_000_000
        row = 0
        for request, start, stop in run.parts:
            first, row = row, row + stop - start
            if not start:
                request.queue_ns += run.late_ns
                self.counts.queue.ns += run.late_ns
            if request.has_ended:
                continue
            if outputs is None:
                name = f"{self.contract.name}/{self.contract.version}"
                failure = RuntimeError(f"a run of {name} failed: {error}")
                failure.__cause__ = error
                self._end(request, failure)
                continue
            begun_ns = time.monotonic_ns()
            request.batch_rows = max(request.batch_rows, rows)
            request.fill_ns += run.fill_ns
            request.infer_ns += infer_ns
            request.parts[start] = [output[first:row] for output in outputs]
            request.answered += stop - start
            if request.answered == len(request.rows):
                answer = self._join(request)
                self.counts.compute_output.add(time.monotonic_ns() - begun_ns)
                self._end(request, answer)

    def leave(self, request: Request) -> None:
        """Its caller is gone: free its place."""
        if not request.answer.cancel() and not request.answer.cancelled():
            request.answer.exception()  # nobody else will look at it
        self._forget(request, self.counts.cancel)

    async def finish(self) -> None:
        """Wait until all requests that are here now have ended."""
        if self._open:
            await asyncio.wait([request.answer for request in self._open])

    def _find_ahead(self) -> list[Part]:
        """What still has to be run of the runs that are ahead."""
        ahead = chain.from_iterable(run.parts for run in self._runs if run.is_ahead)
        return [part for part in ahead if not part.request.has_ended]

    def _count_calls(self) -> int:
        """The rows that wait, without those of streams."""
        ahead = [part for part in self._find_ahead() if part.request.is_call]
        return self._waiting[True] + sum(part.stop - part.start for part in ahead)

    def _be_late(self, request: Request) -> None:
        if not request.has_ended:
            self._end(request, DeadlineError())

    def _join(self, request: Request) -> Outputs:
        parts = [part for _, part in sorted(request.parts.items())]
        names = [output.name for output in self.contract.outputs]
        columns = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
        return dict(zip(names, columns, strict=True))

    def _end(self, request: Request, end: Outputs | Exception) -> None:
        if isinstance(end, Exception):
            request.answer.set_exception(end)
            self._forget(request, self.counts.fail)
        else:
            request.answer.set_result(end)
            self.counts.compute_input.add(request.fill_ns)
            self.counts.compute_infer.add(request.infer_ns)
            self._forget(request, self.counts.success)

    def _forget(self, request: Request, counter: Took) -> None:
        """Take a request that has ended out of everything, and stop the runs that it had alone."""
        if request not in self._open:
            return
        self._open.remove(request)
        counter.add(time.monotonic_ns() - request.came_ns)
        if request.timer is not None:
            request.timer.cancel()
        if request in self._turns:
            del self._turns[request]
            self._waiting[request.is_call] -= request.waiting
        for run in self._runs:
            if all(part.request.has_ended for part in run.parts):
                run.stop()
