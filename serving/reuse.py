"""Exact reuse on a stream: what an encoder made of a block is kept until no window holds it.

known = Known(contract.sequence)
rows = [known.take(window.sequence) for window in windows]
outputs = reuse.run([window.values for window in windows], rows, size)
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from wearcast.serving.halves import Halves
from wearcast.serving.policy import NOISE, Policy, measure_runs
from wearcast.serving.session import Session

_NOTHING = np.empty(0, np.float32)


class Encoded:
    """What the encoder made of one block, float32 (features,); empty until it has.

    A worker fills it in. Two that run windows of one stream at the same time may both: with the
    same, within rounding.
    """

    __slots__ = ("features",)

    def __init__(self, features: NDArray[np.float32] = _NOTHING) -> None:
        self.features = features


class Known:
    """The blocks of a stream's newest window, never more."""

    def __init__(self, sequence: int) -> None:
        self._blocks: deque[Encoded] = deque(maxlen=sequence)
        self._newest = -1

    def take(self, sequence: int) -> tuple[Encoded, ...]:
        """The blocks of the window that ends with block number `sequence`, oldest first.

        Numbers rise from call to call. After a gap a window comes only once it holds none of the
        blocks before it, so numbers tell blocks apart.
        """
        fresh = min(sequence - self._newest, self._blocks.maxlen or 0)
        self._newest = sequence
        self._blocks.extend(Encoded() for _ in range(fresh))
        return tuple(self._blocks)


class Reuse:
    """A model's halves, on the thread that calls them; `encoder` says how it takes blocks."""

    def __init__(self, halves: Halves, encoder: Policy) -> None:
        self.halves = halves
        self._encoder = encoder

    def run(
        self,
        windows: Sequence[NDArray[np.float32]],
        known: Sequence[Sequence[Encoded]],
        size: int,
        options: ort.RunOptions | None = None,
    ) -> list[NDArray[np.float32]]:
        """Answer windows (sequence, channels, window); the outputs in the contract's order.

        known: of each window its blocks. size: a batch size that holds the windows; outputs have
        as many rows. options: as for `Session.run_batch`.
        """
        self._encode(windows, known, options)
        features = np.zeros((size, len(known[0]), self.halves.features), np.float32)
        rows = [block.features for blocks in known for block in blocks]
        np.concatenate(rows, out=features[: len(known)].reshape(-1))
        return self.halves.answer(features, options)

    def _encode(
        self,
        windows: Sequence[NDArray[np.float32]],
        known: Sequence[Sequence[Encoded]],
        options: ort.RunOptions | None,
    ) -> None:
        """Fill in what is not known yet, each block once."""
        fresh = {
            block: window[place]
            for window, blocks in zip(windows, known, strict=True)
            for place, block in enumerate(blocks)
            if not block.features.size
        }
        blocks, snapshots = list(fresh), list(fresh.values())
        while blocks:
            size = self._encoder.choose_size(len(blocks))
            some = np.zeros((size, *snapshots[0].shape), np.float32)
            for row, snapshot in zip(some, snapshots, strict=False):
                row[:] = snapshot
            features = self.halves.encode(some, options)
            for block, row in zip(blocks, features, strict=False):
                block.features = row.copy()  # not the other rows with it
            del blocks[:size], snapshots[:size]


@dataclass(frozen=True)
class Reusing:
    """Reuse that pays: one a worker, and how they take windows. times: rows/s of the whole."""

    workers: Sequence[Reuse]
    policy: Policy
    times: float

    @property
    def text(self) -> str:
        """The same in words."""
        return f"streams encode each block once, {self.times:.1f} times the windows/s"


def measure_reuse(sessions: Sequence[Session], whole: Policy) -> Reusing | None:
    """Time the halves as live streams run them, on all workers at once.

    None: there are none, or the whole graph, whose policy is given, is not slower.
    """
    halves = [opened for session in sessions if (opened := session.open_halves())]
    if not halves:
        return None
    contract = sessions[0].contract
    windows, _ = sessions[0].golden_input()
    encoder = measure_runs([_Encoding(it) for it in halves], [windows[:, -1]], contract.batch_sizes)
    workers = [Reuse(half, encoder) for half in halves]
    policy = measure_runs([_Following(it) for it in workers], [windows], contract.batch_sizes)
    times = policy.rows_per_s / whole.rows_per_s
    return Reusing(workers, policy, times) if times >= NOISE else None


class _Encoding:
    """Runs of an encoder alone."""

    def __init__(self, halves: Halves) -> None:
        self._halves = halves

    def run_batch(self, inputs: Sequence[NDArray[np.float32]]) -> object:
        return self._halves.encode(inputs[0])


class _Following:
    """Runs as live streams make them: of each window only the newest blocks are not known."""

    def __init__(self, reuse: Reuse) -> None:
        contract = reuse.halves.contract
        self._reuse = reuse
        every = round((contract.every_s or contract.hop_s) / contract.hop_s)
        self._fresh = min(every, contract.sequence)
        old = Encoded(np.zeros(reuse.halves.features, np.float32))
        self._old = [old] * (contract.sequence - self._fresh)

    def run_batch(self, inputs: Sequence[NDArray[np.float32]]) -> object:
        windows = inputs[0]
        known = [(*self._old, *(Encoded() for _ in range(self._fresh))) for _ in windows]
        return self._reuse.run(list(windows), known, len(windows))
