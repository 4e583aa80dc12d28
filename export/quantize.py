"""INT8 graphs: large recurrent and dense layers with weights of 8 bits, the rest as it was.

What such a layer is given is rounded to 8 bits as well, in steps that fit the smallest and largest
value of the run ("dynamic quantisation"; Jacob et al., Quantization and training of neural networks
for efficient integer-arithmetic-only inference, 2018). Convolutions become ten times slower so, and
what prepares the readings would lose the small beside the large; both are left alone.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from wearcast.export.graph import quiet_exporter
from wearcast.signals.errors import ArtefactError

# Measured by benchmarks/int8.py: smaller ones gain nothing. Weights of an LSTM from state to state,
# and of a dense layer.
LEAST_RECURRENT = 16_384
LEAST_DENSE = 32_768
_DENSE = ("MatMul", "Gemm")
# ONNX Runtime has no GRU of 8 bits.
_RECURRENT = ("LSTM",)
_QUANTIZED = ("DynamicQuantizeLSTM", "MatMulInteger")


def quantize(source: Path, learned: Collection[str]) -> tuple[ModelProto, int]:
    """The graph in `source` with 8 bits in its large recurrent and dense layers, and their number.

    learned: names of the model's parameters. Matrices that hang on none stay as they are.

    Raises:
        ArtefactError: there is no such layer.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - 0.3 s

    proto = onnx.load(source)
    names = _prepare_layers(proto, set(learned))
    if not names:
        expected = (
            f"an LSTM of {LEAST_RECURRENT:,} weights or more from state to state, or a dense layer "
            f"of {LEAST_DENSE:,} or more"
        )
        raise ArtefactError("int8", expected, "no layer that would gain")
    target = source.with_suffix(".quantized")
    with quiet_exporter():  # "Please consider to run pre-processing", which is done
        quantize_dynamic(
            proto,
            target,
            op_types_to_quantize=["MatMul", *_RECURRENT],
            # A Gemm is made a MatMul of another name first.
            nodes_to_quantize=[*names, *(f"{name}_MatMul" for name in names)],
            per_channel=True,
            # Seven bits: with eight, sums overflow on processors without VNNI, and answers would
            # hang on the processor.
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
    made = onnx.load(target)
    target.unlink()
    layers = sum(node.op_type in _QUANTIZED for node in made.graph.node)
    if layers != len(names):
        raise ArtefactError("int8: layers", len(names), layers)
    return made, layers


def _prepare_layers(proto: ModelProto, learned: set[str]) -> list[str]:
    """Make the weights of layers that gain initializers of their own; the names of the layers.

    Exporters leave the order of an LSTM's gates to nodes of the graph, where the quantizer does not
    find the weights, and says nothing.
    """
    graph = proto.graph
    producers = {name: node for node in graph.node for name in node.output}
    constants = {item.name: item for item in graph.initializer}
    names = []
    for node in graph.node:
        if node.op_type not in (*_DENSE, *_RECURRENT):
            continue
        is_dense = node.op_type in _DENSE
        # Of an LSTM those for what comes in and those from state to state; the last one counts.
        places = (1,) if is_dense else (1, 2)
        least = LEAST_DENSE if is_dense else LEAST_RECURRENT
        origins = [_find_origins(node.input[place], producers, constants) for place in places]
        # Small weights lose their names in the exporter; an LSTM is learned anyway.
        if not all(origins) or (is_dense and learned.isdisjoint(origins[0])):
            continue
        values = [
            _compute(proto, node.input[place], found)
            for place, found in zip(places, origins, strict=True)
        ]
        if values[-1].size < least:
            continue
        for place, value in zip(places, values, strict=True):
            node.input[place] = f"{node.name}.weight_{place}"
            graph.initializer.append(numpy_helper.from_array(value, node.input[place]))
        names.append(node.name)
    _drop_unused(graph)
    return names


def _find_origins(
    name: str, producers: Mapping[str, NodeProto], constants: Collection[str]
) -> set[str]:
    """Names of all that something is computed from, itself too; none if inputs are among it."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        item = waiting.pop()
        found.add(item)
        if item in producers:
            waiting += [part for part in producers[item].input if part and part not in found]
        elif item not in constants:
            return set()
    return found


def _compute(proto: ModelProto, name: str, origins: set[str]) -> NDArray[np.float32]:
    """The value of something that hangs on initializers alone."""
    graph = helper.make_graph(
        [node for node in proto.graph.node if not origins.isdisjoint(node.output)],
        "weights",
        inputs=[],
        outputs=[helper.make_empty_tensor_value_info(name)],
        initializer=[item for item in proto.graph.initializer if item.name in origins],
    )
    model = helper.make_model(graph, opset_imports=proto.opset_import)
    (value,) = ReferenceEvaluator(model).run([name], {})
    return np.ascontiguousarray(value)


def _drop_unused(graph: GraphProto) -> None:
    """Take out nodes and initializers that nothing comes of."""
    used = {item.name for item in graph.output}
    for node in reversed(list(graph.node)):
        if used.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            used.update(_list_inputs(node))
    kept = [item for item in graph.initializer if item.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _list_inputs(node: NodeProto) -> Iterator[str]:
    """What a node needs, and what the graphs in it do."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from (item.name for item in graph.output)
            for inner in graph.node:
                yield from _list_inputs(inner)
