"""A tensor of a request as an array, checked against what the model takes."""

import math

import numpy as np
from numpy.typing import NDArray

from wearcast.inference import open_inference_pb2 as pb
from wearcast.signals.errors import InputError

# Every input and output of every model.
DATATYPE = "FP32"
# Any number of rows, in a shape.
ROWS = -1
_FLOAT32 = np.dtype("<f4")
_TYPED = "fp32_contents"
_SHOWN = 8


def decode_tensor(
    field: str, tensor: pb.ModelInferRequest.InferInputTensor, raw: bytes | None, shape: list[int]
) -> NDArray[np.float32]:
    """The elements of an input, raw or typed, in its shape.

    shape: what the model takes, with `ROWS` first. raw: None where elements are typed.

    Raises:
        InputError: type, shape or number of elements is wrong, or elements are given twice.
    """
    if tensor.datatype != DATATYPE:
        raise InputError(f"{field}.datatype", DATATYPE, repr(tensor.datatype[:20]), reason="TYPE")
    for name in tensor.parameters:
        if name.startswith("shared_memory"):
            raise InputError(
                f"{field}.parameters", "elements in the request", name[:40], reason="SHARED_MEMORY"
            )
    rows = _check_shape(field, tensor, shape)
    values = _take_typed(field, tensor.contents) if raw is None else _take_raw(field, tensor, raw)
    count = rows * math.prod(shape[1:])
    if values.size != count:
        where = "raw_input_contents" if raw is not None else f"{field}.contents"
        expected = f"{count} elements ({count * _FLOAT32.itemsize} bytes) for {field}"
        raise InputError(where, expected, values.size, reason="SIZE")
    return values.reshape(rows, *shape[1:])


def encode_tensor(values: NDArray[np.float32]) -> bytes:
    """The elements of an output, row after row."""
    return values.astype(_FLOAT32, copy=False).tobytes()


def _check_shape(
    field: str, tensor: pb.ModelInferRequest.InferInputTensor, shape: list[int]
) -> int:
    """The number of rows."""
    got: list[int] = list(tensor.shape[: len(shape) + 1])
    if len(got) != len(shape) or got[1:] != shape[1:] or got[0] < 1:
        shown = f"{list(tensor.shape[:_SHOWN])}"
        if len(tensor.shape) > _SHOWN:
            shown += f" and {len(tensor.shape) - _SHOWN} more"
        expected = f"{shape}, where {ROWS} is 1 or more"
        raise InputError(f"{field}.shape", expected, shown, reason="SHAPE")
    return got[0]


def _take_raw(
    field: str, tensor: pb.ModelInferRequest.InferInputTensor, raw: bytes
) -> NDArray[np.float32]:
    if tensor.contents.ByteSize():
        raise InputError(
            f"{field}.contents", "nothing beside raw_input_contents", "elements", reason="MIXED"
        )
    if len(raw) % _FLOAT32.itemsize:
        expected = f"whole elements of {_FLOAT32.itemsize} bytes for {field}"
        raise InputError("raw_input_contents", expected, f"{len(raw)} bytes", reason="SIZE")
    return np.frombuffer(raw, _FLOAT32)


def _take_typed(field: str, contents: pb.InferTensorContents) -> NDArray[np.float32]:
    others = [item.name for item, _ in contents.ListFields() if item.name != _TYPED]
    if others:
        raise InputError(f"{field}.contents", f"only {_TYPED}", others[0], reason="TYPE")
    return np.asarray(contents.fp32_contents, np.float32)
