"""Frozen graphs of a model: ONNX and TorchScript, each at one fixed input shape.

torch's exporters write the paths of source files into what they make; they are taken out again.
"""

import logging
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning
from torch.onnx._internal.exporter._registration import ONNXRegistry

# The second one only where the contract has a time zone.
INPUTS = ("blocks", "minute_of_week")


def write_onnx(
    model: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    *,
    outputs: list[str],
    metadata: dict[str, str],
    inputs: Sequence[str] = INPUTS,
) -> None:
    """Write the ONNX graph of a model, for inputs of exactly the example's shapes."""
    with quiet_exporter(), _one_table_of_operators():
        program = torch.onnx.export(
            model,
            example,
            input_names=inputs[: len(example)],
            output_names=outputs,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    proto = program.model_proto
    graph = proto.graph
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        part.ClearField("metadata_props")
    save_graph(proto, path, metadata)


def save_graph(proto: onnx.ModelProto, path: Path, metadata: dict[str, str]) -> None:
    """Write a graph with this metadata and no other."""
    proto.ClearField("metadata_props")
    onnx.helper.set_model_props(proto, metadata)
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def write_torchscript(model: nn.Module, example: tuple[Tensor, ...], path: Path) -> None:
    """Write a traced and frozen TorchScript of a model, for inputs of the example's shapes."""
    whole = path.with_suffix(".whole")
    with quiet_exporter():
        traced = torch.jit.trace(model, example, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.freeze(traced).save(str(whole))
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                target.writestr(entry, source.read(entry))
    whole.unlink()


def load_torchscript(path: Path) -> nn.Module:
    """The module in a TorchScript file."""
    with quiet_exporter():
        module: nn.Module = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    return module


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Hide what exporters say of their own insides."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # "torchvision is not installed"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=TracerWarning)
            for text in (
                r"`torch\.jit\.\w+` is deprecated",
                r"The tensor attributes? .* assigned during export",
                r".*LeafSpec.* is deprecated",
            ):
                warnings.filterwarnings("ignore", message=text)
            yield
    finally:
        logging.disable(level)


_read_table = cache(ONNXRegistry.from_torchlib)


@contextmanager
def _one_table_of_operators() -> Iterator[None]:
    """Have the table of operators, which torch compiles for each graph anew, compiled once.

    It is no public name of torch, whose version is pinned; graphs stay the same to the byte.
    """
    own = ONNXRegistry.__dict__["from_torchlib"]
    ONNXRegistry.from_torchlib = staticmethod(_read_table)  # type: ignore[method-assign]
    try:
        yield
    finally:
        ONNXRegistry.from_torchlib = own  # type: ignore[method-assign]
