"""Diagnoses as rows, as lines, as a table and as pictures; and over the wire and back."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tiny_fault import CONTRACT, FAULTS

from wearcast.clients.cli.lines import format_line, make_table
from wearcast.clients.decode import decode_estimates
from wearcast.clients.results import Result, make_csv, make_json, write_results
from wearcast.clients.rows import make_rows
from wearcast.serving.encode import encode_estimates
from wearcast.signals.errors import MismatchError
from wearcast.signals.estimate import Estimate, FaultDiagnosis, Quality
from wearcast.v1 import machine_health_pb2


def diagnosis_at(
    number: int,
    diagnosis: str = "looseness",
    shares: tuple[float, ...] = (0.25, 0.75, 0.0),
    novelty: float | None = 0.5,
) -> Estimate:
    pairs = tuple(zip(FAULTS, shares, strict=True))
    answer = FaultDiagnosis(pairs, novelty, diagnosis, not diagnosis)
    return Estimate(number, number * 100_000, (Quality.CLIPPED,), answer, CONTRACT.name)


def test_a_diagnosis_is_a_row_with_a_column_for_each_fault() -> None:
    (row,) = make_rows(diagnosis_at(7), CONTRACT)
    assert row == {
        "sequence": 7,
        "window_end": "1970-01-01T00:00:00.700000Z",
        "diagnosis": "looseness",
        "unknown": False,
        "novelty": 0.5,
        "p_normal": 0.25,
        "p_looseness": 0.75,
        "p_unbalance": 0.0,
        "quality": "CLIPPED",
    }
    (row,) = make_rows(diagnosis_at(7, "", novelty=None), CONTRACT)
    assert (row["diagnosis"], row["unknown"], row["novelty"]) == ("", True, None)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (
            diagnosis_at(30),
            "looseness; this window: looseness 75%, normal 25%, unbalance 0%; novelty 0.50",
        ),
        (
            diagnosis_at(30, "", novelty=1.0),
            "unknown; this window: looseness 75%, normal 25%, unbalance 0%; novelty 1.00 UNKNOWN",
        ),
        (
            diagnosis_at(30, "normal", novelty=None),
            "normal; this window: looseness 75%, normal 25%, unbalance 0%",
        ),
    ],
    ids=["known", "unknown", "no novelty"],
)
def test_a_line_says_both_what_it_is_and_what_this_window_says(
    estimate: Estimate, text: str
) -> None:
    line = format_line(estimate, "pump", CONTRACT, as_json=False)
    assert line == f"1970-01-01T00:00:03Z  block    30  {text}"


def test_the_table_says_the_newest_and_how_steady_it_was() -> None:
    told = ["normal", "normal", "", "looseness", "looseness"]
    estimates = [
        diagnosis_at(number, name, novelty=1.5 if number in {1, 2} else 0.2)
        for number, name in enumerate(told)
    ]
    lines = make_table([Result("p", CONTRACT, estimates), Result("q", CONTRACT, [])]).splitlines()
    # Of the newest three windows one was unknown itself: (0 + 0.75 + 0.75) / 3.
    assert [line.split() for line in lines] == [
        ["recording", "windows", "diagnosis", "probability", "unknown", "changes"],
        ["p", "5", "looseness", "50%", "40%", "2"],
        ["q", "0"],
    ]
    labelled = [
        Result("p", CONTRACT, estimates[:3], labelled="unbalance"),
        Result("q", CONTRACT, [], labelled="normal"),
        Result("r", CONTRACT, estimates[:1]),
    ]
    lines = make_table(labelled).splitlines()
    assert [line.split() for line in lines] == [
        ["recording", "windows", "diagnosis", "probability", "unknown", "changes", "labelled"],
        ["p", "3", "unknown", "67%", "67%", "1", "unbalance"],
        ["q", "0", "normal"],
        ["r", "1", "normal", "25%", "0%", "0"],
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_all_files_hold_the_same_rows(count: int, tmp_path: Path) -> None:
    names = ["normal", "looseness", "", "unbalance", "looseness"] * 2
    estimates = [diagnosis_at(number, names[number], novelty=None) for number in range(count)]
    result = Result("pump", CONTRACT, estimates, labelled="looseness")
    files = {path.suffix: path for path in write_results(tmp_path, result)}
    text = json.loads(files[".json"].read_text())
    assert text["labelled"] == "looseness"
    assert len(text["estimates"]) == count
    assert pyarrow.parquet.read_table(files[".parquet"]).to_pylist() == text["estimates"]
    assert files[".png"].read_bytes().startswith(b"\x89PNG")
    cells = list(csv.DictReader(io.StringIO(make_csv(result))))
    assert [cell["sequence"] for cell in cells] == [str(number) for number in range(count)]


def test_a_recording_without_a_label_has_none_in_json() -> None:
    assert "labelled" not in json.loads(make_json(Result("pump", CONTRACT, [])))


numbers = st.floats(0, 1)
answers = st.builds(
    FaultDiagnosis,
    probabilities=st.tuples(numbers, numbers, numbers).map(
        lambda shares: tuple(zip(FAULTS, shares, strict=True))
    ),
    novelty=st.none() | st.floats(0, 1e9),
    diagnosis=st.sampled_from(FAULTS),
    unknown=st.just(False),  # noqa: FBT003
) | st.builds(
    FaultDiagnosis,
    probabilities=st.just(tuple(zip(FAULTS, (0.5, 0.25, 0.25), strict=True))),
    novelty=st.floats(1, 5),
    diagnosis=st.just(""),
    unknown=st.just(True),  # noqa: FBT003
)


@given(answers)
def test_a_diagnosis_survives_the_wire(answer: FaultDiagnosis) -> None:
    estimate = Estimate(3, 5_000_000, (Quality.CLIPPED,), answer, "tiny-fault")
    sent = machine_health_pb2.EstimateBatch(**encode_estimates([estimate], 1)).SerializeToString()
    assert decode_estimates(machine_health_pb2.EstimateBatch.FromString(sent)) == [estimate]
    assert estimate.fault_diagnosis == answer


def test_an_answer_of_another_kind_is_named() -> None:
    estimate = diagnosis_at(3)
    with pytest.raises(MismatchError, match="expected Forecast, got FaultDiagnosis"):
        _ = estimate.forecast
    assert structs.asdict(estimate.fault_diagnosis)["diagnosis"] == "looseness"
