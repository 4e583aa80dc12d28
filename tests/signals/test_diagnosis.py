"""The stable diagnosis: what turns it, and what does not."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from wearcast.signals.contract import FaultPart
from wearcast.signals.diagnosis import DiagnosisTracker
from wearcast.signals.estimate import FaultDiagnosis

FAULTS = ("normal", "unbalance", "looseness")
steady_answers = st.integers(1, 8)
leads = st.sampled_from([0.0, 0.1, 0.3])
shares = st.lists(st.floats(0.001, 1), min_size=3, max_size=3).map(
    lambda numbers: tuple(number / sum(numbers) for number in numbers)
)
windows = st.lists(
    st.tuples(shares, st.none() | st.floats(0, 2, allow_nan=False)), min_size=1, max_size=40
)


def tracker_of(steady: int = 5, lead: float = 0.1) -> DiagnosisTracker:
    return DiagnosisTracker(FaultPart(FAULTS, steady=steady, lead=lead))


def tell(tracker: DiagnosisTracker, given_windows: list) -> list[FaultDiagnosis]:
    return [tracker.update(probabilities, novelty) for probabilities, novelty in given_windows]


def sure(fault: str, novelty: float | None = None) -> tuple[tuple[float, ...], float | None]:
    return tuple(float(fault == name) for name in FAULTS), novelty


def told(answers: list[FaultDiagnosis]) -> list[str]:
    assert all(answer.unknown == (not answer.diagnosis) for answer in answers)
    return [answer.diagnosis or "unknown" for answer in answers]


@given(windows, steady_answers, leads, st.data())
def test_resumed_goes_on_as_if_never_stopped(given_windows, steady, lead, data) -> None:
    whole = tell(tracker_of(steady, lead), given_windows)
    stop = data.draw(st.integers(0, len(given_windows)))
    resumed = tracker_of(steady, lead)
    for answer in whole[:stop][-resumed.memory :]:
        resumed.restore(answer)
    assert tell(resumed, given_windows[stop:]) == whole[stop:]


@given(windows, steady_answers, leads)
def test_equals_the_rule_said_in_loops(given_windows, steady, lead) -> None:
    current = None
    for number, answer in enumerate(tell(tracker_of(steady, lead), given_windows)):
        newest = given_windows[max(0, number + 1 - steady) : number + 1]
        means = {}
        for place, name in enumerate([*FAULTS, "unknown"]):
            votes = [
                float(name == "unknown") if novelty is not None and novelty >= 1
                else float(name != "unknown" and probabilities[place])
                for probabilities, novelty in newest
            ]  # fmt: skip
            means[name] = np.mean(votes)
        best = max(means, key=lambda name: means[name])
        if current is None or means[best] > means[current] + lead + 1e-9:
            current = best
        elif means[best] > means[current] + lead - 1e-9:
            current = answer.diagnosis or "unknown"  # a tie within rounding may go either way
        assert (answer.diagnosis or "unknown") == current
        assert answer.probabilities == tuple(zip(FAULTS, given_windows[number][0], strict=True))
        assert answer.novelty == given_windows[number][1]


@given(st.integers(3, 8), leads, st.integers(1, 20), shares, st.none() | st.floats(0, 2))
def test_a_single_odd_window_turns_nothing(steady, lead, odd, shares_then, novelty) -> None:
    given_windows = [sure("normal", 0.1)] * 25
    given_windows[odd] = (shares_then, novelty)
    assert set(told(tell(tracker_of(steady, lead), given_windows))) == {"normal"}


@given(st.integers(1, 8), leads, st.integers(0, 20), st.sampled_from(["looseness", "unknown"]))
def test_a_lasting_change_turns_it_within_steady_windows(steady, lead, before, then) -> None:
    new = sure("unbalance", 1.0) if then == "unknown" else sure(then)
    given_windows = [sure("normal")] * before + [new] * steady
    names = told(tell(tracker_of(steady, lead), given_windows))
    assert names[-1] == then
    assert sum(a != b for a, b in itertools.pairwise(names)) == min(before, 1)


def test_the_first_window_gives_one_at_once() -> None:
    assert told(tell(tracker_of(), [sure("looseness")])) == ["looseness"]
    assert told(tell(tracker_of(), [sure("looseness", 1.0)])) == ["unknown"]


def test_a_tie_changes_nothing() -> None:
    half = ((0.5, 0.5, 0.0), None)
    names = told(tell(tracker_of(2, 0.0), [sure("unbalance"), sure("normal"), half, half]))
    # One each; then normal is ahead; then both are alike.
    assert names == ["unbalance", "unbalance", "normal", "normal"]


@pytest.mark.parametrize(("lead", "last"), [(0.1, "unbalance"), (0.3, "normal")])
def test_a_lead_has_to_be_more_than_was_asked_for(lead: float, last: str) -> None:
    slight = ((0.4, 0.6, 0.0), None)
    assert told(tell(tracker_of(2, lead), [sure("normal"), slight, slight, slight]))[-1] == last


def test_a_probability_over_no_unknown_counts_as_itself() -> None:
    (first,) = tell(tracker_of(), [sure("normal", 0.999)])
    assert structs.asdict(first) == {
        "probabilities": (("normal", 1.0), ("unbalance", 0.0), ("looseness", 0.0)),
        "novelty": 0.999,
        "diagnosis": "normal",
        "unknown": False,
    }
