"""Splits: nothing is on both sides, everything is tested once."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.vibration import Vibration
from wearcast.training.fault.splits import leave_out, random_split


def make_recording(name: str, fault: str, *, samples: int = 12, **conditions: str) -> Vibration:
    values = np.arange(samples, dtype=np.float32)[None]
    return Vibration(name, ("de",), ("g",), 100.0, values, fault, conditions)


def make_rig(sizes: list[str], faults: list[str]) -> list[Vibration]:
    return [
        make_recording(f"{fault}-{size}-{rpm}", fault, size=size, speed=rpm)
        for size in sizes
        for fault in faults
        for rpm in ("1797", "1750")
    ]


@given(
    st.lists(st.sampled_from(["7", "14", "21", "worn"]), min_size=2, max_size=4, unique=True),
    st.lists(
        st.sampled_from(["ball", "inner race", "normal"]), min_size=1, max_size=3, unique=True
    ),
    st.sampled_from(["size", "speed"]),
)
def test_nothing_is_on_both_sides_and_everything_is_tested_once(
    sizes: list[str], faults: list[str], condition: str
) -> None:
    rig = make_rig(sizes, faults)
    tested = Counter[str]()
    for split in leave_out(rig, condition):
        training = {it.name for it in split.training}
        test = {it.name for it in split.test}
        assert not training & test
        assert training | test == {it.name for it in rig}
        assert {it.conditions[condition] for it in split.test} == {split.held_out}
        assert split.held_out not in {it.conditions[condition] for it in split.training}
        tested.update(test)
    assert tested == Counter(it.name for it in rig)


def test_values_come_in_order_of_their_size() -> None:
    splits = leave_out(make_rig(["14", "worn", "7", "21"], ["ball"]), "size")
    assert [it.held_out for it in splits] == ["7", "14", "21", "worn"]


def test_a_recording_is_held_out_by_what_it_is_a_part_of_or_by_its_name() -> None:
    parts = [
        make_recording("a1", "ball", recording="a"),
        make_recording("a2", "ball", recording="a"),
        make_recording("b", "ball"),
    ]
    splits = leave_out(parts, "recording")
    assert [[it.name for it in split.test] for split in splits] == [["a1", "a2"], ["b"]]


@given(st.integers(0, 50), st.integers(2, 5), st.integers(1, 5))
def test_random_windows_are_each_tested_once(seed: int, folds: int, window: int) -> None:
    recordings = [make_recording("a", "ball", samples=40), make_recording("b", "ball", samples=33)]
    splits = random_split(recordings, window, folds=folds, seed=seed)
    assert len(splits) == folds
    tested = Counter[tuple[str, float]]()
    for split in splits:
        names = {it.name for it in split.training}
        assert not names & {it.name for it in split.test}
        for it in (*split.training, *split.test):
            assert it.values.shape == (1, window)
        tested.update((it.name[0], float(it.values[0, 0])) for it in split.test)
    starts = [("a", start) for start in range(0, 40 - window + 1, window)]
    starts += [("b", start) for start in range(0, 33 - window + 1, window)]
    assert tested == Counter(starts)


def test_random_windows_are_leaky_and_hang_on_the_seed_alone() -> None:
    recordings = [make_recording("a", "ball", samples=100), make_recording("b", "normal")]

    def names(seed: int) -> list[list[str]]:
        return [
            [it.name for it in split.test]
            for split in random_split(recordings, 1, folds=2, seed=seed)
        ]

    assert names(0) == names(0)
    assert names(0) != names(1)
    assert all(any(name.startswith("a@") for name in fold) for fold in names(0))


@pytest.mark.parametrize(
    ("recordings", "condition", "message"),
    [
        (
            [make_recording("a", "ball", size="7"), make_recording("b", "ball")],
            "size",
            "b: condition: expected one of recording, got size",
        ),
        (
            [make_recording("a", "ball", recording="a")],
            "size",
            "a: condition: expected one of recording, got size",
        ),
        (
            [make_recording("a", "ball", size="7"), make_recording("b", "ball", size="7")],
            "size",
            "size: expected two values or more to hold one out, got 7",
        ),
        (
            [make_recording("a", "ball"), make_recording("b", "normal")],
            "recording",
            "recording a held out: expected every fault among the other recordings, got none",
        ),
        (
            [make_recording("a", "ball"), make_recording("a", "ball")],
            "recording",
            "recordings: expected each name once, got a",
        ),
        (
            [make_recording("a", ""), make_recording("b", "ball")],
            "recording",
            "a: fault: expected a name, got none",
        ),
        ([], "size", "size: expected two values or more"),
    ],
)
def test_splits_that_cannot_be_are_refused(
    recordings: list[Vibration], condition: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        leave_out(recordings, condition)


def test_too_few_windows_for_the_folds_are_refused() -> None:
    with pytest.raises(InputError, match="windows: expected 3 or more, got 2"):
        random_split([make_recording("a", "ball")], 6, folds=3)
