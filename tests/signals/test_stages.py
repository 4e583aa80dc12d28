"""Percentiles and stages of the normal distribution, and the slots of the night."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wearcast.signals.contract import OutlierPart, OutlierPoint
from wearcast.signals.errors import InputError
from wearcast.signals.stages import (
    THRESHOLDS,
    find_stages,
    night_slots,
    normal_percentiles,
    parse_night,
)


@pytest.mark.parametrize(
    ("percentile", "stage"),
    [
        (0, 0), (89.99, 0), (90, 1), (94.99, 1), (95, 2), (97.99, 2), (98, 3), (98.99, 3), (99, 4),
        (100, 4),
    ],
)  # fmt: skip
def test_a_stage_begins_at_its_threshold(percentile: float, stage: int) -> None:
    assert find_stages(percentile) == stage


def test_the_contract_has_the_same_thresholds() -> None:
    assert OutlierPart(points=(OutlierPoint("actual", "flow", ""),)).thresholds == THRESHOLDS


@given(st.floats(-8, 8), st.sampled_from(["upper", "lower", "both"]))
def test_percentiles_are_those_of_the_normal_distribution(z: float, side: str) -> None:
    normal = NormalDist()
    expected = {
        "upper": 100 * normal.cdf(z),
        "lower": 100 * normal.cdf(-z),
        "both": 100 * (normal.cdf(abs(z)) - normal.cdf(-abs(z))),
    }
    assert normal_percentiles(z, side) == pytest.approx(expected[side], abs=1e-9)


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=20))
def test_a_higher_reading_has_no_lower_stage(z: list[float]) -> None:
    stages = find_stages(normal_percentiles(np.sort(z), "upper"))
    assert (np.diff(stages) >= 0).all()


def test_shares_of_normal_readings_are_what_the_percentiles_say() -> None:
    z = np.random.default_rng(0).standard_normal(200_000)
    for side in ("upper", "lower", "both"):
        stages = find_stages(normal_percentiles(z, side))
        shares = [np.mean(stages >= stage) for stage in (1, 2, 3, 4)]
        assert shares == pytest.approx([0.10, 0.05, 0.02, 0.01], abs=0.002)


def test_an_unknown_side_is_refused() -> None:
    with pytest.raises(InputError, match="side: expected upper or lower or both, got 'left'"):
        normal_percentiles(0.0, "left")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "start", "slots"),
    [("22:00-04:50", 1320, 42), ("00:00-23:50", 0, 144), ("02:00-02:00", 120, 1)],
)
def test_a_night_is_counted_in_slots(text: str, start: int, slots: int) -> None:
    assert parse_night(text) == (start, slots)


@pytest.mark.parametrize(
    "text",
    ["", "22:00", "22:00-04:55", "24:00-04:50", "22:60-04:50", "a:b-c:d", "1-2-3", "-1:0-4:0"],
)
def test_what_is_no_night_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="night: expected two times HH:MM-HH:MM"):
        parse_night(text)


def test_slots_hold_from_their_last_minute_until_the_next_is_complete() -> None:
    """Walks through a day minute by minute and remembers the slot that was complete last."""
    newest = -1
    expected = []
    for minute in range(1440 + 10):
        if minute % 10 == 9:  # the last minute of a slot of the clock
            begin = minute - 9
            newest = (begin - 1320) % 1440 // 10
        expected.append(newest if 0 <= newest < 42 else -1)
    minutes = np.arange(1440, dtype=np.float32) + 1440  # a Tuesday: Monday's end is behind it
    assert night_slots(minutes, 60.0, 1320, 42).tolist() == [*expected[1440:], *expected[10:1440]]


@given(st.integers(0, 604_799), st.sampled_from([1.0, 10.0, 20.0, 60.0, 300.0, 600.0]))
def test_slots_are_exact_to_the_second(second: int, step_s: float) -> None:
    slot = night_slots(np.float32([second / 60]), step_s, 1320, 42)[0]
    begin_s = int(second + step_s) // 600 * 600 - 600
    place = (begin_s // 60 - 1320) % 1440 // 10
    assert slot == (place if place < 42 else -1)
