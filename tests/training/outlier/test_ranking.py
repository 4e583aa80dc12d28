"""Figures by which ways are compared, against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wearcast.training.outlier.ranking import (
    Way,
    alarm_rates,
    auroc,
    average_precision,
    count_raised,
    stage_shares,
)

LABELLED = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30).filter(
    lambda rows: 0 < sum(unusual for _, unusual in rows) < len(rows)
)


def make_way(rows: list[tuple[int, bool]]) -> tuple[Way, np.ndarray]:
    scores = np.array([score for score, _ in rows], dtype=np.float64)
    return Way(scores, scores >= 3), np.array([unusual for _, unusual in rows])


@given(LABELLED)
def test_auroc_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    way, unusual = make_way(rows)
    pairs = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high in way.score[unusual]
        for low in way.score[~unusual]
    ]
    assert auroc(way, unusual) == pytest.approx(np.mean(pairs))


@given(LABELLED)
def test_average_precision_is_the_mean_precision_at_each_unusual_row(
    rows: list[tuple[int, bool]],
) -> None:
    way, unusual = make_way(rows)
    precisions = [unusual[way.score >= score].mean() for score in way.score[unusual]]
    assert average_precision(way, unusual) == pytest.approx(np.mean(precisions))


@given(LABELLED)
def test_rates_are_counts_of_rows(rows: list[tuple[int, bool]]) -> None:
    way, unusual = make_way(rows)
    rates = alarm_rates(way.alarm, unusual)
    right = sum(a and u for a, u in zip(way.alarm, unusual, strict=True))
    false = sum(a and not u for a, u in zip(way.alarm, unusual, strict=True))
    missed = sum(u and not a for a, u in zip(way.alarm, unusual, strict=True))
    assert rates.f1 == pytest.approx(2 * right / (2 * right + false + missed))
    assert rates.false_share == pytest.approx(false / sum(~unusual))
    assert rates.missed_share == pytest.approx(missed / sum(unusual))


@given(st.lists(st.booleans(), max_size=30))
def test_an_alarm_is_raised_once_until_it_ends(flags: list[bool]) -> None:
    text = "".join("x" if flag else " " for flag in flags)
    assert count_raised(np.array(flags, dtype=bool)) == len(text.split())


def test_shares_are_of_rows_that_a_stage_is_for() -> None:
    stage = np.float32([-1, -1, 0, 1, 2, 4])
    assert stage_shares(stage).tolist() == [0.75, 0.5, 0.25, 0.25]
    assert np.isnan(stage_shares(stage[:2])).all()
