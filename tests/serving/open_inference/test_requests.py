"""ModelInfer in every form that the protocol allows."""

from collections.abc import Callable

import numpy as np
import pytest
import tiny_fault
import tiny_plant
from infer_requests import TIMEOUT_S, WINDOWS, raw, read, typed
from tiny import mean_abs_fraction

from wearcast.inference import open_inference_pb2 as pb
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub


@pytest.mark.parametrize("make", [raw, typed])
@pytest.mark.parametrize("rows", [1, 4, 5])
def test_raw_and_typed_elements_are_one(
    stub: GRPCInferenceServiceStub, make: Callable[..., pb.ModelInferRequest], rows: int
) -> None:
    request = make("tiny", blocks=WINDOWS[:rows])
    request.id = "a name\nof mine"
    response = stub.ModelInfer(request, timeout=TIMEOUT_S)
    assert (response.model_name, response.model_version) == ("tiny", "1")
    assert response.id == request.id
    values = read(response)
    np.testing.assert_allclose(
        values["life_fraction"], mean_abs_fraction(WINDOWS[:rows]), atol=1e-5
    )


@pytest.mark.parametrize("make", [raw, typed])
def test_a_model_that_looks_at_the_clock_and_at_missing_readings(
    stub: GRPCInferenceServiceStub, make: Callable[..., pb.ModelInferRequest]
) -> None:
    windows = np.arange(5 * 3 * 2, dtype=np.float32).reshape(5, 3, 2, 1)
    windows[2, 1] = np.nan
    minutes = np.array([0, 1, 60, 10_079, 5_000], np.float32)
    # In any order of the inputs.
    for arrays in (
        {"blocks": windows, "minute_of_week": minutes},
        {"minute_of_week": minutes, "blocks": windows},
    ):
        values = read(stub.ModelInfer(make("tiny-forecast", **arrays), timeout=TIMEOUT_S))
        expected = tiny_plant.answer_forecast(windows, minutes)["flow"]
        np.testing.assert_allclose(values["flow"], expected, rtol=1e-5)


def test_several_outputs_and_some_of_them(stub: GRPCInferenceServiceStub) -> None:
    windows = np.random.RandomState(2).normal(size=(6, 2, 2, 256)).astype(np.float32)
    expected = tiny_fault.answer_fault(windows)
    request = raw("tiny-fault", blocks=windows)
    for wanted in ([], ["novelty", "probability"], ["novelty"]):
        del request.outputs[:]
        for name in wanted:
            request.outputs.add(name=name)
        values = read(stub.ModelInfer(request, timeout=TIMEOUT_S))
        assert list(values) == (wanted or ["probability", "novelty"])
        for name, part in values.items():
            np.testing.assert_allclose(part, expected[name], rtol=1e-4, atol=1e-5)


def test_the_version_is_said_or_not(stub: GRPCInferenceServiceStub) -> None:
    request = raw("tiny", blocks=WINDOWS[:1])
    request.model_version = "1"
    assert stub.ModelInfer(request, timeout=TIMEOUT_S).model_version == "1"


def test_unknown_parameters_are_passed_over(stub: GRPCInferenceServiceStub) -> None:
    request = raw("tiny", blocks=WINDOWS[:1])
    request.parameters["priority"].uint64_param = 3
    request.parameters["sequence_id"].int64_param = 7
    request.inputs[0].parameters["binary_data_size"].int64_param = 1
    assert read(stub.ModelInfer(request, timeout=TIMEOUT_S))


@pytest.mark.parametrize("microseconds", [0, 240_000_000, 2**64 - 1])
def test_any_timeout_that_is_long_enough(stub: GRPCInferenceServiceStub, microseconds: int) -> None:
    request = raw("tiny", blocks=WINDOWS[:1])
    request.parameters["timeout"].uint64_param = microseconds
    assert read(stub.ModelInfer(request, timeout=TIMEOUT_S))


def test_statistics_count_what_was_done(stub: GRPCInferenceServiceStub) -> None:
    ask = pb.ModelStatisticsRequest(name="tiny-outlier")
    (before,) = stub.ModelStatistics(ask, timeout=TIMEOUT_S).model_stats
    windows = np.zeros((3, 4, 2, 1), np.float32)
    for _ in range(2):
        stub.ModelInfer(raw("tiny-outlier", blocks=windows), timeout=TIMEOUT_S)
    (after,) = stub.ModelStatistics(ask, timeout=TIMEOUT_S).model_stats
    assert after.inference_count - before.inference_count == 6
    assert after.execution_count > before.execution_count
    success = after.inference_stats.success, before.inference_stats.success
    assert success[0].count - success[1].count == 2
    for part in ("compute_input", "compute_infer", "compute_output"):
        took = getattr(after.inference_stats, part), getattr(before.inference_stats, part)
        assert took[0].ns > took[1].ns
        assert took[0].count - took[1].count == 2
    assert after.last_inference > 1_700_000_000_000
    runs = {item.batch_size: item.compute_infer.count for item in after.batch_stats}
    assert sum(size * count for size, count in runs.items()) == after.inference_count
    everything = stub.ModelStatistics(pb.ModelStatisticsRequest(), timeout=TIMEOUT_S).model_stats
    assert {item.name for item in everything} == {
        "tiny", "tiny-forecast", "tiny-outlier", "tiny-fault"
    }  # fmt: skip
