"""Our interface file against the one that tritonclient was generated from: the same on the wire."""

import base64
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from tritons import Triton

from wearcast.inference import model_config_pb2, open_inference_pb2

# Triton's own, which serve what is not here.
LEFT_OUT = {
    "SystemSharedMemoryStatus",
    "SystemSharedMemoryRegister",
    "SystemSharedMemoryUnregister",
    "CudaSharedMemoryStatus",
    "CudaSharedMemoryRegister",
    "CudaSharedMemoryUnregister",
    "TraceSetting",
    "LogSettings",
}


def read_file(file: Any) -> FileDescriptorProto:
    return FileDescriptorProto.FromString(file.serialized_pb)


@pytest.fixture(scope="module")
def ours() -> list[FileDescriptorProto]:
    return [read_file(item.DESCRIPTOR) for item in (open_inference_pb2, model_config_pb2)]


@pytest.fixture(scope="module")
def theirs(drive: Triton) -> list[FileDescriptorProto]:
    texts = drive("descriptors", "nowhere")
    return [FileDescriptorProto.FromString(base64.b64decode(text)) for text in texts]


def list_parts(files: list[FileDescriptorProto]) -> dict[str, Any]:
    """Every message's fields and every enum's values, by their full names."""
    parts: dict[str, Any] = {}

    def visit(prefix: str, item: DescriptorProto) -> None:
        name = f"{prefix}.{item.name}"
        for field in item.field:
            parts[f"{name}.{field.name}"] = describe_field(item, field)
        for nested in item.nested_type:
            visit(name, nested)
        for enum in item.enum_type:
            visit_enum(name, enum)

    def visit_enum(prefix: str, item: EnumDescriptorProto) -> None:
        parts[f"{prefix}.{item.name}"] = {value.name: value.number for value in item.value}

    for file in files:
        assert (file.package, file.syntax) == ("inference", "proto3")
        for message in file.message_type:
            visit(file.package, message)
        for enum in file.enum_type:
            visit_enum(file.package, enum)
    return parts


def describe_field(message: DescriptorProto, field: FieldDescriptorProto) -> tuple[Any, ...]:
    oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
    kind = (field.type, field.type_name, field.label, field.options.packed)
    return (field.number, *kind, oneof, message.options.map_entry)


def list_methods(files: list[FileDescriptorProto]) -> dict[str, tuple[Any, ...]]:
    (service,) = (service for file in files for service in file.service)
    assert service.name == "GRPCInferenceService"
    return {
        method.name: (
            method.input_type,
            method.output_type,
            method.client_streaming,
            method.server_streaming,
        )
        for method in service.method
    }


def test_every_field_and_value_of_ours_is_theirs(
    ours: list[FileDescriptorProto], theirs: list[FileDescriptorProto]
) -> None:
    known = list_parts(theirs)
    parts = list_parts(ours)
    assert len(parts) > 120
    assert {name: known.get(name) for name in parts} == parts


def test_every_method_is_there_but_those_left_out(
    ours: list[FileDescriptorProto], theirs: list[FileDescriptorProto]
) -> None:
    methods, known = list_methods(ours), list_methods(theirs)
    assert known.keys() - methods.keys() == LEFT_OUT
    assert methods == {name: known[name] for name in methods}


@pytest.mark.parametrize(
    "name",
    ["ModelInferRequest", "ModelInferResponse", "ModelStreamInferResponse", "InferParameter",
     "InferTensorContents", "ModelMetadataResponse", "ServerMetadataResponse", "InferStatistics"],
)  # fmt: skip
def test_messages_that_clients_exchange_are_complete(
    name: str, ours: list[FileDescriptorProto], theirs: list[FileDescriptorProto]
) -> None:
    def fields(files: list[FileDescriptorProto]) -> set[str]:
        return {part for part in list_parts(files) if part.startswith(f"inference.{name}.")}

    assert fields(ours) == fields(theirs)
    assert fields(ours)
