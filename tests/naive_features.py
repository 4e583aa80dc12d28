"""Brute-force oracle of the compact model's features."""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

FRAME = 256
# First bin of each of the 24 bands, and one past the last.
EDGES = [1, 2, 3, 4, 5, 6, 7]
EDGES += [round(8 * (129 / 8) ** (step / 17)) for step in range(18)]


def naive_features(snapshot: NDArray[np.float32]) -> list[float]:
    """Ten features of a snapshot (2, window), in float64 and one at a time."""
    features = []
    for channel in snapshot.astype(np.float64):
        centred = channel - channel.mean()
        frames = [
            centred[start : start + FRAME]
            for start in range(0, len(centred) - FRAME + 1, FRAME // 2)
        ]
        hann = np.sin(np.pi * np.arange(FRAME) / FRAME) ** 2
        periodograms = [np.abs(np.fft.rfft(frame * hann)) ** 2 for frame in frames]
        periodogram = sum(periodograms) / len(frames) / (hann**2).sum()
        logs = [math.log(periodogram[first:stop].mean()) for first, stop in pairwise(EDGES)]
        features += [sum(logs[first : first + 6]) / 6 for first in (0, 6, 12, 18)]
        kurtosis = (centred**4).mean() / (centred**2).mean() ** 2
        features.append(math.log(kurtosis + 1e-3))  # so that a constant has a logarithm too
    return features
