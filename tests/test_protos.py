"""The messages can say all four kinds of answer, and say the same on the other side."""

from collections.abc import Callable

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from wearcast.v1 import estimate_pb2 as pb
from wearcast.v1 import samples_pb2
from wearcast.v1.model_pb2 import ModelKind


def remaining_life() -> pb.Estimate:
    estimate = pb.Estimate(sequence=7, quality=[samples_pb2.QUALITY_FLAG_AFTER_GAP])
    estimate.window_end.FromMicroseconds(1_700_000_000_000_001)
    life = estimate.remaining_life
    life.life_fraction, life.age_s = 0.75, 7_200.0
    life.rul_s, life.rul_low_s, life.rul_high_s = 2_400.0, 600.0, 9_000.0
    life.interval_probability, life.band, life.alarm = 0.8, pb.LIFE_BAND_WARNING, True
    life.failure_time.FromMicroseconds(1_700_002_400_000_001)
    life.failure_probabilities.add(horizon_s=600.0, probability=0.1)
    line = life.line
    line.points, line.value, line.slope_per_s = 60, 0.76, 1e-4
    line.crossings.add(level=0.7, state=pb.CROSSING_STATE_ALREADY_CROSSED)
    ahead = line.crossings.add(level=0.9, state=pb.CROSSING_STATE_AHEAD, remaining_s=1_400.0)
    ahead.time.FromMicroseconds(1_700_001_400_000_001)
    line.crossings.add(level=1.0, state=pb.CROSSING_STATE_NO_CROSSING)
    return estimate


def forecast() -> pb.Estimate:
    estimate = pb.Estimate(sequence=8)
    point = estimate.forecast.points.add(channel="outlet", unit="degC", horizon_s=3_600.0)
    point.time.FromMicroseconds(1_700_003_600_000_000)
    for quantile, value in ((0.1, 61.5), (0.5, 63.0), (0.9, 64.25)):
        point.values.add(quantile=quantile, value=value)
    return estimate


def outlier() -> pb.Estimate:
    estimate = pb.Estimate(sequence=9, quality=[samples_pb2.QUALITY_FLAG_FILLED])
    estimate.outlier.stages.add(
        detector="residual", channel="flow", unit="m3/h", stage=pb.STAGE_ALERT, percentile=98.5,
        value=-3.25,
    )  # fmt: skip
    estimate.outlier.stages.add(detector="residual", channel="level", stage=pb.STAGE_NOT_APPLICABLE)
    estimate.outlier.stages.add(
        detector="system", channel="level", stage=pb.STAGE_SEVERE, percentile=100.0, cause="STUCK"
    )
    return estimate


def fault() -> pb.Estimate:
    estimate = pb.Estimate(sequence=10)
    diagnosis = estimate.fault_diagnosis
    diagnosis.diagnosis = "outer race"
    diagnosis.novelty = 0.25
    diagnosis.probabilities.add(fault="outer race", probability=0.75)
    diagnosis.probabilities.add(fault="none", probability=0.25)
    return estimate


ANSWERS = {
    "remaining_life": remaining_life,
    "forecast": forecast,
    "outlier": outlier,
    "fault_diagnosis": fault,
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_each_kind_of_answer_round_trips(kind: str) -> None:
    sent = ANSWERS[kind]()
    got = pb.Estimate.FromString(sent.SerializeToString())
    assert got == sent
    assert got.WhichOneof("answer") == kind
    assert json_format.Parse(json_format.MessageToJson(sent), pb.Estimate()) == sent


@pytest.mark.parametrize("make", ANSWERS.values(), ids=ANSWERS)
def test_the_example_sets_every_field_of_its_answer(make: Callable[[], pb.Estimate]) -> None:
    # Else a field that a later edit loses would not be missed above.
    estimate = make()
    answer = getattr(estimate, estimate.WhichOneof("answer"))
    # It contradicts a diagnosis.
    assert list_unset(answer) <= {"FaultDiagnosis.unknown"}


def test_there_is_an_answer_for_each_kind_of_model() -> None:
    kinds = {name.removeprefix("MODEL_KIND_") for name in ModelKind.DESCRIPTOR.values_by_name} - {
        "UNSPECIFIED"
    }
    assert kinds == {"RUL", "FORECAST", "OUTLIER", "FAULT"}
    assert {field.name for field in pb.Estimate.DESCRIPTOR.oneofs[0].fields} == set(ANSWERS)


def list_unset(message: Message) -> set[str]:
    """Fields, MESSAGE.FIELD, that no message of their type sets in a tree of messages."""
    unset: dict[str, bool] = {}

    def visit(item: Message) -> None:
        present = {field.name: value for field, value in item.ListFields()}
        for field in item.DESCRIPTOR.fields:
            name = f"{item.DESCRIPTOR.name}.{field.name}"
            unset[name] = unset.get(name, True) and field.name not in present
            if field.message_type is not None and field.name in present:
                value = present[field.name]
                for child in [value] if isinstance(value, Message) else value:
                    visit(child)

    visit(message)
    return {name for name, missing in unset.items() if missing and "Timestamp" not in name}
