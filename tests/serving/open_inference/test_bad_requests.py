"""What the protocol does not allow, or the model does not take: refused, by field."""

from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest
from grpc import StatusCode
from infer_requests import TIMEOUT_S, WINDOWS, raw, tensor, typed
from wire import failure

from wearcast.inference import open_inference_pb2 as pb
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub


def with_value(value: float) -> pb.ModelInferRequest:
    windows = WINDOWS.copy()
    windows[4, 2, 1, 63] = value
    return raw("tiny", blocks=windows)


def forecast(minutes: list[float], rows: int = 2, value: float = 1.0) -> pb.ModelInferRequest:
    windows = np.full((rows, 3, 2, 1), value, np.float32)
    return raw("tiny-forecast", blocks=windows, minute_of_week=np.array(minutes, np.float32))


def changed(change: Callable[[pb.ModelInferRequest], object]) -> pb.ModelInferRequest:
    request = raw("tiny", blocks=WINDOWS)
    change(request)
    return request


def mixed() -> pb.ModelInferRequest:
    request = typed("tiny", blocks=WINDOWS)
    request.raw_input_contents.append(WINDOWS.tobytes())
    return request


def wanting(name: str, parameter: str = "") -> pb.ModelInferRequest:
    request = raw("tiny", blocks=WINDOWS)
    output = request.outputs.add(name=name)
    if parameter:
        output.parameters[parameter].int64_param = 1
    return request


def with_parameter(name: str, **value: Any) -> pb.ModelInferRequest:
    request = raw("tiny", blocks=WINDOWS)
    request.parameters[name].CopyFrom(pb.InferParameter(**value))
    return request


def other_contents() -> pb.ModelInferRequest:
    contents = pb.InferTensorContents(fp64_contents=WINDOWS.ravel())
    return pb.ModelInferRequest(
        model_name="tiny", inputs=[tensor("blocks", WINDOWS, contents=contents)]
    )


def half_typed() -> pb.ModelInferRequest:
    request = typed("tiny-forecast", blocks=np.zeros((1, 3, 2, 1), np.float32))
    request.inputs.append(tensor("minute_of_week", np.zeros(1)))
    return request


BAD: dict[str, tuple[pb.ModelInferRequest, str, str]] = {
    "mixed": (mixed(), "inputs[0].contents", "expected nothing beside raw_input_contents"),
    "too few raw": (
        changed(lambda request: request.inputs.add(name="minute_of_week")),
        "raw_input_contents", "expected 2, one for each input, got 1",
    ),
    "too many raw": (
        changed(lambda request: request.raw_input_contents.append(b"")),
        "raw_input_contents", "expected 1, one for each input, got 2",
    ),
    "no elements": (
        changed(lambda request: request.ClearField("raw_input_contents")),
        "inputs[0].contents", "expected 1920 elements (7680 bytes) for inputs[0], got 0",
    ),
    "half of the inputs typed": (half_typed(), "inputs[1].contents", "expected 1 elements"),
    "fewer bytes": (
        raw("tiny", blocks=WINDOWS[:4], change={"shape": WINDOWS.shape}),
        "raw_input_contents", "expected 1920 elements (7680 bytes) for inputs[0], got 1536",
    ),
    "half an element": (
        changed(lambda request: request.raw_input_contents.__setitem__(0, bytes(7682))),
        "raw_input_contents", "whole elements of 4 bytes for inputs[0], got 7682 bytes",
    ),
    "another type": (
        raw("tiny", blocks=WINDOWS, change={"datatype": "FP64"}),
        "inputs[0].datatype", "expected FP32, got 'FP64'",
    ),
    "bytes": (
        raw("tiny", blocks=WINDOWS, change={"datatype": "BYTES"}),
        "inputs[0].datatype", "expected FP32, got 'BYTES'",
    ),
    "no type": (
        raw("tiny", blocks=WINDOWS, change={"datatype": ""}),
        "inputs[0].datatype", "expected FP32, got ''",
    ),
    "elements of another type": (other_contents(), "inputs[0].contents", "only fp32_contents"),
    "another shape": (
        raw("tiny", blocks=WINDOWS, change={"shape": [5, 3, 64, 2]}),
        "inputs[0].shape", "expected [-1, 3, 2, 64], where -1 is 1 or more, got [5, 3, 64, 2]",
    ),
    "fewer dimensions": (
        raw("tiny", blocks=WINDOWS, change={"shape": [5, 384]}),
        "inputs[0].shape", "got [5, 384]",
    ),
    "very many dimensions": (
        raw("tiny", blocks=WINDOWS, change={"shape": [5] * 100_000}),
        "inputs[0].shape", "got [5, 5, 5, 5, 5, 5, 5, 5] and 99992 more",
    ),
    "no shape": (
        raw("tiny", blocks=WINDOWS, change={"shape": []}), "inputs[0].shape", "got []",
    ),
    "no rows": (raw("tiny", blocks=WINDOWS[:0]), "inputs[0].shape", "got [0, 3, 2, 64]"),
    "rows below zero": (
        raw("tiny", blocks=WINDOWS, change={"shape": [-1, 3, 2, 64]}),
        "inputs[0].shape", "got [-1, 3, 2, 64]",
    ),
    "more rows than anybody has": (
        raw("tiny", blocks=WINDOWS, change={"shape": [2**62, 3, 2, 64]}),
        "raw_input_contents", f"expected {2**62 * 384} elements",
    ),
    "unknown input": (
        raw("tiny", blocks=WINDOWS, change={"name": "x" * 10_000}),
        "inputs[0].name", f"expected one of blocks, got '{'x' * 40}'",
    ),
    "an input twice": (
        changed(
            lambda request: (
                request.inputs.append(request.inputs[0]),
                request.raw_input_contents.append(request.raw_input_contents[0]),
            )
        ),
        "inputs[1].name", "expected each name once, got blocks again",
    ),
    "no inputs": (pb.ModelInferRequest(model_name="tiny"), "inputs", "expected blocks, got no"),
    "no clock": (
        raw("tiny-forecast", blocks=np.zeros((1, 3, 2, 1))),
        "inputs", "expected blocks, minute_of_week, got no minute_of_week",
    ),
    "rows that don't fit together": (
        forecast([1, 2, 3]), "inputs", "expected 2 rows in minute_of_week, as in blocks, got 3",
    ),
    "NaN": (with_value(np.nan), "blocks[4, 2, v, 63]", "expected a finite number, got nan"),
    "infinity": (with_value(-np.inf), "blocks[4, 2, v, 63]", "a finite number, got -inf"),
    "infinity where readings may be missing": (
        forecast([1, 2], value=np.inf),
        "blocks[0, 0, flow, 0]", "expected a finite number, or NaN for none, got inf",
    ),
    "a minute too late": (
        forecast([1, 10_080]), "minute_of_week[1]", "from 0 to below 10080, got 10080.0",
    ),
    "a minute too early": (forecast([-1, 1]), "minute_of_week[0]", "got -1.0"),
    "no minute": (forecast([1, np.nan]), "minute_of_week[1]", "got nan"),
    "unknown output": (
        wanting("rul"), "outputs[0].name", "expected one of life_fraction, got 'rul'",
    ),
    "an output twice": (
        changed(lambda request: request.outputs.extend([wanting("life_fraction").outputs[0]] * 2)),
        "outputs[1].name", "expected each name once, got life_fraction again",
    ),
    "classes": (
        wanting("life_fraction", "classification"),
        "outputs[0].parameters", "expected an answer as raw elements, got classification",
    ),
    "an answer in shared memory": (
        wanting("life_fraction", "shared_memory_region"), "outputs[0].parameters", "raw elements",
    ),
    "an input in shared memory": (
        changed(
            lambda request: request.inputs[0].parameters["shared_memory_region"].CopyFrom(
                pb.InferParameter(string_param="mine")
            )
        ),
        "inputs[0].parameters", "expected elements in the request, got shared_memory_region",
    ),
    "a timeout below zero": (
        with_parameter("timeout", int64_param=-5), "parameters.timeout", "int64_param, got -5",
    ),
    "a timeout in words": (
        with_parameter("timeout", string_param="1 s"), "parameters.timeout", "got string_param",
    ),
    "an empty timeout": (with_parameter("timeout"), "parameters.timeout", "got nothing"),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "field", "text"), BAD.values(), ids=BAD)
def test_bad_requests_are_refused_by_field(
    stub: GRPCInferenceServiceStub, request_: pb.ModelInferRequest, field: str, text: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelInfer(request_, timeout=TIMEOUT_S)
    got = failure(caught.value)
    assert (got.code, got.field) == (StatusCode.INVALID_ARGUMENT, field)
    assert got.text.startswith(f"{field}: expected ")
    assert text in got.text
    (answer,) = stub.ModelStreamInfer(iter([request_]), timeout=TIMEOUT_S)
    assert answer.error_message == got.text


@pytest.mark.parametrize("name", ["nobody", "", "x" * 100_000, "../tiny", "\u20ac" * 200])
def test_unknown_models_are_not_found(stub: GRPCInferenceServiceStub, name: str) -> None:
    request = raw(name, blocks=WINDOWS)
    for call, message in (
        (stub.ModelInfer, request),
        (stub.ModelMetadata, pb.ModelMetadataRequest(name=name)),
        (stub.ModelConfig, pb.ModelConfigRequest(name=name)),
        (stub.RepositoryModelLoad, pb.RepositoryModelLoadRequest(model_name=name)),
        (stub.RepositoryModelUnload, pb.RepositoryModelUnloadRequest(model_name=name)),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call(message, timeout=TIMEOUT_S)
        assert failure(caught.value)[::2] == (StatusCode.NOT_FOUND, "NOT_FOUND")
    assert not stub.ModelReady(pb.ModelReadyRequest(name=name), timeout=TIMEOUT_S).ready


@pytest.mark.parametrize("version", ["2", "0", "-1", "one", "9" * 5_000])
def test_unknown_versions_are_not_found(stub: GRPCInferenceServiceStub, version: str) -> None:
    request = raw("tiny", blocks=WINDOWS)
    request.model_version = version
    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelInfer(request, timeout=TIMEOUT_S)
    assert failure(caught.value).code is StatusCode.NOT_FOUND
    ready = stub.ModelReady(pb.ModelReadyRequest(name="tiny", version=version), timeout=TIMEOUT_S)
    assert not ready.ready


def test_too_much_at_once_is_refused(stub: GRPCInferenceServiceStub) -> None:
    # Above our own limit, below that of the connection.
    request = raw("tiny", blocks=np.zeros((16 * 2**20 // 1536 + 10, 3, 2, 64)))
    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelInfer(request, timeout=TIMEOUT_S)
    got = failure(caught.value)
    assert (got.code, got.reason) == (StatusCode.RESOURCE_EXHAUSTED, "OVERSIZED")


def test_other_repositories_are_refused(stub: GRPCInferenceServiceStub) -> None:
    for call, message in (
        (stub.RepositoryIndex, pb.RepositoryIndexRequest),
        (stub.RepositoryModelLoad, pb.RepositoryModelLoadRequest),
        (stub.RepositoryModelUnload, pb.RepositoryModelUnloadRequest),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call(message(repository_name="elsewhere"), timeout=TIMEOUT_S)
        assert failure(caught.value).field == "repository_name"
