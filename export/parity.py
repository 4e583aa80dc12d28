"""Whether the exported graphs answer as the model does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from wearcast.export.graph import INPUT, load_torchscript
from wearcast.signals.errors import ArtefactError

Array = NDArray[np.float32]
Runtime = Callable[[Array], Array]


def make_cases(shape: tuple[int, int, int], seed: int = 1) -> Array:
    """Windows float32 (rows, sequence, channels, window) that are hard to agree on.

    Noise from 0.001 to 1,000 g, nothing at all, a constant, a dead channel, and single spikes.
    """
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(shape)
    dead = noise.copy()
    dead[:, 0] = 0.0
    spikes = np.zeros(shape)
    spikes[:, :, shape[2] // 2] = 50.0
    cases = [noise * 0.001, noise, noise * 1000.0, noise * 0.0, noise * 0.0 + 1.0, dead, spikes]
    return np.stack(cases).astype(np.float32)


def run_torch(model: nn.Module) -> Runtime:
    """The model itself, or a TorchScript of it, on arrays."""

    def answer(blocks: Array) -> Array:
        with torch.inference_mode():
            result: Array = model(torch.from_numpy(blocks)).numpy()
        return result

    return answer


def run_torchscript(path: Path) -> Runtime:
    """A TorchScript file, on arrays."""
    return run_torch(load_torchscript(path))


def run_onnx(path: Path) -> Runtime:
    """An ONNX file in ONNX Runtime with one thread, on arrays."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def answer(blocks: Array) -> Array:
        result: Array = session.run(None, {INPUT: blocks})[0]
        return result

    return answer


def run_frozen(runtime: Runtime, batch: int, cases: Array) -> Array:
    """Answers (rows,) of a runtime that takes exactly `batch` windows at once.

    Every run is filled up with the cases that come next, so most rows have neighbours.
    """
    answers = []
    for start in range(0, len(cases), batch):
        rows = np.arange(start, start + batch) % len(cases)
        answers.append(runtime(np.ascontiguousarray(cases[rows])))
    return np.concatenate(answers)[: len(cases)]


def check_parity(stage: str, expected: Array, got: Array, tolerance: float) -> None:
    """Compare answers, row by row.

    Raises:
        ArtefactError: the shapes differ, or an answer is not finite or off by more than tolerance.
    """
    if got.shape != expected.shape:
        raise ArtefactError(f"{stage}: shape of the output", expected.shape, got.shape)
    # Written so that NaN, which is not within anything, fails too.
    off = ~(np.abs(got.astype(np.float64) - expected) <= tolerance)
    if off.any():
        row = int(np.argmax(off.reshape(len(off), -1).any(axis=1)))
        wanted = f"{expected[row]} within {tolerance}"
        raise ArtefactError(f"{stage}: output of case {row}", wanted, got[row])
