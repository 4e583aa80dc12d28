"""What each kind of answer is as numbers."""

import pytest
from prometheus_client import CollectorRegistry

from wearcast.serving.operations.assets import Assets
from wearcast.serving.store import SeriesKey
from wearcast.signals.estimate import (
    DetectorStage,
    Estimate,
    FaultDiagnosis,
    Forecast,
    Outlier,
)

KEY = SeriesKey("pump", "some", 3)
LABELS = {"asset": "pump", "model": "some", "version": "3"}


def outlier(*stages):
    return Outlier(tuple(DetectorStage("d", "c", "m", stage, 50.0, 1.0) for stage in stages))


def fault(name, *, novelty=0.25, unknown=False):
    return FaultDiagnosis((("a", 0.5), ("b", 0.5)), novelty, name, unknown)


def shown(*answers, most=10):
    """Values by name and fault, after the answers were given one after the other."""
    assets = Assets(most)
    for sequence, answer in enumerate(answers):
        assets.see(KEY, Estimate(sequence, 0, (), answer))
    registry = CollectorRegistry()
    registry.register(assets)
    found = {}
    for family in registry.collect():
        for sample in family.samples:
            if sample.labels:
                rest = {name: value for name, value in sample.labels.items() if name != "fault"}
                assert rest == LABELS
                name = sample.name.removeprefix("wearcast_asset_")
                found[name, sample.labels.get("fault", "")] = sample.value
    assert found.pop(("answer_timestamp_seconds", ""), 1e9) >= 1e9
    return found


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        (outlier(0, 3, None, 2), {("stage", ""): 3}),
        (outlier(None, None), {}),
        (fault("a"), {("fault", "a"): 1, ("novelty", ""): 0.25}),
        (fault("", novelty=1.5, unknown=True), {("fault", "unknown"): 1, ("novelty", ""): 1.5}),
        (fault("b", novelty=None), {("fault", "b"): 1}),
        (Forecast(()), {}),
    ],
)
def test_numbers_of_an_answer(answer, numbers):
    assert shown(answer) == numbers


def test_only_the_newest_answer_counts():
    assert shown(fault("a"), fault("b", novelty=None)) == {("fault", "b"): 1}


def test_none_are_shown_where_none_may_be():
    assert shown(fault("a"), most=0) == {}
