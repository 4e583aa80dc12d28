"""Any request leads to what a model can be asked, or to an error that names a field."""

import math
import time

import numpy as np
import pytest
import tiny_plant
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_contract

from wearcast.inference import open_inference_pb2 as pb
from wearcast.serving.open_inference.decode import decode_deadline, decode_model, decode_request
from wearcast.signals.errors import FieldError, NotFoundError

FORECAST = tiny_plant.FORECAST
NAMES = st.sampled_from(["blocks", "minute_of_week", "flow", "life_fraction", "", "\u20ac"])
SHAPES = st.one_of(
    st.sampled_from([[1, 3, 2, 1], [2, 3, 2, 1], [1], [2], [1, 3, 2, 64], [0, 3, 2, 1]]),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=6),
)
NUMBERS = st.lists(st.floats(width=32), max_size=14)
WHOLE = st.integers(-(2**31), 2**31 - 1)
CONTENTS = st.one_of(
    st.builds(pb.InferTensorContents, fp32_contents=NUMBERS),
    st.builds(
        pb.InferTensorContents,
        fp32_contents=NUMBERS,
        fp64_contents=NUMBERS,
        int_contents=st.lists(WHOLE, max_size=3),
        bool_contents=st.lists(st.booleans(), max_size=3),
        bytes_contents=st.lists(st.binary(), max_size=3),
    ),
)
PARAMETERS = st.dictionaries(
    st.sampled_from(["timeout", "priority", "shared_memory_region", "classification"]),
    st.one_of(
        st.builds(pb.InferParameter, int64_param=st.integers(-(2**63), 2**63 - 1)),
        st.builds(pb.InferParameter, uint64_param=st.integers(0, 2**64 - 1)),
        st.builds(pb.InferParameter, double_param=st.floats()),
        st.builds(pb.InferParameter, string_param=st.text(max_size=5)),
        st.builds(pb.InferParameter),
    ),
    max_size=2,
)
INPUTS = st.builds(
    pb.ModelInferRequest.InferInputTensor,
    name=NAMES,
    datatype=st.sampled_from(["FP32", "FP32", "BYTES", "", "fp32"]),
    shape=SHAPES,
    contents=st.none() | CONTENTS,
    parameters=PARAMETERS,
)
OUTPUTS = st.builds(
    pb.ModelInferRequest.InferRequestedOutputTensor, name=NAMES, parameters=PARAMETERS
)
RAW = st.one_of(
    st.lists(st.floats(width=32), max_size=14).map(lambda part: np.float32(part).tobytes()),
    st.binary(max_size=60),
)


ANY = st.builds(
    pb.ModelInferRequest,
    inputs=st.lists(INPUTS, max_size=3),
    outputs=st.lists(OUTPUTS, max_size=3),
    parameters=PARAMETERS,
    raw_input_contents=st.lists(RAW, max_size=3),
)


@st.composite
def nearly_good(draw: st.DrawFn) -> pb.ModelInferRequest:
    """A good request, some of whose fields are another request's."""
    rows = draw(st.integers(1, 3))
    request = pb.ModelInferRequest(
        inputs=[
            {"name": "blocks", "datatype": "FP32", "shape": [rows, 3, 2, 1]},
            {"name": "minute_of_week", "datatype": "FP32", "shape": [rows]},
        ],
        raw_input_contents=[bytes(rows * 24), bytes(rows * 4)],
    )
    other = draw(ANY)
    for field in draw(st.sets(st.sampled_from(["inputs", "outputs", "raw_input_contents"]))):
        request.ClearField(field)
        getattr(request, field).extend(getattr(other, field))
    return request


@given(st.one_of(ANY, nearly_good()))
def test_any_request_is_read_or_refused_by_field(request_: pb.ModelInferRequest) -> None:
    texts = []
    for contract in (FORECAST, tiny_contract()):
        try:
            asked = decode_request(request_, contract)
        except FieldError as error:
            texts.append(str(error))
            continue
        rows = len(asked.values)
        assert asked.values.dtype == np.float32
        assert asked.values.shape[1:] == (contract.sequence, 2, contract.window)
        assert rows >= 1
        assert (asked.minutes is None) == (contract.time_zone is None)
        assert asked.minutes is None or asked.minutes.shape == (rows,)
        assert asked.outputs
        assert set(asked.outputs) <= set(contract.outputs)
    assert max(map(len, texts), default=0) < 500


@given(st.integers(1, 2**64 - 1), st.none() | st.floats(0, 1e9))
def test_the_earlier_of_two_deadlines_counts(microseconds: int, remaining_s: float | None) -> None:
    request = pb.ModelInferRequest()
    request.parameters["timeout"].uint64_param = microseconds
    before_s = time.monotonic()
    deadline_s = decode_deadline(request, remaining_s)
    after_s = time.monotonic()
    expected_s = min(microseconds / 1e6, math.inf if remaining_s is None else remaining_s)
    assert deadline_s is not None
    assert (before_s + expected_s) * (1 - 1e-9) <= deadline_s
    assert deadline_s <= (after_s + expected_s) * (1 + 1e-9)


def test_no_deadline_is_none() -> None:
    request = pb.ModelInferRequest()
    assert decode_deadline(request, None) is None
    request.parameters["timeout"].int64_param = 0
    assert decode_deadline(request, None) is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_names_and_versions_are_kept_whatever_they_are(name: str, version: str) -> None:
    got_name, number, label = decode_model(name, version)
    assert got_name == name
    assert (str(number), "") == (version, label) or (0, version) == (number, label)


@pytest.mark.parametrize("model", [("x" * 201, ""), ("x", "\u20ac" * 1_000_000)])
def test_what_no_model_can_be_called_is_not_found(model: tuple[str, str]) -> None:
    with pytest.raises(NotFoundError) as caught:
        decode_model(*model)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("version", ["1", "25", "999999999"])
def test_a_number_is_a_version(version: str) -> None:
    assert decode_model("rul", version) == ("rul", int(version), "")
