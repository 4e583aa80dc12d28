"""How good answers about faults are: how often right, in what order, and as sure as they say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from wearcast.signals.errors import InputError

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

# Source: Guo et al., On calibration of modern neural networks, ICML 2017: 15 bins of equal width.
BINS = 15
# What float32 may err by in the sum of a row.
_SUM_TOLERANCE = 1e-3
# As in scikit-learn's log_loss: what a probability of 0 counts as, whose logarithm is no number.
_LEAST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Reliability:
    """Answers by how sure they are, in `BINS` bins of equal width, each with its upper end.

    count: int64 (BINS,). confidence: mean probability of the answer; right: share of answers that
    are right; both float64 (BINS,), NaN in an empty bin.
    """

    count: Counts
    confidence: Array
    right: Array

    @property
    def error(self) -> float:
        """Expected calibration error, 0 to 1, high is bad. Source: Guo et al. (2017)."""
        distance = np.abs(np.nan_to_num(self.right - self.confidence))
        return float(np.sum(distance * self.count) / self.count.sum())


@dataclass(frozen=True, eq=False)
class Scores:
    """Figures of one model over some windows; an answer is the most probable fault.

    They count an answer that the model calls unknown too, so that calling much unknown improves
    nothing; `unknown` and `missed_macro_f1` say what it comes to.

    confusion: int64 (K, K), a row for each fault that is there, a column for each answer.
    precision, recall, f1: float64 (K,); NaN where there is nothing to divide by: a fault that is
    never answered, is never there, or neither. support: int64 (K,), windows with each fault.
    unknown: int64 (K,), those of them called unknown. macro_f1, macro_auroc: means over the faults
    that are there, of AUROC against all others (NaN with one fault alone). missed_macro_f1:
    macro_f1 if a window called unknown counts as one whose fault was not found. brier: mean over
    windows of the squared distance between probabilities and truth, 0 to 2, high is bad (Brier,
    1950). nll: mean negative natural logarithm of the true fault's probability, high is bad.
    """

    faults: tuple[str, ...]
    confusion: Counts
    precision: Array
    recall: Array
    f1: Array
    support: Counts
    unknown: Counts
    accuracy: float
    macro_f1: float
    macro_auroc: float
    missed_macro_f1: float
    reliability: Reliability
    brier: float
    nll: float

    @property
    def windows(self) -> int:
        """How many were scored."""
        return int(self.support.sum())

    @property
    def unknown_share(self) -> float:
        """Share of windows called unknown."""
        return float(self.unknown.sum() / self.windows)

    @property
    def calibration_error(self) -> float:
        """Expected calibration error, 0 to 1, high is bad."""
        return self.reliability.error


def score_faults(
    labels: ArrayLike,
    probabilities: ArrayLike,
    faults: Sequence[str],
    *,
    unknown: ArrayLike | None = None,
) -> Scores:
    """Compare answers with what is there.

    labels: int (n,), places in `faults`. probabilities: (n, K), each row sums to 1. unknown: bool
    (n,), windows that the model calls unknown; None: it calls none so.

    >>> scores = score_faults([0, 0, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], ["normal", "ball"])
    >>> scores.confusion.tolist(), scores.recall.tolist(), round(scores.accuracy, 3)
    ([[1, 1], [0, 1]], [0.5, 1.0], 0.667)

    Raises:
        InputError: no windows; shapes that don't fit; a label that is no place; probabilities that
            are none.
    """
    count = len(faults)
    truth = _check_labels(np.asarray(labels), count)
    said = _check_probabilities(np.asarray(probabilities, dtype=np.float64), len(truth), count)
    dark = np.zeros(len(truth), bool) if unknown is None else np.asarray(unknown, dtype=bool)
    if dark.shape != truth.shape:
        raise InputError("unknown", f"shape {truth.shape}", dark.shape)
    answers = said.argmax(axis=1)
    there = np.bincount(truth, minlength=count) > 0
    precision, recall, f1, support = _rate(truth, answers, count)
    # One more answer, which is never right.
    _, _, missed_f1, _ = _rate(truth, np.where(dark, count, answers), count)
    areas = [
        roc_auc_score(truth == place, said[:, place])
        for place in np.flatnonzero(there)
        if there.sum() > 1
    ]
    return Scores(
        faults=tuple(faults),
        confusion=np.asarray(confusion_matrix(truth, answers, labels=range(count)), np.int64),
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
        unknown=np.bincount(truth[dark], minlength=count).astype(np.int64),
        accuracy=float(np.mean(answers == truth)),
        macro_f1=float(f1[there].mean()),
        macro_auroc=float(np.mean(areas)) if areas else float("nan"),
        missed_macro_f1=float(missed_f1[there].mean()),
        reliability=measure_reliability(said.max(axis=1), answers == truth),
        brier=float(np.mean(np.sum((said - np.eye(count)[truth]) ** 2, axis=1))),
        nll=float(np.mean(-np.log(np.maximum(said[np.arange(len(truth)), truth], _LEAST)))),
    )


def measure_reliability(confidence: Array, right: NDArray[np.bool_]) -> Reliability:
    """Answers by bins of their probability; confidence float64 (n,) above 0, right bool (n,).

    A probability on the border of two bins is in the lower one.
    """
    places = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    count = np.bincount(places, minlength=BINS)
    some = np.where(count, count, np.nan)
    return Reliability(
        count=count.astype(np.int64),
        confidence=np.bincount(places, confidence, BINS) / some,
        right=np.bincount(places, right, BINS) / some,
    )


def _rate(truth: Counts, answers: Counts, count: int) -> tuple[Array, Array, Array, Counts]:
    """Precision, recall, F1 and support of each fault."""
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, answers, labels=range(count), average=None, zero_division=np.nan
    )
    return precision, recall, f1, np.asarray(support, np.int64)


def _check_labels(labels: NDArray[np.generic], count: int) -> Counts:
    if labels.ndim != 1 or not len(labels):
        raise InputError("labels", "one for each window, one window or more", labels.shape)
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError("labels", "whole numbers", labels.dtype)
    truth = labels.astype(np.int64)
    if truth.min() < 0 or truth.max() >= count:
        raise InputError("labels", f"0 to {count - 1}", f"{truth.min()} to {truth.max()}")
    return truth


def _check_probabilities(said: Array, windows: int, count: int) -> Array:
    if said.shape != (windows, count):
        raise InputError("probabilities", f"shape {(windows, count)}", said.shape)
    sums = said.sum(axis=1)
    if not (np.all(said >= 0) and np.all(np.abs(sums - 1) < _SUM_TOLERANCE)):
        raise InputError("probabilities", "none below 0, rows that sum to 1", "others")
    return said
