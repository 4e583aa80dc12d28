"""What an ONNX graph refers to outside itself; wearcast's models hold all they need.

Only the few fields are declared that lead to tensors; names and numbers are those of onnx.proto
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), which stay as they are for good.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from wearcast.signals.errors import ArtefactError

# Message -> field -> number and type of what it holds.
_FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    "ModelProto": {
        "graph": (7, "GraphProto"),
        "training_info": (20, "TrainingInfoProto"),
        "functions": (25, "FunctionProto"),
    },
    "TrainingInfoProto": {"initialization": (1, "GraphProto"), "algorithm": (2, "GraphProto")},
    "FunctionProto": {"node": (7, "NodeProto"), "attribute_proto": (11, "AttributeProto")},
    "GraphProto": {
        "node": (1, "NodeProto"),
        "initializer": (5, "TensorProto"),
        "sparse_initializer": (15, "SparseTensorProto"),
    },
    "NodeProto": {"attribute": (5, "AttributeProto")},
    "AttributeProto": {
        "t": (5, "TensorProto"),
        "g": (6, "GraphProto"),
        "tensors": (10, "TensorProto"),
        "graphs": (11, "GraphProto"),
        "sparse_tensor": (22, "SparseTensorProto"),
        "sparse_tensors": (23, "SparseTensorProto"),
    },
    "SparseTensorProto": {"values": (1, "TensorProto"), "indices": (2, "TensorProto")},
    "TensorProto": {"external_data": (13, "StringStringEntryProto"), "data_location": (14, "")},
    "StringStringEntryProto": {},
}
_EXTERNAL = 1


def check_self_contained(field: str, graph: bytes) -> None:
    """Let a graph pass that refers to no file.

    Raises:
        ArtefactError: it does, or is no ONNX graph.
    """
    model = _model_class()()
    try:
        model.ParseFromString(graph)
    except message.DecodeError as error:
        raise ArtefactError(field, "an ONNX graph", "something else") from error
    waiting: list[Any] = [model]
    while waiting:
        item = waiting.pop()
        for declared, value in item.ListFields():
            if declared.name == "external_data" or (
                declared.name == "data_location" and _EXTERNAL in value
            ):
                expected = "all data in the graph"
                raise ArtefactError(field, expected, "external data", reason="EXTERNAL_DATA")
            if declared.message_type is not None:
                waiting.extend(value)


@cache
def _model_class() -> Any:  # noqa: ANN401
    file = descriptor_pb2.FileDescriptorProto(name="onnx.proto", package="onnx", syntax="proto2")
    for name, fields in _FIELDS.items():
        declared = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            # All repeated: what is set twice would be merged otherwise, and is read in full so.
            added = declared.field.add(name=field, number=number, label=3, type=11)
            if kind:
                added.type_name = f".onnx.{kind}"
            else:
                added.type = 5
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("onnx.ModelProto"))
