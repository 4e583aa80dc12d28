"""What a fault model must beat: a random forest on the features that everybody computes.

Of each channel of a window: rms, skewness, kurtosis, crest, shape and impulse factor, centroid and
spread of the spectrum, and the shares of its power in eight bands of equal ratio. Source of the
factors: Lei, He and Zi, A new approach to intelligent fault diagnosis of rotating machinery, Expert
Syst. Appl. 35 (2008).
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

Array = NDArray[np.float64]
_TREES = 300
_BANDS = 8


def fit_forest(features: Array, labels: NDArray[np.int64], seed: int = 0) -> RandomForestClassifier:
    """A forest with the usual settings; features (n, F), labels (n,)."""
    forest = RandomForestClassifier(_TREES, class_weight="balanced", random_state=seed, n_jobs=1)
    return forest.fit(features, labels)


def answer_forest(forest: RandomForestClassifier, features: Array, faults: int) -> Array:
    """Probabilities (n, faults); 0 for a fault that it was not taught."""
    said = np.zeros((len(features), faults))
    said[:, forest.classes_] = forest.predict_proba(features)
    return said


def describe_windows(windows: NDArray[np.float32]) -> Array:
    """Features float64 (n, channels x 16) of windows (n, channels, samples) in any unit.

    They hold the level of the signal, so a sensor of another gain gives others.
    """
    signal = windows - windows.mean(axis=2, keepdims=True, dtype=np.float64)
    size = np.abs(signal)
    rms = np.sqrt((signal**2).mean(axis=2))
    safe, mean_size = np.maximum(rms, 1e-12), np.maximum(size.mean(axis=2), 1e-12)
    peak = size.max(axis=2)
    power = np.abs(np.fft.rfft(signal * np.hanning(signal.shape[2]))) ** 2
    total = np.maximum(power.sum(axis=2), 1e-12)
    lines = np.arange(power.shape[2]) / power.shape[2]
    centroid = (power * lines).sum(axis=2) / total
    spread = np.sqrt((power * (lines - centroid[..., None]) ** 2).sum(axis=2) / total)
    edges = np.round(np.geomspace(4, power.shape[2], _BANDS + 1)).astype(int)
    shares = [power[..., low:high].sum(axis=2) / total for low, high in pairwise(edges)]
    parts: Sequence[Array] = (
        rms,
        (signal**3).mean(axis=2) / safe**3,
        (signal**4).mean(axis=2) / safe**4,
        peak / safe,
        rms / mean_size,
        peak / mean_size,
        centroid,
        spread,
        *shares,
    )
    return np.concatenate(parts, axis=1)
