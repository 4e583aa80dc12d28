"""Quantiles that hold on readings not learned from: split conformal prediction.

What the model says is shifted, for each target, horizon and quantile, by that quantile of its
errors on the calibration part. Errors are in units of what is usual at the time they are for, so a
quantile is narrow at night and wide at a peak. A model with quantiles of its own has each of them
shifted, which is conformalised quantile regression.

It holds if errors to come are exchangeable with those of the calibration part. Errors of a plant
are not quite: neighbours are alike, and seasons pass. What it comes to is measured on the test
part.

Sources: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, Springer (2005);
Romano, Patterson and Candes, Conformalized quantile regression, NeurIPS (2019), each side apart.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from wearcast.training.forecast.model import Forecaster, predict_windows
from wearcast.training.forecast.windows import Windows


def calibrate(model: Forecaster, windows: Windows) -> None:
    """Set the model's offsets by windows that nothing else was learned from."""
    answers, followed, spread = _compare(model, windows)
    errors = (followed[..., None] - answers) / spread[..., None]
    # What the model already adds is part of its answers.
    offsets = conformal_offsets(errors, model.config.quantiles)
    model.offsets += torch.from_numpy(offsets.astype(np.float32))


def conformal_offsets(
    errors: NDArray[np.float64], quantiles: tuple[float, ...]
) -> NDArray[np.float64]:
    """What to add to each quantile, (targets, horizons, quantiles).

    errors: (n, targets, horizons, quantiles), what followed less what was said, NaN where missing.
    Of n errors the one at place (n + 1) q is taken, rounded away from the middle, so that the next
    one stays at or below it with a probability of q or more above the middle, and of q or less
    below. With too few errors for that it is the largest or smallest. 0 where there is none.

    >>> errors = np.arange(1.0, 10.0)[:, None, None, None].repeat(3, axis=3)
    >>> conformal_offsets(errors, (0.1, 0.5, 0.9))
    array([[[1., 5., 9.]]])
    """
    ordered = np.sort(errors, axis=0)  # NaN last
    counts = np.isfinite(errors).sum(axis=0)
    levels = np.array(quantiles)
    # Rounded first, as 10 x 0.9 is not quite 9.
    places = np.round((counts + 1) * levels, 9)
    places = np.where(levels > 0.5, np.ceil(places), np.floor(places))  # noqa: PLR2004
    places = np.clip(places, 1, np.maximum(counts, 1)).astype(np.int64) - 1
    offsets = np.take_along_axis(ordered, places[None], axis=0)[0]
    return np.where(counts > 0, offsets, 0.0)


def measure_coverage(model: Forecaster, windows: Windows) -> NDArray[np.float64]:
    """Share of values at or below each quantile, (targets, horizons, quantiles); NaN if none."""
    answers, followed, _ = _compare(model, windows)
    present = np.isfinite(followed)
    below = (followed[..., None] <= answers).sum(axis=0)
    counts = present.sum(axis=0)[..., None]
    return np.where(counts > 0, below / np.maximum(counts, 1), np.nan)


def _compare(
    model: Forecaster, windows: Windows
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What was said, what followed, and the usual spread then."""
    answers = predict_windows(model, windows).astype(np.float64)
    followed = windows.targets(windows.ends).numpy().astype(np.float64)
    with torch.no_grad():
        _, spread = model.target_scale(windows.minutes(windows.ends))
    return answers, followed, spread.numpy().astype(np.float64)
