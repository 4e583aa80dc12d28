"""Encoder and head of the tiny model: mean of |x| of a block, mean of that over the window."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper
from tiny import tiny_contract, write_sums

from wearcast.signals.contract import CONTRACT_KEY, Contract


def add_halves(
    folder: Path,
    contract: Contract | None = None,
    *,
    sizes: Sequence[int] | None = None,
    features: tuple[int, int] = (1, 1),
    stated: str | None = None,
    factor: float = 1.0,
) -> Path:
    """Write encoder-N.onnx and head-N.onnx beside the whole graphs, and give the folder.

    features: how many numbers the encoder gives of a block, all the same, and how many the head
    takes. stated: what the files say instead of the contract. factor: what the head's answer is off
    by.
    """
    contract = contract or tiny_contract()
    count = len(contract.channels)
    for size in sizes or contract.batch_sizes:
        _write(
            folder / f"encoder-{size}.onnx",
            [
                helper.make_node("Abs", ["snapshots"], ["size"]),
                helper.make_node("ReduceMean", ["size", "axes"], ["mean"], keepdims=0),
                helper.make_node("Unsqueeze", ["mean", "last"], ["one"]),
                helper.make_node("Expand", ["one", "shape"], ["features"]),
            ],
            ("snapshots", [size, count, contract.window]),
            ("features", [size, features[0]]),
            [
                helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2]),
                helper.make_tensor("last", TensorProto.INT64, [1], [1]),
                helper.make_tensor("shape", TensorProto.INT64, [2], [size, features[0]]),
            ],
            stated or contract.to_json(),
        )
        _write(
            folder / f"head-{size}.onnx",
            [
                helper.make_node("ReduceMean", ["features", "axes"], ["mean"], keepdims=0),
                helper.make_node("Min", ["mean", "one"], ["bounded"]),
                helper.make_node("Mul", ["bounded", "factor"], ["life_fraction"]),
            ],
            ("features", [size, contract.sequence, features[1]]),
            ("life_fraction", [size]),
            [
                helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2]),
                helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
                helper.make_tensor("factor", TensorProto.FLOAT, [], [factor]),
            ],
            stated or contract.to_json(),
        )
    write_sums(folder)
    return folder


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    takes: tuple[str, list[int]],
    gives: tuple[str, list[int]],
    constants: list[onnx.TensorProto],
    stated: str,
) -> None:
    graph = helper.make_graph(
        nodes,
        "half",
        [helper.make_tensor_value_info(takes[0], TensorProto.FLOAT, takes[1])],
        [helper.make_tensor_value_info(gives[0], TensorProto.FLOAT, gives[1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {CONTRACT_KEY: stated})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
