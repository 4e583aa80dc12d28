"""Requests of the Open Inference Protocol, made of the bare messages."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wearcast.inference import open_inference_pb2 as pb

TIMEOUT_S = 120
WINDOWS = np.random.RandomState(1).uniform(-1, 1, (5, 3, 2, 64)).astype(np.float32)
WINDOWS *= np.linspace(0.1, 1, 5, dtype=np.float32)[:, None, None, None]


def tensor(name: str, values: NDArray[np.float32], /, **changes: Any) -> Any:
    fields = {"name": name, "datatype": "FP32", "shape": values.shape} | changes
    return pb.ModelInferRequest.InferInputTensor(**fields)


def raw(model: str, *, change: dict[str, Any] | None = None, **arrays: Any) -> Any:
    """A request with raw elements; `change`: of its first input."""
    inputs = [
        tensor(name, values, **(change if place == 0 and change else {}))
        for place, (name, values) in enumerate(arrays.items())
    ]
    contents = [values.astype("<f4").tobytes() for values in arrays.values()]
    return pb.ModelInferRequest(model_name=model, inputs=inputs, raw_input_contents=contents)


def typed(model: str, **arrays: NDArray[np.float32]) -> pb.ModelInferRequest:
    inputs = [
        tensor(name, values, contents=pb.InferTensorContents(fp32_contents=values.ravel()))
        for name, values in arrays.items()
    ]
    return pb.ModelInferRequest(model_name=model, inputs=inputs)


def read(response: pb.ModelInferResponse) -> dict[str, NDArray[np.float32]]:
    """Outputs by name; answers are raw only."""
    assert len(response.outputs) == len(response.raw_output_contents)
    values = {}
    for output, content in zip(response.outputs, response.raw_output_contents, strict=True):
        assert output.datatype == "FP32"
        assert not output.HasField("contents")
        values[output.name] = np.frombuffer(content, "<f4").reshape(tuple(output.shape))
    return values
