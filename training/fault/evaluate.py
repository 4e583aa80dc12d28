"""How good fault models are on machines, loads or fault sizes that they have not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.vibration import Vibration
from wearcast.training.fault.forest import answer_forest, describe_windows, fit_forest
from wearcast.training.fault.metrics import Scores, score_faults
from wearcast.training.fault.part_d import (
    ARCHITECTURES,
    InstantFitting,
    answer_instants,
    average,
    find_faults,
    train_instants,
)
from wearcast.training.fault.spectral import Spectral
from wearcast.training.fault.spectral_train import (
    ARCHITECTURE,
    SEQUENCE,
    SpectralSettings,
    choose_window,
    cut_windows,
    train_spectral,
)
from wearcast.training.fault.splits import Split, leave_out, random_split
from wearcast.training.loss import MemberEpoch

FOREST = "random forest"
MODELS = (ARCHITECTURE, *ARCHITECTURES, FOREST)
_SCORED_AT_ONCE = 16


class Answers(NamedTuple):
    """What a model says of one recording: probabilities (n, K), and which are unknown, (n,)."""

    probabilities: NDArray[np.float64]
    unknown: NDArray[np.bool_]


@dataclass(frozen=True)
class EvaluationSettings:
    """What may be chosen; the forest looks at windows as the spectral model does."""

    spectral: SpectralSettings = field(default_factory=SpectralSettings)
    fitting: InstantFitting = field(default_factory=InstantFitting)
    seed: int = 0


@dataclass(frozen=True)
class Evaluation:
    """Figures by model.

    pooled: over all windows, each scored while its recording was held out. folds: the same by what
    was held out. right: recordings whose mean probability names their fault, and how many there
    are. leaky: of random windows, where asked for. histories: the losses, by model and fold.
    """

    faults: tuple[str, ...]
    pooled: dict[str, Scores]
    folds: dict[str, dict[str, Scores]]
    right: dict[str, tuple[int, int]]
    leaky: dict[str, Scores]
    histories: dict[str, dict[str, list[MemberEpoch]]]


Note = Callable[[MemberEpoch], None]


def evaluate_fault(
    vibrations: Sequence[Vibration],
    models: Sequence[str],
    hold_out: str,
    settings: EvaluationSettings | None = None,
    *,
    leaky: bool = False,
    on_fold: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Leave out each value of a condition in turn, train on the rest, and score what was left out.

    models: some of `MODELS`. hold_out: a condition, see `leave_out`. leaky: also score the spectral
    model and the forest on random windows. on_fold: called for each model and fold.

    Raises:
        InputError: a model that is none; recordings that don't belong together or can't be split.
    """
    settings = settings or EvaluationSettings()
    for model in models:
        if model not in MODELS:
            raise InputError("model", " or ".join(MODELS), model)
    faults = find_faults(vibrations)
    splits = leave_out(vibrations, hold_out)
    # The same for all models and folds; the readings themselves don't matter to it.
    window = choose_window(vibrations, settings.spectral)
    settings = replace(settings, spectral=replace(settings.spectral, window=window))
    histories: dict[str, dict[str, list[MemberEpoch]]] = {model: {} for model in models}
    said: dict[str, dict[str, list[Answers]]] = {model: {} for model in models}
    for split in splits:
        for model in models:
            history: list[MemberEpoch] = []
            said[model][split.held_out] = _answer(
                model, split, faults, by=hold_out, settings=settings, note=history.append
            )
            histories[model][split.held_out] = history
            on_fold()
    tested = [vibration for split in splits for vibration in split.test]
    pooled, folds, right = {}, {}, {}
    for model in models:
        answers = [item for split in splits for item in said[model][split.held_out]]
        pooled[model] = _score(tested, answers, faults)
        folds[model] = {
            split.held_out: _score(split.test, said[model][split.held_out], faults)
            for split in splits
        }
        named = [faults[item.probabilities.mean(axis=0).argmax()] for item in answers]
        hits = [name == vibration.fault for name, vibration in zip(named, tested, strict=True)]
        right[model] = (sum(hits), len(hits))
    leaked = _evaluate_leaky(vibrations, models, faults, settings, on_fold) if leaky else {}
    return Evaluation(faults, pooled, folds, right, leaked, histories)


def count_folds(
    vibrations: Sequence[Vibration], models: Sequence[str], hold_out: str, *, leaky: bool
) -> int:
    """How often `on_fold` is called."""
    folds = len(leave_out(vibrations, hold_out))
    return len(models) * folds + (len(_leaky_models(models)) if leaky else 0)


def _leaky_models(models: Sequence[str]) -> list[str]:
    return [model for model in models if model in {ARCHITECTURE, FOREST}]


def _evaluate_leaky(
    vibrations: Sequence[Vibration],
    models: Sequence[str],
    faults: tuple[str, ...],
    settings: EvaluationSettings,
    on_fold: Callable[[], None],
) -> dict[str, Scores]:
    window = choose_window(vibrations, settings.spectral)
    splits = random_split(vibrations, 2 * window, seed=settings.seed)
    found = {}
    for model in _leaky_models(models):
        tested: list[Vibration] = []
        answers: list[Answers] = []
        for split in splits:
            tested += split.test
            answers += _answer(
                model, split, faults, by=None, settings=settings, note=lambda _: None
            )
        found[model] = _score(tested, answers, faults)
        on_fold()
    return found


def _score(
    tested: Sequence[Vibration], answers: Sequence[Answers], faults: tuple[str, ...]
) -> Scores:
    labels = [
        np.full(len(item.unknown), faults.index(vibration.fault))
        for vibration, item in zip(tested, answers, strict=True)
    ]
    return score_faults(
        np.concatenate(labels),
        np.concatenate([item.probabilities for item in answers]),
        faults,
        unknown=np.concatenate([item.unknown for item in answers]),
    )


def _answer(
    model: str,
    split: Split,
    faults: tuple[str, ...],
    *,
    by: str | None,
    settings: EvaluationSettings,
    note: Note,
) -> list[Answers]:
    """Train on one side of a split, and answer about each recording of the other."""
    if model == FOREST:
        return _answer_forest(split, faults, settings)
    if model == ARCHITECTURE:
        return _answer_spectral(split, faults, by, settings, note)
    trained = train_instants(
        split.training, model, fitting=settings.fitting, seed=settings.seed, on_epoch=note
    )
    if trained.interrupted:  # half a training would pass for a whole one
        raise KeyboardInterrupt
    window = trained.model.config.window
    taught = find_faults(split.training)
    answers = []
    for vibration in split.test:
        instants = np.ascontiguousarray(average(vibration.values, window).T)
        said = _order(answer_instants(trained.model, instants), taught, faults)
        answers.append(Answers(said, np.zeros(len(said), bool)))
    return answers


def _answer_spectral(
    split: Split,
    faults: tuple[str, ...],
    by: str | None,
    settings: EvaluationSettings,
    note: Note,
) -> list[Answers]:
    spectral = settings.spectral if by is None else replace(settings.spectral, by=by)
    trained = train_spectral(split.training, spectral, on_epoch=note)
    taught = find_faults(split.training)
    answers = []
    for vibration in split.test:
        said, novelty = score_windows(trained.model, vibration)
        answers.append(Answers(_order(said, taught, faults), novelty >= 1))
    return answers


def score_windows(
    model: Spectral, vibration: Vibration
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probabilities (n, K) and novelty (n,) of a recording's windows."""
    windows = cut_windows(vibration.values, model.config.sequence, model.config.window)
    with torch.no_grad():
        said = [model(part) for part in torch.split(windows, _SCORED_AT_ONCE)]
    probability, novelty = (torch.cat(part).numpy() for part in zip(*said, strict=True))
    return probability, novelty


def _answer_forest(
    split: Split, faults: tuple[str, ...], settings: EvaluationSettings
) -> list[Answers]:
    window = choose_window(split.training, settings.spectral)

    def describe(vibration: Vibration) -> NDArray[np.float64]:
        windows = cut_windows(vibration.values, SEQUENCE, window // SEQUENCE)
        return describe_windows(windows.permute(0, 2, 1, 3).flatten(2).numpy())

    taught = [describe(vibration) for vibration in split.training]
    labels = [
        np.full(len(part), faults.index(vibration.fault))
        for vibration, part in zip(split.training, taught, strict=True)
    ]
    forest = fit_forest(np.concatenate(taught), np.concatenate(labels), settings.seed)
    answers = []
    for vibration in split.test:
        said = answer_forest(forest, describe(vibration), len(faults))
        answers.append(Answers(said, np.zeros(len(said), bool)))
    return answers


def _order(
    said: NDArray[np.float32], taught: Sequence[str], faults: Sequence[str]
) -> NDArray[np.float64]:
    """Columns in the order of all faults."""
    ordered = np.zeros((len(said), len(faults)))
    ordered[:, [faults.index(fault) for fault in taught]] = said
    return ordered
