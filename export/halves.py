"""Encoder and head of a model that has them, as graphs of their own, so that servers can reuse.

Which models do: those of life fraction, which encode each snapshot and then look at the sequence.
All others take in the whole window at once: a spectrum over all blocks, or a linear map, recurrent
layer or detector on rows whose gaps are filled from each other.
"""

from pathlib import Path
from typing import TypeGuard

import torch
from torch import Tensor, nn

from wearcast.export.graph import write_onnx
from wearcast.export.parity import Array, Arrays, check_parity, run_frozen, run_onnx
from wearcast.signals.contract import CONTRACT_KEY, Contract
from wearcast.signals.halves import ENCODER, FEATURES, HEAD, SNAPSHOTS, TOLERANCE
from wearcast.training.rul.model import RulModel


class _Encoder(nn.Module):
    def __init__(self, model: RulModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, snapshots: Tensor) -> Tensor:
        return self.model.encode(snapshots)


class _Head(nn.Module):
    def __init__(self, model: RulModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> Tensor:
        return self.model.head(features)


def has_halves(model: nn.Module, contract: Contract) -> TypeGuard[RulModel]:
    """Whether two windows of a model can have features in common."""
    return isinstance(model, RulModel) and contract.sequence > 1


def write_halves(folder: Path, model: RulModel, contract: Contract, batch: int) -> None:
    """Write encoder and head at one batch size."""
    snapshots = torch.zeros(batch, len(contract.channels), contract.window)
    with torch.inference_mode():
        size = model.encode(snapshots[:1]).shape[1]
    features = torch.zeros(batch, contract.sequence, size)
    outputs = [output.name for output in contract.outputs]
    metadata = {CONTRACT_KEY: contract.to_json()}
    for half, example, path, takes, gives in (
        (_Encoder(model), snapshots, _encoder_path(folder, batch), [SNAPSHOTS], [FEATURES]),
        (_Head(model), features, _head_path(folder, batch), [FEATURES], outputs),
    ):
        write_onnx(half.eval(), (example,), path, inputs=takes, outputs=gives, metadata=metadata)


def check_halves(
    folder: Path, contract: Contract, batch: int, windows: Array, whole: Arrays
) -> None:
    """Compare what the halves answer to windows with the whole graph's answers.

    Raises:
        ArtefactError: an answer is off by more than `TOLERANCE`.
    """
    rows, sequence = windows.shape[:2]
    snapshots = windows.reshape(rows * sequence, *windows.shape[2:])
    (features,) = run_frozen(run_onnx(_encoder_path(folder, batch)), batch, (snapshots,))
    features = features.reshape(rows, sequence, -1)
    got = run_frozen(run_onnx(_head_path(folder, batch)), batch, (features,))
    for output, expected, answer in zip(contract.outputs, whole, got, strict=True):
        stage = f"{ENCODER}-{batch}.onnx and {HEAD}-{batch}.onnx: {output.name}"
        check_parity(stage, expected, answer, TOLERANCE)


def _encoder_path(folder: Path, batch: int) -> Path:
    return folder / f"{ENCODER}-{batch}.onnx"


def _head_path(folder: Path, batch: int) -> Path:
    return folder / f"{HEAD}-{batch}.onnx"
