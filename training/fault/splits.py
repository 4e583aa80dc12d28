"""Who teaches and who is tested: whole recordings, so that nothing of one is on both sides."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.vibration import Vibration

# Every recording has a name, whatever else is known of it.
RECORDING = "recording"


@dataclass(frozen=True, eq=False)
class Split:
    """Recordings to learn from and to test on; held_out: what the tested ones have in common."""

    held_out: str
    training: list[Vibration]
    test: list[Vibration]


def leave_out(vibrations: Sequence[Vibration], condition: str) -> list[Split]:
    """One split for each value of a condition, in order: all recordings with it are the test.

    condition: a name in `Vibration.conditions`, such as unit, load, size or speed; or `RECORDING`,
    which is the recording's own name where its conditions don't say.

    Raises:
        InputError: a recording without a fault or the condition, or a name twice; one value alone;
            a tested fault that the others have not.
    """
    values = [find_value(vibration, condition) for vibration in vibrations]
    _check_names(vibrations)
    distinct = sorted(set(values), key=_order)
    if len(distinct) < 2:  # noqa: PLR2004 one to learn from, one to test
        raise InputError(condition, "two values or more to hold one out", ", ".join(distinct))
    splits = []
    for held_out in distinct:
        pairs = list(zip(vibrations, values, strict=True))
        training = [vibration for vibration, value in pairs if value != held_out]
        test = [vibration for vibration, value in pairs if value == held_out]
        _check_taught(f"{condition} {held_out} held out", training, test)
        splits.append(Split(held_out, training, test))
    return splits


def random_split(
    vibrations: Sequence[Vibration], window: int, *, folds: int = 5, seed: int = 0
) -> list[Split]:
    """Splits by windows drawn by lot: leaky, as windows of one recording are on both sides.

    Its figures mean nothing; they are there to be seen beside those of `leave_out`. Recordings are
    cut into `window` samples each, what is left over is not used. Each window is a recording of its
    own here, and is tested once. The same seed gives the same splits.

    Raises:
        InputError: a recording without a fault, or a name twice; fewer windows than folds; a
            tested fault that the others have not.
    """
    _check_names(vibrations)
    pieces = [
        replace(
            vibration,
            name=(name := f"{vibration.name}@{start}"),
            values=vibration.values[:, start : start + window],
            conditions={**vibration.conditions, RECORDING: name},
        )
        for vibration in vibrations
        for start in range(0, vibration.values.shape[1] - window + 1, window)
    ]
    if len(pieces) < folds:
        raise InputError("windows", f"{folds} or more", len(pieces))
    fold = np.random.default_rng(seed).permutation(len(pieces)) % folds
    splits = []
    for number in range(folds):
        training = [piece for piece, place in zip(pieces, fold, strict=True) if place != number]
        test = [piece for piece, place in zip(pieces, fold, strict=True) if place == number]
        _check_taught(f"fold {number + 1} held out", training, test)
        splits.append(Split(f"fold {number + 1}", training, test))
    return splits


def find_value(vibration: Vibration, condition: str) -> str:
    """What a recording is left out by; its own name stands for `RECORDING` that is not told.

    Raises:
        InputError: the recording does not tell the condition.
    """
    if condition == RECORDING:
        return vibration.conditions.get(RECORDING, vibration.name)
    if condition not in vibration.conditions:
        known = ", ".join(dict.fromkeys((RECORDING, *vibration.conditions)))
        raise InputError(f"{vibration.name}: condition", f"one of {known}", condition)
    return vibration.conditions[condition]


def _check_names(vibrations: Sequence[Vibration]) -> None:
    names: set[str] = set()
    for vibration in vibrations:
        if not vibration.fault:
            raise InputError(f"{vibration.name}: fault", "a name", "none")
        if vibration.name in names:
            raise InputError("recordings", "each name once", vibration.name)
        names.add(vibration.name)


def _check_taught(what: str, training: Sequence[Vibration], test: Sequence[Vibration]) -> None:
    """No model can find a fault that it was never shown."""
    taught = {vibration.fault for vibration in training}
    for vibration in test:
        if vibration.fault not in taught:
            got = f"none with {vibration.fault}"
            raise InputError(what, "every fault among the other recordings", got)


def _order(value: str) -> tuple[bool, float, str]:
    """Numbers first, by size, then texts; so 7 comes before 14."""
    try:
        return False, float(value), value
    except ValueError:
        return True, 0.0, value
