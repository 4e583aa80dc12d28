"""The model folder: what export hands to serving, `NAME/VERSION/` with everything in it.

batch-N.onnx         the graph at each batch size, with the contract in its metadata
batch-N.torchscript  the same for those who run torch
weights.pth          the checkpoint it was made of
golden.json          recipe of a few windows, and the answers to them
SHA256SUMS           of every other file
"""

import re
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wearcast.export.graph import write_onnx, write_torchscript
from wearcast.export.parity import (
    check_parity,
    make_cases,
    run_frozen,
    run_onnx,
    run_torch,
    run_torchscript,
)
from wearcast.signals.contract import CONTRACT_KEY, Channel, Contract, Output
from wearcast.signals.errors import ArtefactError, InputError
from wearcast.signals.golden import Golden, golden_input
from wearcast.training.checkpoint import Checkpoint, hash_file, load_checkpoint
from wearcast.training.rul.model import RulModel

LIFE_FRACTION = Output(name="life_fraction", unit="1")
# Of the output's scale; a life fraction runs from 0 to 1.
TOLERANCE = 1e-4
_GOLDEN_ROWS = 4
_GOLDEN_SCALE_G = 4.0


@dataclass(frozen=True)
class Exported:
    """A finished model folder; `largest_difference` is the worst that any runtime was off by."""

    folder: Path
    contract: Contract
    largest_difference: float


def export_checkpoint(
    pth: Path, name: str, out_dir: Path, batches: Sequence[int], version: int | None = None
) -> Exported:
    """Make `out_dir/name/version/` from a checkpoint, the next free version if none is given.

    The folder appears whole or not at all, and an existing version is never touched.

    Raises:
        InputError: no name for a folder, or no batch size.
        ArtefactError: the checkpoint is damaged or foreign, the version is taken, or the graphs do
            not answer as the model does.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", name):
        raise InputError("name", "up to 100 of a-z, 0-9, '.', '_', '-', no sign first", name)
    if not batches or min(batches) < 1:
        raise InputError("batch", "one size or more, each 1 or more", list(batches))
    checkpoint = load_checkpoint(pth)
    model = checkpoint.build_model()
    version = version or next_version(out_dir / name)
    target = out_dir / name / str(version)
    if target.exists():
        raise ArtefactError("version", "one that is free", f"{version}, and {target} exists")
    contract = _make_contract(checkpoint, name, version, batches, hash_file(pth))

    made = [path for path in (target.parent, out_dir) if not path.exists()]
    out_dir.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=out_dir, prefix=f".{name}-") as temporary:
            folder = Path(temporary) / "folder"
            folder.mkdir()
            shutil.copyfile(pth, folder / "weights.pth")
            difference = _write_graphs(folder, model, contract)
            _write_sums(folder)
            target.parent.mkdir(exist_ok=True)
            folder.rename(target)
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.rmdir()
        raise
    return Exported(target, contract, difference)


def next_version(model_dir: Path) -> int:
    """One more than the highest version in a model's folder."""
    taken = [int(path.name) for path in model_dir.glob("*") if path.name.isdecimal()]
    return max(taken, default=0) + 1


def _make_contract(
    checkpoint: Checkpoint, name: str, version: int, batches: Sequence[int], weights_sha256: str
) -> Contract:
    return Contract(
        name=name,
        version=version,
        kind="rul",
        channels=tuple(Channel(channel, unit) for channel, unit in checkpoint.channels),
        sample_rate_hz=checkpoint.sample_rate_hz,
        window=checkpoint.window,
        hop_s=checkpoint.hop_s,
        sequence=checkpoint.sequence,
        batch_sizes=tuple(sorted(set(batches))),
        outputs=(LIFE_FRACTION,),
        tolerance=TOLERANCE,
        weights_sha256=weights_sha256,
        rul=checkpoint.rul,
        training={"architecture": checkpoint.architecture, **checkpoint.training},
    )


def _write_graphs(folder: Path, model: RulModel, contract: Contract) -> float:
    """Write graphs and golden cases; give the largest difference from the model's answers."""
    shape = (contract.sequence, len(contract.channels), contract.window)
    golden = Golden(seed=0, rows=_GOLDEN_ROWS, scale=_GOLDEN_SCALE_G, outputs={})
    cases = np.concatenate([golden_input(contract, golden), make_cases(shape)])
    try:
        expected = run_frozen(run_torch(model), 1, cases)
    except RuntimeError as error:
        raise ArtefactError("model", f"to take windows of shape {shape}", error) from error
    fractions = (expected >= 0) & (expected <= 1)
    if not fractions.all():
        raise ArtefactError("model: life_fraction", "0 to 1", expected[~fractions][0])

    largest = 0.0
    for batch in contract.batch_sizes:
        onnx_path = folder / f"batch-{batch}.onnx"
        script_path = folder / f"batch-{batch}.torchscript"
        example = torch.zeros(batch, *shape)
        metadata = {CONTRACT_KEY: contract.to_json()}
        outputs = [output.name for output in contract.outputs]
        write_onnx(model, example, onnx_path, outputs=outputs, metadata=metadata)
        write_torchscript(model, example, script_path)
        for path, runtime in (
            (onnx_path, run_onnx(onnx_path)),
            (script_path, run_torchscript(script_path)),
        ):
            got = run_frozen(runtime, batch, cases)
            check_parity(path.name, expected, got, contract.tolerance)
            largest = max(largest, float(np.abs(got - expected).max()))

    answers = {LIFE_FRACTION.name: expected[:_GOLDEN_ROWS].tolist()}
    golden = Golden(golden.seed, golden.rows, golden.scale, answers)
    (folder / "golden.json").write_text(golden.to_json() + "\n", encoding="utf-8")
    return largest


def _write_sums(folder: Path) -> None:
    lines = [f"{hash_file(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
