"""The model folder: what export hands to serving, `NAME/VERSION/` with everything in it.

batch-N.onnx         the graph at each batch size, with the contract in its metadata
batch-N.torchscript  the same for those who run torch; not where the graph is INT8
encoder-N.onnx       where the model has two halves: what looks at each block of a window alone,
head-N.onnx          and what looks at all of them then; see `wearcast.signals.halves`
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

import msgspec
import numpy as np
import torch
from torch import nn

from wearcast.export.graph import write_onnx, write_torchscript
from wearcast.export.halves import check_halves, has_halves, write_halves
from wearcast.export.int8 import BATCHES as INT8_BATCHES
from wearcast.export.int8 import Int8, make_int8
from wearcast.export.parity import (
    Arrays,
    check_parity,
    make_cases,
    run_frozen,
    run_onnx,
    run_torch,
    run_torchscript,
)
from wearcast.signals.contract import CONTRACT_KEY, LIFE_FRACTION, Channel, Contract
from wearcast.signals.errors import ArtefactError, InputError
from wearcast.signals.golden import Golden, golden_input
from wearcast.training.checkpoint import Checkpoint, hash_file, load_checkpoint

_GOLDEN_ROWS = 4


@dataclass(frozen=True)
class Exported:
    """A finished model folder; `largest_difference` is the worst that any runtime was off by.

    That is at whole precision; the contract says how far INT8 is off.
    """

    folder: Path
    contract: Contract
    largest_difference: float


def export_checkpoint(
    pth: Path,
    name: str,
    out_dir: Path,
    batches: Sequence[int],
    version: int | None = None,
    *,
    int8: Int8 | None = None,
) -> Exported:
    """Make `out_dir/name/version/` from a checkpoint, the next free version if none is given.

    The folder appears whole or not at all, and an existing version is never touched.

    int8: makes large recurrent and dense layers INT8, at batch 1.

    Raises:
        InputError: no name for a folder, no batch size, or one that INT8 is not made for.
        ArtefactError: the checkpoint is damaged or foreign, the version is taken, or the graphs do
            not answer as the model does, or INT8 not nearly so.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", name):
        raise InputError("name", "up to 100 of a-z, 0-9, '.', '_', '-', no sign first", name)
    if not batches or min(batches) < 1:
        raise InputError("batch", "one size or more, each 1 or more", list(batches))
    if int8 is not None:
        if set(batches) != set(INT8_BATCHES):
            expected = "1 with INT8: rows beside a row would change its answer"
            raise InputError("batch", expected, ", ".join(map(str, batches)))
        if not int8.bar > 0:
            raise InputError("bar", "a number above 0", int8.bar)
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
            golden = Golden(0, _GOLDEN_ROWS, checkpoint.center, checkpoint.scale, {})
            difference = _write_graphs(folder, model, contract, golden)
            if int8 is not None:
                learned = [name for name, _ in model.named_parameters()]
                contract = make_int8(folder, contract, golden, learned, int8)
                hard = make_cases(contract, golden)
                _check_answers(contract, run_frozen(run_onnx(folder / "batch-1.onnx"), 1, hard))
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
        kind=checkpoint.kind,
        channels=tuple(Channel(channel, unit) for channel, unit in checkpoint.channels),
        sample_rate_hz=checkpoint.sample_rate_hz,
        window=checkpoint.window,
        hop_s=checkpoint.hop_s,
        sequence=checkpoint.sequence,
        batch_sizes=tuple(sorted(set(batches))),
        outputs=checkpoint.outputs,
        weights_sha256=weights_sha256,
        time_zone=checkpoint.time_zone,
        every_s=checkpoint.every_s,
        missing=checkpoint.missing,
        partial=checkpoint.partial,
        rul=checkpoint.rul,
        forecast=checkpoint.forecast,
        outlier=checkpoint.outlier,
        fault=checkpoint.fault,
        training={"architecture": checkpoint.architecture, **checkpoint.training},
    )


def _write_graphs(folder: Path, model: nn.Module, contract: Contract, golden: Golden) -> float:
    """Write graphs and golden cases; give the largest difference from the model's answers."""
    windows, minutes = golden_input(contract, golden)
    golden_cases = (windows,) if minutes is None else (windows, minutes)
    hard_cases = make_cases(contract, golden)
    cases = tuple(map(np.concatenate, zip(golden_cases, hard_cases, strict=True)))
    try:
        expected = run_frozen(run_torch(model), 1, cases)
    except RuntimeError as error:
        wanted = f"to take windows of shape {windows.shape[1:]}"
        raise ArtefactError("model", wanted, error) from error
    _check_answers(contract, expected)

    largest = 0.0
    for batch in contract.batch_sizes:
        onnx_path = folder / f"batch-{batch}.onnx"
        script_path = folder / f"batch-{batch}.torchscript"
        example = tuple(torch.zeros(batch, *part.shape[1:]) for part in cases)
        metadata = {CONTRACT_KEY: contract.to_json()}
        outputs = [output.name for output in contract.outputs]
        write_onnx(model, example, onnx_path, outputs=outputs, metadata=metadata)
        write_torchscript(model, example, script_path)
        for path, runtime in (
            (onnx_path, run_onnx(onnx_path)),
            (script_path, run_torchscript(script_path)),
        ):
            got = run_frozen(runtime, batch, cases)
            for output, answer, other in zip(contract.outputs, expected, got, strict=True):
                check_parity(f"{path.name}: {output.name}", answer, other, output.tolerance)
                largest = max(largest, float(np.abs(other - answer)[:_GOLDEN_ROWS].max()))
        if has_halves(model, contract):
            write_halves(folder, model, contract, batch)
            whole = run_frozen(run_onnx(onnx_path), batch, cases)
            check_halves(folder, contract, batch, cases[0], whole)

    answers = {
        output.name: part[:_GOLDEN_ROWS].tolist()
        for output, part in zip(contract.outputs, expected, strict=True)
    }
    golden = msgspec.structs.replace(golden, outputs=answers)
    (folder / "golden.json").write_text(golden.to_json() + "\n", encoding="utf-8")
    return largest


def _check_answers(contract: Contract, answers: Arrays) -> None:
    """What the model answers is what its contract says, also to hard cases."""
    if len(answers) != len(contract.outputs):
        raise ArtefactError("model: outputs", len(contract.outputs), len(answers))
    for output, part in zip(contract.outputs, answers, strict=True):
        if part.shape[1:] != output.shape:
            raise ArtefactError(f"model: {output.name}", f"shape {output.shape}", part.shape[1:])
        if output.name == LIFE_FRACTION.name:
            good, expected = (part >= 0) & (part <= 1), "0 to 1"
        else:
            good, expected = np.isfinite(part), "finite numbers"
        if not good.all():
            raise ArtefactError(f"model: {output.name}", expected, part[~good][0])


def _write_sums(folder: Path) -> None:
    lines = [f"{hash_file(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
