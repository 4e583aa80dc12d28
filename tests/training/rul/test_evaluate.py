from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lives import make_life, make_lives
from naive_life import naive_area

from wearcast.signals.recording import Recording
from wearcast.training.curve import area_under_curve
from wearcast.training.rul.baselines import phm_score
from wearcast.training.rul.evaluate import (
    BearingResult,
    count_alarms,
    evaluate_left_out,
    evaluate_test,
    lead_times_s,
)
from wearcast.training.rul.report import report_left_out, report_test, summarize

SETTINGS = {"epochs": 2, "runs": 32, "steps": 3}
LIVES = make_lives()
WAYS = ["compact", "compact, told", "constant", "k x elapsed", "prior", "prior, told"]


def leave_out(recordings: dict[str, Recording], *bearings: str) -> list[BearingResult]:
    return evaluate_left_out(
        recordings, "compact", bearings, seeds=1, settings=SETTINGS, on_trained=lambda: None
    )


@pytest.fixture(scope="module")
def results() -> list[BearingResult]:
    return leave_out(LIVES, "Bearing1_3", "Bearing1_4")


@pytest.fixture(scope="module")
def result(results: list[BearingResult]) -> BearingResult:
    return results[0]


@pytest.mark.parametrize(
    ("predicted_s", "score"),
    [
        (100.0, 1.0),
        (105.0, 0.5),  # 5% too long costs as much as 20% too short
        (110.0, 0.25),
        (80.0, 0.5),
        (60.0, 0.25),
        (0.0, 0.5**5),
        (1e9, 0.0),
    ],
)
def test_the_score_of_the_challenge(predicted_s: float, score: float) -> None:
    (found,) = phm_score(np.array([100.0]), np.array([predicted_s]))
    assert found == pytest.approx(score)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.booleans(), st.floats(0.01, 10)), min_size=1, max_size=30
    )
)
def test_the_area_equals_counting_pairs(rows: list[tuple[int, bool, float]]) -> None:
    scores, positive, weights = zip(*rows, strict=True)
    found = area_under_curve(
        np.array(scores, dtype=np.float64), np.array(positive), np.array(weights)
    )
    assert found == pytest.approx(naive_area(scores, positive, weights), nan_ok=True)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0, 0, 0, 0, 0, 0], (0, 0.0)),
        ([1, 1, 1, 1, 1, 1], (1, 0.0)),  # raised once, too early, and never taken back
        ([0, 0, 0, 0, 1, 1], (0, 20.0)),
        ([0, 0, 0, 0, 0, 1], (0, 10.0)),
        ([0, 0, 0, 1, 1, 1], (1, 0.0)),
        ([1, 0, 1, 0, 1, 0], (2, 20.0)),
        ([0, 0, 0, 0, 1, 0], (0, 20.0)),
    ],
)
def test_alarms_are_counted_where_they_are_raised(
    scores: list[int], expected: tuple[int, float]
) -> None:
    remaining_s = np.arange(60.0, 0.0, -10.0)
    assert count_alarms(np.array(scores, dtype=np.float64), remaining_s, 1.0, 20.0) == expected


def test_one_threshold_serves_all_lives() -> None:
    remaining_s = np.arange(60.0, 0.0, -10.0)
    sure = (np.array([0, 0, 0, 0.2, 0.9, 0.9]), remaining_s)
    late = (np.array([0, 0, 0, 0.0, 0.3, 0.6]), remaining_s)
    assert lead_times_s([sure, late], 20.0) == [20.0, 20.0]
    noisy = (np.array([0.7, 0, 0.7, 0, 0.7, 0.9]), remaining_s)
    # At 0.3 the noisy one has two false alarms, as many as there are lives.
    assert lead_times_s([sure, noisy], 20.0) == [20.0, 20.0]
    noisier = (np.array([0.7, 0, 0.7, 0, 0.9, 0.9]), np.arange(120.0, 60.0, -10.0))
    assert lead_times_s([noisier], 20.0) == [0.0]
    assert lead_times_s([(np.zeros(6), remaining_s)], 20.0) == [0.0]


def test_a_result_judges_every_way_at_every_window(result: BearingResult) -> None:
    windows = len(LIVES["Bearing1_3"]) - 9
    assert list(result.ways) == WAYS
    assert (result.bearing, result.seed) == ("Bearing1_3", 0)
    assert result.remaining_s.tolist() == [10.0 * left for left in reversed(range(windows))]
    assert len(result.line) == windows
    for way in result.ways.values():
        assert way.probabilities.shape == (windows, 3)
        assert ((way.probabilities >= 0) & (way.probabilities <= 1)).all()
        assert (np.diff(way.probabilities, axis=1) >= 0).all()
        assert 0 <= way.score <= 1
        assert 0 <= way.coverage <= 1
    true = 1 - result.remaining_s / (10 * len(LIVES["Bearing1_3"]))
    assert result.mae["constant"] == pytest.approx(np.abs(true - 0.5).mean())


def test_what_comes_later_changes_nothing_that_was_said_before(result: BearingResult) -> None:
    """The second half of a bearing left out is other, and shorter: no answer to the first moves.

    Were it among the training recordings, or did any way learn from it, answers would differ.
    """
    whole = LIVES["Bearing1_3"]
    half = len(whole) // 2
    values = whole.values[:-7].copy()
    values[half:] = make_life("other", len(values), seed=50).values[half:] * 3
    cut = replace(whole, numbers=whole.numbers[:-7], starts_us=whole.starts_us[:-7], values=values)
    (other,) = leave_out(LIVES | {"Bearing1_3": cut}, "Bearing1_3")
    before = half - 9
    np.testing.assert_array_equal(other.line[:before], result.line[:before])
    assert not np.array_equal(other.line[before : before + 9], result.line[before : before + 9])
    for name, way in result.ways.items():
        again = other.ways[name].probabilities
        np.testing.assert_array_equal(again[:before], way.probabilities[:before])


def test_a_training_bearing_does_change_what_is_said(result: BearingResult) -> None:
    changed = LIVES | {"Bearing1_2": make_life("Bearing1_2", 100, seed=60)}
    (other,) = leave_out(changed, "Bearing1_3")
    assert not np.array_equal(other.line, result.line)
    for name, way in result.ways.items():
        assert other.ways[name].score != way.score


def test_the_tables_hold_the_means(results: list[BearingResult]) -> None:
    results = [*results, *(replace(it, seed=1) for it in results)]
    text = "\n\n".join(report_left_out(results))
    scores = [it.ways["compact"].score for it in results]
    assert summarize(results)["ways"]["compact"]["score"] == pytest.approx(np.mean(scores))
    assert f"| compact | {np.mean(scores):.3f} | " in text
    assert f"| compact | {scores[0]:.3f} | {scores[1]:.3f} |" in text
    gains = [it.ways["compact"].score - it.ways["prior"].score for it in results[:2]]
    assert f"{np.mean(gains):+.3f} ± {abs(gains[0] - gains[1]) / 2:.3f}" in text
    assert "| bearing | seed 0 | seed 1 |" in text
    for way in WAYS:
        assert text.count(f"\n| {way} | ") >= 4
    for way in ("compact", "constant", "k x elapsed", "prior", "line"):
        assert text.count(f"min | {way} | ") == 3


def test_a_test_bearing_is_answered_once_where_it_stops() -> None:
    stopped = make_life("Bearing1_4", 40, seed=9)
    (answer,) = evaluate_test(
        LIVES, {"Bearing1_4": stopped}, "compact", seeds=1, settings=SETTINGS,
        on_trained=lambda: None,
    )  # fmt: skip
    assert (answer.bearing, answer.seed, answer.age_s) == ("Bearing1_4", 0, 400.0)
    assert list(answer.answers) == WAYS
    for _, median, low, high in answer.answers.values():
        assert 0 < low <= median <= high
    table = report_test([answer])[-1]
    assert table.count("\n| Bearing1_4 | ") == len(WAYS)
    assert " 2,890 or 339 " in table
