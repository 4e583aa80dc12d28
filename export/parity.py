"""Whether the exported graphs answer as the model does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from wearcast.export.graph import load_torchscript
from wearcast.signals.contract import Contract
from wearcast.signals.errors import ArtefactError
from wearcast.signals.golden import Golden

Array = NDArray[np.float32]
# Windows and, where the contract has a time zone, their minutes of the week; rows at the same place
# belong together. Answers are one array for each output.
Arrays = tuple[Array, ...]
Runtime = Callable[[Arrays], Arrays]
# Of an answer's own size, beside the tolerance: float32 keeps seven digits.
_RELATIVE = 1e-5
_WEEK_MIN = 10_080


def make_cases(contract: Contract, golden: Golden, seed: int = 1) -> Arrays:
    """Windows float32 (rows, sequence, channels, window) that are hard to agree on, and times.

    Noise of a thousandth to a thousand times the channels' spread, nothing at all, a constant, a
    dead channel, and single spikes; where readings may be missing, also windows without any, and
    without the newest.
    """
    rng = np.random.default_rng(seed)
    shape = (contract.sequence, len(contract.channels), contract.window)
    noise = rng.standard_normal(shape)
    dead = noise.copy()
    dead[:, 0] = 0.0
    spikes = np.zeros(shape)
    spikes[shape[0] // 2, :, shape[2] // 2] = 12.0
    cases = [noise * 0.001, noise, noise * 1000.0, noise * 0.0, noise * 0.0 + 1.0, dead, spikes]
    if contract.missing:
        newest = noise.copy()
        newest[-1] = np.nan
        cases += [np.full(shape, np.nan), newest, np.where(noise > 0, noise, np.nan)]
    center, scale = (np.asarray(part)[:, None] for part in (golden.center, golden.scale))
    windows = (center + scale * np.stack(cases)).astype(np.float32)
    if contract.time_zone is None:
        return (windows,)
    return windows, rng.integers(0, _WEEK_MIN, len(windows)).astype(np.float32)


def run_torch(model: nn.Module) -> Runtime:
    """The model itself, or a TorchScript of it, on arrays."""

    def answer(inputs: Arrays) -> Arrays:
        with torch.inference_mode():
            outputs = model(*map(torch.from_numpy, inputs))
        return tuple(item.numpy() for item in outputs) if isinstance(outputs, tuple) else (
            outputs.numpy(),
        )  # fmt: skip

    return answer


def run_torchscript(path: Path) -> Runtime:
    """A TorchScript file, on arrays."""
    return run_torch(load_torchscript(path))


def run_onnx(path: Path) -> Runtime:
    """An ONNX file in ONNX Runtime with one thread, on arrays."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]

    def answer(inputs: Arrays) -> Arrays:
        return tuple(session.run(None, dict(zip(names, inputs, strict=True))))

    return answer


def run_frozen(runtime: Runtime, batch: int, cases: Arrays) -> Arrays:
    """Answers (rows, ...) of a runtime that takes exactly `batch` windows at once.

    Every run is filled up with the cases that come next, so most rows have neighbours.
    """
    count = len(cases[0])
    answers = []
    for start in range(0, count, batch):
        rows = np.arange(start, start + batch) % count
        answers.append(runtime(tuple(np.ascontiguousarray(part[rows]) for part in cases)))
    return tuple(np.concatenate(parts)[:count] for parts in zip(*answers, strict=True))


def check_parity(stage: str, expected: Array, got: Array, tolerance: float) -> None:
    """Compare the answers of one output, row by row.

    Raises:
        ArtefactError: the shapes differ, or an answer is not finite or off by more than tolerance.
    """
    if got.shape != expected.shape:
        raise ArtefactError(f"{stage}: shape of the output", expected.shape, got.shape)
    # Written so that NaN, which is not within anything, fails too.
    bar = tolerance + _RELATIVE * np.abs(expected.astype(np.float64))
    off = ~(np.abs(got.astype(np.float64) - expected) <= bar)
    if off.any():
        row = int(np.argmax(off.reshape(len(off), -1).any(axis=1)))
        wanted = f"{expected[row]} within {tolerance}"
        raise ArtefactError(f"{stage}: output of case {row}", wanted, got[row])
