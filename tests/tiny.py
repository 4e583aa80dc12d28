"""A real but tiny model folder, so that tests of serving and clients need no torch.

The life fraction it answers is the mean of |x| over the window, cut off at 1. So a block whose
values are all +-0.5 counts as half worn.
"""

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from wearcast.signals.contract import CONTRACT_KEY, Channel, Contract, Output, RulCalibration
from wearcast.signals.golden import Golden, golden_input
from wearcast.signals.series import Block

START_US = 1_700_000_000_000_000
HOP_US = 10_000_000


def tiny_contract(name: str = "tiny", version: int = 1) -> Contract:
    return Contract(
        name=name,
        version=version,
        kind="rul",
        channels=(Channel("h", "g"), Channel("v", "g")),
        sample_rate_hz=25600.0,
        window=64,
        hop_s=10.0,
        sequence=3,
        batch_sizes=(1, 4),
        outputs=(Output("life_fraction", "1"),),
        weights_sha256=hashlib.sha256(b"no weights").hexdigest(),
        rul=RulCalibration(
            prior_log_mean=9.0,
            prior_log_sd=0.6,
            line_points=20,
            fraction_sd=0.2,
            fraction_weight=0.5,
        ),
    )


def outputs_of(fraction: float) -> dict[str, NDArray[np.float32]]:
    """What the graph gives where it answers with a life fraction."""
    return {"life_fraction": np.array(fraction)}


def mean_abs_fraction(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the tiny model answers, in numpy: (rows, sequence, channels, window) -> (rows,)."""
    return np.minimum(np.abs(windows).mean(axis=(1, 2, 3)), 1.0).astype(np.float32)


def _write_graph(path: Path, contract: Contract, batch: int, stated: str, *, bounded: bool) -> None:
    shape = [batch, contract.sequence, len(contract.channels), contract.window]
    one = helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])
    axes = helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3])
    graph = helper.make_graph(
        [
            helper.make_node("Abs", ["blocks"], ["size"]),
            helper.make_node("ReduceMean", ["size", "axes"], ["mean"], keepdims=0),
            helper.make_node("Min", ["mean", "one"] if bounded else ["mean"], ["life_fraction"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("blocks", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("life_fraction", TensorProto.FLOAT, [batch])],
        [one, axes] if bounded else [axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {CONTRACT_KEY: stated})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS over every other file of the folder."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.name != "SHA256SUMS"
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))


def write_tiny_model(
    models_dir: Path,
    contract: Contract | None = None,
    *,
    bounded: bool = True,
    stated: str | None = None,
) -> Path:
    """Write MODELS_DIR/NAME/VERSION/ and give that folder.

    Not bounded: no cut-off at 1. `stated`: what the files say instead of the true contract.
    """
    contract = contract or tiny_contract()
    folder = models_dir / contract.name / str(contract.version)
    folder.mkdir(parents=True)
    for batch in contract.batch_sizes:
        _write_graph(
            folder / f"batch-{batch}.onnx",
            contract,
            batch,
            stated or contract.to_json(),
            bounded=bounded,
        )
    golden = Golden(seed=7, rows=3, center=(0.0, 0.0), scale=(0.5, 0.5), outputs={})
    windows, _ = golden_input(contract, golden)
    fractions = mean_abs_fraction(windows)
    golden = msgspec.structs.replace(golden, outputs={"life_fraction": fractions.tolist()})
    (folder / "golden.json").write_text(golden.to_json())
    write_sums(folder)
    return folder


def wearing_block(number: int, life: float, *, after_gap: bool = False) -> Block:
    """Block `number` of a machine whose life fraction grows evenly to 1 at block `life`."""
    noise = np.random.RandomState(number).uniform(-1, 1, (2, 64))
    values = noise / np.abs(noise).mean() * min(number / life, 1.0)
    return Block(
        sequence=number,
        start_us=START_US + number * HOP_US,
        sample_rate_hz=25600.0,
        values=values.astype(np.float32),
        after_gap=after_gap,
    )
