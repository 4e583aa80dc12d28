"""Whether a signal was clipped: its sensor could not follow, and the tops are flat."""

import numpy as np
from numpy.typing import NDArray

# Chosen: two neighbours on the peak of a slow wave are often alike, three seldom, and not twice.
_FLAT = 3
_LONG = 5


def is_clipped(values: NDArray[np.float32]) -> bool:
    """Whether any channel of `values` (channels, n) has a flat top.

    A place is flat where at least 3 samples in a row equal the channel's largest value, or its
    smallest. Clipped is a channel with two such places, or one of 5 samples or more. A constant
    channel is not clipped, and one with a missing reading (NaN) is not judged.

    >>> top = np.minimum(np.sin(np.arange(100.0) / 5), 0.8)
    >>> is_clipped(top[np.newaxis]), is_clipped(np.sin(np.arange(100.0) / 5)[np.newaxis])
    (True, False)
    """
    if values.shape[1] < _FLAT:
        return False
    largest, smallest = values.max(axis=1), values.min(axis=1)
    extremes = np.concatenate([largest, smallest])
    at_extreme = np.concatenate([values, values]) == extremes[:, np.newaxis]
    flat = at_extreme[:, 2:] & at_extreme[:, 1:-1] & at_extreme[:, :-2]
    if not flat.any():
        return False
    long = (flat[:, 2:] & flat[:, :-2]).any(axis=1)
    # A place begins where the samples one further to the left were not all alike.
    places = flat[:, :1].sum(axis=1) + (flat[:, 1:] & ~flat[:, :-1]).sum(axis=1)
    in_channel = places.reshape(2, -1).sum(axis=0)
    clipped = long.reshape(2, -1).any(axis=0) | (in_channel >= 2)  # noqa: PLR2004
    return bool((clipped & (largest > smallest)).any())
