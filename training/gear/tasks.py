"""The tasks on gear vibration, each way scored on what it has not seen.

Speed and load are never inputs: they are what is held out, or what is asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.vibration import Vibration
from wearcast.training.fault.metrics import Scores, score_faults
from wearcast.training.fault.splits import Split, leave_out
from wearcast.training.gear.examples import (
    SPEED_AND_LOAD,
    WINDOW,
    Examples,
    cut_examples,
    list_faults,
)
from wearcast.training.gear.ways import Answer, Array, Classifier, Regressor

Taught = TypeVar("Taught")
SAME = "none: later in the same recording"
# Of a recording, so much at its beginning teaches where its end is tested. Chosen.
_SAME_SHARE = 0.6
# What is held out in turn, where it has two values or more; `unit` is the rig.
_HELD_OUT = ("speed", "load", SPEED_AND_LOAD, "unit")
# Values of a target that are needed to hold one of them out: one would be a constant.
_LEAST_TO_EXTRAPOLATE = 3


@dataclass(frozen=True, eq=False)
class ClassResult:
    """Which fault, with one kind of split.

    held_out: name of the condition. values: each held out once, in order. ways: scores of all
    windows tested, by name. by_value: macro-F1 for each of the values, by name of the way.
    """

    held_out: str
    values: list[str]
    ways: dict[str, Scores]
    by_value: dict[str, list[float]]


class Errors(NamedTuple):
    """Mean absolute and root mean squared error, in the target's unit."""

    mae: float
    rmse: float


@dataclass(frozen=True, eq=False)
class NumberResult:
    """How fast, or under which load, with one kind of split; ways: errors by name, pooled."""

    target: str
    held_out: str
    windows: int
    ways: dict[str, Errors]


@dataclass(frozen=True, eq=False)
class GearResults:
    """All tasks; left_out: splits that the recordings do not allow, and why."""

    faults: tuple[str, ...]
    recordings: int
    classes: list[ClassResult]
    numbers: list[NumberResult]
    left_out: dict[str, str]


def evaluate_tasks(
    vibrations: Sequence[Vibration],
    classifiers: Mapping[str, Classifier],
    regressors: Mapping[str, Mapping[str, Regressor]],
    *,
    on_split: Callable[[], None] = lambda: None,
) -> GearResults:
    """Every way on every task; `on_split` is called after each of `list_splits`.

    vibrations: as `wearcast.training.gear.examples.read_rigs` gives them. regressors: by target,
    speed or load, and name.

    Raises:
        InputError: fewer than two faults, or recordings too short.
    """
    faults = list_faults(vibrations)
    if len(faults) < 2:  # noqa: PLR2004 one is no choice
        raise InputError("data", "recordings of two faults or more", ", ".join(faults))
    splits, left_out = list_splits(vibrations)
    classes, numbers = [], []
    for held_out, folds in splits.items():
        tested = [_cut(split, faults) for split in folds]
        values = [split.held_out for split in folds]
        classes.append(_classify(held_out, values, tested, faults, classifiers))
        for target, ways in regressors.items():
            reason = _refuse(target, held_out, vibrations)
            if reason:
                left_out[f"{target} with {held_out} held out"] = reason
            else:
                numbers.append(_regress(target, held_out, tested, ways))
        on_split()
    return GearResults(faults, len(vibrations), classes, numbers, left_out)


def list_splits(vibrations: Sequence[Vibration]) -> tuple[dict[str, list[Split]], dict[str, str]]:
    """Splits by what is held out; and what can't be, with the reason."""
    splits, left_out = {SAME: [split_in_time(vibrations)]}, {}
    for condition in _HELD_OUT:
        try:
            splits[condition] = leave_out(vibrations, condition)
        except InputError as error:
            left_out[f"{condition} held out"] = str(error)
    return splits, left_out


def split_in_time(vibrations: Sequence[Vibration]) -> Split:
    """Each recording's beginning to learn from, and its end to test; a window between is not used.

    Raises:
        InputError: a recording is too short for a window in each.
    """
    training, test = [], []
    for vibration in vibrations:
        samples = vibration.values.shape[1]
        border = round(samples * _SAME_SHARE)
        if min(border, samples - border - WINDOW) < WINDOW:
            raise InputError(f"samples of {vibration.name}", f"{5 * WINDOW} or more", samples)
        training.append(replace(vibration, values=vibration.values[:, :border]))
        test.append(replace(vibration, values=vibration.values[:, border + WINDOW :]))
    return Split(SAME, training, test)


def _cut(split: Split, faults: Sequence[str]) -> tuple[Examples, Examples]:
    """Examples to learn from, and to test."""
    return cut_examples(split.training, faults), cut_examples(split.test, faults)


def _classify(
    held_out: str,
    values: list[str],
    tested: Sequence[tuple[Examples, Examples]],
    faults: tuple[str, ...],
    classifiers: Mapping[str, Classifier],
) -> ClassResult:
    truth = [test.faults for _, test in tested]
    ways, by_value = {}, {}
    for name, said in _answer_all(tested, classifiers, lambda _: len(faults)).items():
        ways[name] = score_faults(np.concatenate(truth), np.concatenate(said), faults)
        by_value[name] = [
            score_faults(labels, part, faults).macro_f1
            for labels, part in zip(truth, said, strict=True)
        ]
    return ClassResult(held_out, values, ways, by_value)


def _answer_all(
    tested: Sequence[tuple[Examples, Examples]],
    ways: Mapping[str, Callable[[Examples, Taught], Answer]],
    teach: Callable[[Examples], Taught],
) -> dict[str, list[Array]]:
    """What each way says of each test, by name; all of them on one split before the next.

    So what several of them compute of the same examples is still kept.
    """
    said: dict[str, list[Array]] = {name: [] for name in ways}
    for training, test in tested:
        for name, way in ways.items():
            said[name].append(way(training, teach(training))(test))
    return said


def _regress(
    target: str,
    held_out: str,
    tested: Sequence[tuple[Examples, Examples]],
    regressors: Mapping[str, Regressor],
) -> NumberResult:
    truth = np.concatenate([_numbers(test, target) for _, test in tested])
    ways = {}
    said_by_way = _answer_all(tested, regressors, lambda training: _numbers(training, target))
    for name, said in said_by_way.items():
        errors = np.concatenate(said) - truth
        ways[name] = Errors(
            mae=float(np.abs(errors).mean()), rmse=float(np.sqrt(np.mean(errors**2)))
        )
    return NumberResult(target, held_out, len(truth), ways)


def _numbers(examples: Examples, target: str) -> Array:
    return examples.speeds if target == "speed" else examples.loads


def _refuse(target: str, held_out: str, vibrations: Sequence[Vibration]) -> str:
    """Why a target can't be asked for with that held out; empty if it can."""
    values = len({vibration.conditions[target] for vibration in vibrations})
    if values == 1:
        return f"there is one {target} only"
    if held_out == target and values < _LEAST_TO_EXTRAPOLATE:
        return f"there are {values} values of {target}: without one of them it is a constant"
    return ""
