"""The area under the receiver operating characteristic."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def area_under_curve(scores: Array, positive: NDArray[np.bool_], weights: Array) -> float:
    """Probability that a positive scores higher than a negative, ties counted half.

    scores, positive, weights: (N,). NaN where one kind is absent.
    """
    order = np.argsort(scores, kind="stable")
    scores, positive, weights = scores[order], positive[order], weights[order]
    _, group = np.unique(scores, return_inverse=True)
    negatives = np.bincount(group, np.where(positive, 0.0, weights))
    positives = np.bincount(group, np.where(positive, weights, 0.0))
    below = np.cumsum(negatives) - 0.5 * negatives
    total = positives.sum() * negatives.sum()
    return float((positives * below).sum() / total) if total else float("nan")
