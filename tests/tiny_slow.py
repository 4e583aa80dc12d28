"""A real model that answers like the tiny one, and runs as long as its input says.

It counts up to the largest |x| of the batch: a window of `ENDLESS` runs until it is told to stop.
A batch with a value of `BROKEN` makes the run fail.
"""

from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tiny import mean_abs_fraction, tiny_contract, write_sums

from wearcast.signals.contract import CONTRACT_KEY
from wearcast.signals.golden import Golden, golden_input

ENDLESS = 1e12
BROKEN = -1e6
SHAPE = (3, 2, 64)


def window_of(value: float) -> NDArray[np.float32]:
    """One row, (1, sequence, channels, window)."""
    return np.full((1, *SHAPE), value, np.float32)


def _graph(batch: int) -> onnx.GraphProto:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["still"]),
            helper.make_node("Abs", ["state"], ["next"]),
        ],
        "count",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, []),
        ],
    )
    return helper.make_graph(
        [
            helper.make_node("Abs", ["blocks"], ["size"]),
            helper.make_node("ReduceMean", ["size", "axes"], ["mean"], keepdims=0),
            helper.make_node("Min", ["mean", "one"], ["fraction"]),
            helper.make_node("ReduceMin", ["blocks"], ["lowest"], keepdims=0),
            helper.make_node("LessOrEqual", ["lowest", "broken"], ["is_broken"]),
            helper.make_node("Cast", ["is_broken"], ["place"], to=TensorProto.INT64),
            helper.make_node("Gather", ["zeros", "place"], ["zero"]),  # of one: fails at place 1
            helper.make_node("ReduceMax", ["size"], ["largest"], keepdims=0),
            helper.make_node("Cast", ["largest"], ["times"], to=TensorProto.INT64),
            helper.make_node("Loop", ["times", "yes", "zero"], ["counted"], body=body),
            helper.make_node("Add", ["fraction", "counted"], ["life_fraction"]),
        ],
        "slow",
        [helper.make_tensor_value_info("blocks", TensorProto.FLOAT, [batch, *SHAPE])],
        [helper.make_tensor_value_info("life_fraction", TensorProto.FLOAT, [batch])],
        [
            helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
            helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
            helper.make_tensor("broken", TensorProto.FLOAT, [], [BROKEN]),
            helper.make_tensor("zeros", TensorProto.FLOAT, [1], [0.0]),
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
        ],
    )


def write_slow_model(
    models_dir: Path, name: str = "slow", batch_sizes: tuple[int, ...] = (1, 4)
) -> Path:
    """Write MODELS_DIR/NAME/1/ and give that folder."""
    contract = msgspec.structs.replace(tiny_contract(name), batch_sizes=batch_sizes)
    folder = models_dir / name / "1"
    folder.mkdir(parents=True)
    for batch in batch_sizes:
        model = helper.make_model(
            _graph(batch), opset_imports=[helper.make_opsetid("", 18)], ir_version=10
        )
        helper.set_model_props(model, {CONTRACT_KEY: contract.to_json()})
        onnx.checker.check_model(model)
        (folder / f"batch-{batch}.onnx").write_bytes(model.SerializeToString())
    golden = Golden(seed=7, rows=3, center=(0.0, 0.0), scale=(0.5, 0.5), outputs={})
    windows, _ = golden_input(contract, golden)
    fractions = mean_abs_fraction(windows).tolist()
    golden = msgspec.structs.replace(golden, outputs={"life_fraction": fractions})
    (folder / "golden.json").write_text(golden.to_json())
    write_sums(folder)
    return folder
