"""Fitting the spectral model: a regularised linear map, its calibration, and where it ends.

All choices are made by folds: whole machines, loads, sizes or recordings are left out in turn, and
what is chosen does best on those. Each recording counts as one observation, however long it is, as
its windows are alike.

- The map is a multinomial logistic regression with a standard normal prior of each weight; where
  recordings are few, a penalty chosen by folds would be chosen by chance.
- Calibration is by temperature (Guo et al., On calibration of modern neural networks, ICML 2017),
  on answers about folds that were left out, with a normal prior on its logarithm, as folds are few.
  With two folds there is none: each map is then fitted to half, and not the one to be calibrated.
- The threshold of novelty is the distance that all but one in a hundred windows of a fold left out
  keep from the recordings of the others; where folds are parts in time, of a recording left out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from wearcast.training.fault.spectral import GROUPS, WHITE, Group, Spectral, SpectralConfig
from wearcast.training.loss import MemberEpoch

Array = NDArray[np.float64]
Places = NDArray[np.int64]
Look = tuple[Group, ...]
# Of the logarithm of the temperature. Chosen: the temperature is seldom beyond 3 or under 1/3.
_TEMPERATURE_SD = 0.5
# With fewer, what does best on folds does so by chance.
LEAST_FOLDS = 3
_LOG_TEMPERATURES = np.linspace(-3.0, 3.0, 241)
_WITHIN = 0.99
# Chosen.
_ONE_MACHINE = 1.5
# How far the spread of what novelty is counted in is drawn towards equal spreads. Chosen: there are
# fewer recordings than bands.
_SHRINKAGE = 0.2
_ITERATIONS = 2000


@dataclass(frozen=True, eq=False)
class Lesson:
    """Windows that are learned from, n of them.

    features: (n, F), groups as in the configuration they were made by. limits: (n, L), what
    distances are counted in. flatness: (n, channels). fault, recording: (n,), places. fold: (n,),
    what is left out together; -1: in none, as the window lies on a border.
    """

    features: Array
    limits: Array
    flatness: Array
    fault: Places
    recording: Places
    fold: Places

    def part(self, rows: NDArray[np.bool_]) -> "Lesson":
        """Some of the windows."""
        return Lesson(
            self.features[rows],
            self.limits[rows],
            self.flatness[rows],
            self.fault[rows],
            self.recording[rows],
            self.fold[rows],
        )

    def folds(self) -> Iterator[tuple["Lesson", "Lesson", NDArray[np.bool_]]]:
        """What each fold leaves, the fold itself, and where its windows are."""
        for number in np.unique(self.fold[self.fold >= 0]):
            inside = self.fold == number
            yield self.part(~inside & (self.fold >= 0)), self.part(inside), inside


@dataclass(frozen=True)
class Choice:
    """What was chosen; loss: mean negative log likelihood of recordings in folds left out."""

    look: Look
    temperature: float
    threshold: float
    loss: float


def list_looks(config: SpectralConfig) -> list[Look]:
    """All sets of groups that are not empty; the last one holds all."""
    groups = [group for group in GROUPS if config.sizes().get(group)]
    return [look for count in range(1, len(groups) + 1) for look in combinations(groups, count)]


def fit_spectral(
    config: SpectralConfig,
    lesson: Lesson,
    looks: Sequence[Look],
    on_epoch: Callable[[MemberEpoch], None],
) -> tuple[Spectral, Choice]:
    """The model that does best on folds left out; `config` looks at all groups of the lesson.

    on_epoch: told the loss of each set of groups; there are no passes, so each is one epoch.
    """
    best: tuple[float, Look, float] | None = None
    for epoch, look in enumerate(looks, 1):
        training, logits = _cross_fit(lesson, _columns(config, look))
        used = lesson.fold >= 0
        temperature, loss = _fit_temperature(logits[used], lesson.part(used))
        on_epoch(MemberEpoch(0, epoch, training, loss))
        if best is None or loss < best[0]:
            best = loss, look, temperature
    if best is None:
        raise ValueError(looks)
    loss, look, temperature = best
    places = np.unique(lesson.recording)
    model = Spectral(replace(config, look=look, recordings=len(places)))
    columns = _columns(config, look)
    center, scale, weight, bias = _fit_map(lesson, columns)
    threshold = _find_threshold(lesson)
    with torch.no_grad():
        _load(model.center, center)
        _load(model.scale, scale)
        _load(model.linear.weight, weight / temperature)
        _load(model.linear.bias, bias / temperature)
        centers, whitening = _fit_places(lesson)
        _load(model.places, centers)
        _load(model.whitening, whitening)
        _load(model.threshold, np.array(threshold))
        flattest = np.quantile(lesson.flatness, _WITHIN, axis=0)
        _load(model.flattest, (flattest + WHITE) / 2)
    return model.eval(), Choice(look, temperature, threshold, loss)


def _load(target: torch.Tensor, values: Array) -> None:
    target.copy_(torch.from_numpy(np.asarray(values, np.float32)))


def _columns(config: SpectralConfig, look: Look) -> Places:
    """Places of some groups' features."""
    places: list[int] = []
    first = 0
    for group, size in config.sizes().items():
        if group in look:
            places += range(first, first + size)
        first += size
    return np.array(places)


def _weigh(lesson: Lesson) -> Array:
    """Weights (n,): each recording counts once, each fault as much as any other."""
    _, place, windows = np.unique(lesson.recording, return_inverse=True, return_counts=True)
    weight = 1.0 / windows[place]
    totals = np.bincount(lesson.fault, weight)
    weights: Array = weight * (totals.sum() / (totals > 0).sum() / totals[lesson.fault])
    return weights


def _fit_map(lesson: Lesson, columns: Places) -> tuple[Array, Array, Array, Array]:
    """Center, scale, weights (K, F) and biases (K,) of the linear map."""
    weights = _weigh(lesson)
    features = lesson.features[:, columns]
    center = np.average(features, axis=0, weights=weights)
    scale = np.sqrt(np.average((features - center) ** 2, axis=0, weights=weights)) + 1e-3
    classifier = LogisticRegression(max_iter=_ITERATIONS)
    classifier.fit((features - center) / scale, lesson.fault, weights)
    weight, bias = classifier.coef_, classifier.intercept_
    if len(weight) == 1:  # two faults share one
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return center, scale, weight, bias


def _cross_fit(lesson: Lesson, columns: Places) -> tuple[float, Array]:
    """Mean loss on what was fitted to, and logits (n, K) of windows in folds left out."""
    logits = np.zeros((len(lesson.fault), int(lesson.fault.max()) + 1))
    losses = []
    for rest, left_out, rows in lesson.folds():
        center, scale, weight, bias = _fit_map(rest, columns)
        answers = [
            ((part.features[:, columns] - center) / scale) @ weight.T + bias
            for part in (rest, left_out)
        ]
        logits[rows] = answers[1]
        losses.append(_loss(answers[0], rest))
    return float(np.mean(losses)), logits


def _loss(logits: Array, lesson: Lesson) -> float:
    """Negative log likelihood, recordings and faults weighted alike."""
    top = logits.max(axis=1)
    spread = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
    losses = spread - logits[np.arange(len(logits)), lesson.fault]
    return float(np.average(losses, weights=_weigh(lesson)))


def _fit_temperature(logits: Array, lesson: Lesson) -> tuple[float, float]:
    """Temperature that is most probable, and the loss with it."""
    if len(np.unique(lesson.fold)) < LEAST_FOLDS:
        return 1.0, _loss(logits, lesson)
    recordings = len(np.unique(lesson.recording))
    losses = [_loss(logits / np.exp(item), lesson) for item in _LOG_TEMPERATURES]
    prior = (_LOG_TEMPERATURES / _TEMPERATURE_SD) ** 2 / 2 / recordings
    best = int(np.argmin(np.array(losses) + prior))
    return float(np.exp(_LOG_TEMPERATURES[best])), losses[best]


def _fit_places(lesson: Lesson) -> tuple[Array, Array]:
    """Mean of each recording, (R, L), and what turns differences into distances, (L, L)."""
    numbers = np.unique(lesson.recording)
    parts = [lesson.limits[lesson.recording == number] for number in numbers]
    centers = np.stack([part.mean(axis=0) for part in parts])
    within = np.mean([_covariance(part) for part in parts], axis=0)
    spread = within + _covariance(centers)
    equal = np.trace(spread) / len(spread) * np.eye(len(spread))
    values, vectors = np.linalg.eigh((1 - _SHRINKAGE) * spread + _SHRINKAGE * equal)
    return centers, vectors / np.sqrt(values)


def _covariance(rows: Array) -> Array:
    away = rows - rows.mean(axis=0)
    return np.asarray(away.T @ away / max(len(rows) - 1, 1))


def _find_threshold(lesson: Lesson) -> float:
    """Distance that windows of recordings left out keep, but for a few.

    Where folds are parts in time, which are all alike, each recording is left out instead, and
    there is a margin: nothing tells how far another machine of the kind would be.
    """
    pairs = np.unique(np.stack([lesson.recording, lesson.fold]), axis=1)
    margin = 1.0
    if pairs.shape[1] > len(np.unique(lesson.recording)):
        lesson, margin = replace(lesson, fold=lesson.recording), _ONE_MACHINE
    distances: list[Array] = []
    for rest, left_out, _ in lesson.folds():
        centers, whitening = _fit_places(rest)
        away = (left_out.limits[:, None] - centers) @ whitening
        distances.append(np.sqrt((away**2).sum(axis=2)).min(axis=1))
    return margin * float(np.quantile(np.concatenate(distances), _WITHIN))
