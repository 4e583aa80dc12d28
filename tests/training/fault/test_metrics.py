"""Figures of answers about faults, against hand-made numbers and their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wearcast.signals.errors import InputError
from wearcast.training.fault.metrics import BINS, Scores, measure_reliability, score_faults

FAULTS = ("normal", "ball", "inner race")
# Six windows: the answers are right, right, wrong, right, wrong, right.
LABELS = [0, 0, 0, 1, 1, 2]
PROBABILITIES = [
    [0.9, 0.05, 0.05],
    [0.5, 0.3, 0.2],
    [0.3, 0.6, 0.1],
    [0.1, 0.8, 0.1],
    [0.2, 0.1, 0.7],
    [0.0, 0.0, 1.0],
]

ANSWERED = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.integers(1, 9), min_size=3, max_size=3)),
    min_size=1,
    max_size=40,
)


def score_drawn(rows: list[tuple[int, list[int]]]) -> tuple[np.ndarray, np.ndarray, Scores]:
    labels = np.array([label for label, _ in rows])
    weights = np.array([weight for _, weight in rows], dtype=np.float64)
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    return labels, probabilities, score_faults(labels, probabilities, FAULTS)


def test_hand_made_figures() -> None:
    scores = score_faults(LABELS, PROBABILITIES, FAULTS)
    assert scores.confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    np.testing.assert_allclose(scores.precision, [1, 1 / 2, 1 / 2])
    np.testing.assert_allclose(scores.recall, [2 / 3, 1 / 2, 1])
    np.testing.assert_allclose(scores.f1, [0.8, 0.5, 2 / 3])
    assert scores.support.tolist() == [3, 2, 1]
    assert scores.windows == 6
    assert scores.accuracy == pytest.approx(4 / 6)
    assert scores.macro_f1 == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    # normal: 9 of 9 pairs are in order; ball: 5.5 of 8, one of them even; inner race: 5 of 5.
    ball = [0.8, 0.1]
    others = [0.05, 0.3, 0.6, 0.0]
    pairs = [float(one > other) for one in ball for other in others]
    assert scores.macro_auroc == pytest.approx((1 + np.mean(pairs) + 1) / 3)
    squares = [0.015, 0.38, 0.86, 0.06, 1.34, 0]
    assert scores.brier == pytest.approx(np.mean(squares))
    logs = [math.log(share) for share in (0.9, 0.5, 0.3, 0.8, 0.1, 1.0)]
    assert scores.nll == pytest.approx(-np.mean(logs))
    # Each answer in a bin of its own: 0.9, 0.5, 0.6, 0.8, 0.7, 1.0.
    distances = [0.1, 0.5, 0.6, 0.2, 0.7, 0.0]
    assert scores.calibration_error == pytest.approx(np.mean(distances))


def test_windows_called_unknown_count_and_are_told() -> None:
    dark = [False, True, True, False, False, False]
    plain, scores = (score_faults(LABELS, PROBABILITIES, FAULTS, unknown=it) for it in (None, dark))
    assert scores.unknown.tolist() == [2, 0, 0]
    assert scores.unknown_share == pytest.approx(2 / 6)
    assert plain.unknown_share == 0
    assert scores.macro_f1 == plain.macro_f1 == plain.missed_macro_f1
    # normal: one found of three; ball: one found of two, and no false one any more.
    assert scores.missed_macro_f1 == pytest.approx((0.5 + 2 / 3 + 2 / 3) / 3)


def test_calling_everything_unknown_finds_nothing() -> None:
    scores = score_faults(LABELS, PROBABILITIES, FAULTS, unknown=[True] * 6)
    assert scores.missed_macro_f1 == 0
    assert scores.unknown_share == 1


def test_a_fault_that_is_not_there_counts_in_no_mean() -> None:
    scores = score_faults([0, 0, 1], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]], FAULTS)
    assert scores.support.tolist() == [2, 1, 0]
    assert np.isnan([scores.precision[2], scores.recall[2], scores.f1[2]]).all()
    assert scores.macro_f1 == pytest.approx(2 / 3)
    assert scores.macro_auroc == pytest.approx(0.75)


def test_one_fault_alone_has_no_area() -> None:
    scores = score_faults([1, 1], [[0.1, 0.8, 0.1], [0.2, 0.5, 0.3]], FAULTS)
    assert math.isnan(scores.macro_auroc)
    assert scores.macro_f1 == 1


@given(ANSWERED)
def test_figures_are_those_of_their_definitions(rows: list[tuple[int, list[int]]]) -> None:
    labels, probabilities, scores = score_drawn(rows)
    answers = probabilities.argmax(axis=1)
    f1 = []
    for fault in sorted(set(labels)):
        hits = int(((labels == fault) & (answers == fault)).sum())
        f1.append(2 * hits / int((labels == fault).sum() + (answers == fault).sum()))
    assert scores.macro_f1 == pytest.approx(np.mean(f1))
    for true in range(3):
        for said in range(3):
            assert scores.confusion[true, said] == ((labels == true) & (answers == said)).sum()
    areas = []
    for fault in set(labels) if len(set(labels)) > 1 else ():
        here, there = probabilities[labels == fault, fault], probabilities[labels != fault, fault]
        order = here[:, None] - there
        areas.append(np.mean((order > 0) + 0.5 * (order == 0)))
    if areas:
        assert scores.macro_auroc == pytest.approx(np.mean(areas))
    brier = [
        sum((share - (place == label)) ** 2 for place, share in enumerate(row))
        for label, row in zip(labels, probabilities, strict=True)
    ]
    assert scores.brier == pytest.approx(np.mean(brier))


def test_a_true_fault_of_probability_0_costs_much_but_not_all() -> None:
    scores = score_faults([0], [[0, 1, 0]], FAULTS)
    assert scores.nll == pytest.approx(36.04, abs=0.01)


@given(st.lists(st.tuples(st.floats(0.01, 1), st.booleans()), min_size=1, max_size=60))
def test_bins_are_half_open_and_hold_each_answer_once(rows: list[tuple[float, bool]]) -> None:
    confidence = np.array([share for share, _ in rows])
    right = np.array([hit for _, hit in rows])
    measured = measure_reliability(confidence, right)
    error = 0.0
    for place in range(BINS):
        # The borders as they are computed there, so that rounding is no difference.
        inside = (confidence * BINS > place) & (confidence * BINS <= place + 1)
        assert measured.count[place] == inside.sum()
        if inside.any():
            error += abs(right[inside].sum() - confidence[inside].sum()) / len(rows)
    assert measured.error == pytest.approx(error)


def test_answers_as_sure_as_they_are_right_have_no_error() -> None:
    confidence = np.repeat([0.5, 0.9], [10, 10])
    right = np.array([True] * 5 + [False] * 5 + [True] * 9 + [False])
    assert measure_reliability(confidence, right).error == pytest.approx(0)


def test_probabilities_in_float32_are_taken_as_they_are_meant() -> None:
    scores = score_faults(LABELS, np.float32(PROBABILITIES), FAULTS)
    assert scores.brier == pytest.approx(
        score_faults(LABELS, PROBABILITIES, FAULTS).brier, abs=1e-6
    )


@pytest.mark.parametrize(
    ("labels", "probabilities", "unknown", "message"),
    [
        ([], np.zeros((0, 3)), None, "labels: expected one for each window"),
        ([0.0], [[1, 0, 0]], None, "labels: expected whole numbers, got float64"),
        ([3], [[1, 0, 0]], None, "labels: expected 0 to 2, got 3 to 3"),
        ([0], [[0.5, 0.5]], None, r"probabilities: expected shape \(1, 3\), got \(1, 2\)"),
        ([0], [[0.5, 0.1, 0.1]], None, "rows that sum to 1"),
        ([0], [[1.5, -0.5, 0]], None, "none below 0"),
        ([0], [[np.nan, 0.5, 0.5]], None, "none below 0"),
        ([0], [[1, 0, 0]], [True, False], r"unknown: expected shape \(1,\)"),
    ],
)
def test_answers_that_are_none_are_refused(
    labels: list[int], probabilities: np.ndarray, unknown: list[bool] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        score_faults(labels, probabilities, FAULTS, unknown=unknown)
