"""All channels together: is their combination unusual, though each alone may be within bounds?

The mean of the newest rows is compared with what was usual by the Mahalanobis distance
(P. C. Mahalanobis, 1936). Its covariance is that of such means, shrunk towards independent channels
of equal variance by the rule of Ledoit and Wolf (J. Multivariate Analysis 88, 2004), so that a few
minutes of training are enough. Closed form: nothing is learned by trial.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wearcast.signals.errors import InputError
from wearcast.training.outlier.folds import held_out
from wearcast.training.outlier.table import Array, without_faults
from wearcast.training.outlier.verdict import Percentile, Verdict, judge

# Each channel must have so large a share of the rows that are averaged.
_LEAST_SHARE = 0.5
# Keeps what is squared finite in float32.
_CLIP = 1e6


@dataclass(frozen=True)
class Fitted:
    """What is usual of the mean of the newest rows.

    center: float64 (channels,); whitening: float64 (channels, channels): its product with the
    difference from the center has the distance as its length. root_mean, root_sd: of the distance
    to the power of 2/3, on rows held out.
    """

    center: Array
    whitening: Array
    root_mean: float
    root_sd: float


class MultivariateDetector(nn.Module):
    """Mahalanobis distance of the mean of the newest rows; high is unusual.

    The percentile follows from the cube root of the squared distance, which is nearly normal where
    the readings are (Wilson and Hilferty, PNAS 17, 1931).
    """

    center: Tensor
    whitening: Tensor
    root_mean: Tensor
    root_sd: Tensor

    def __init__(self, channels: int, smoothing: int) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("center", torch.zeros(channels))
        self.register_buffer("whitening", torch.eye(channels))
        self.register_buffer("root_mean", torch.zeros(1))
        self.register_buffer("root_sd", torch.ones(1))
        self.percentile = Percentile(("upper",))

    def forward(self, z: Tensor, known: Tensor) -> Verdict:
        """Judge standardised readings float32 (B, S, channels), 0 where bool `known` is false.

        The verdict is (B, 1): one for all channels. It applies where each channel was known in half
        of the newest rows or more.
        """
        count = known[:, -self.smoothing :].float().sum(dim=1)
        mean = z[:, -self.smoothing :].sum(dim=1) / count.clamp(min=1)
        apart = (mean - self.center).clamp(-_CLIP, _CLIP) @ self.whitening
        square = (apart * apart).sum(dim=1, keepdim=True)
        z_root = (square.pow(1 / 3) - self.root_mean) / self.root_sd
        applies = (count >= _LEAST_SHARE * self.smoothing).all(dim=1, keepdim=True)
        return judge(square.sqrt(), self.percentile(z_root), applies)

    def load(self, fitted: Fitted) -> None:
        """Take on fitted numbers."""
        self.center.copy_(torch.from_numpy(fitted.center))
        self.whitening.copy_(torch.from_numpy(fitted.whitening))
        self.root_mean.fill_(fitted.root_mean)
        self.root_sd.fill_(fitted.root_sd)


def fit_multivariate(z: Array, smoothing: int) -> Fitted:
    """Fit to standardised readings float64 (N, channels), NaN where missing.

    Raises:
        InputError: too few rows to fit to some and hold others out.
    """
    z = np.stack([without_faults(column) for column in z.T], axis=1)
    means, whole = smooth(z, smoothing)
    roots = []
    for teaches, out in held_out(len(z), smoothing):
        if (teaches & whole).sum() > z.shape[1]:
            center, whitening = _fit(means[teaches & whole])
            roots.append(_roots(means[out & whole], center, whitening))
    held = np.concatenate([np.zeros(0), *roots])
    if not len(held):
        least = f"more than {z.shape[1]} with all channels in most of the data"
        raise InputError("rows", least, int(whole.sum()))
    held = without_faults(held)
    center, whitening = _fit(means[whole])
    return Fitted(center, whitening, float(np.nanmean(held)), max(float(np.nanstd(held)), 1e-3))


def smooth(z: Array, rows: int) -> tuple[Array, NDArray[np.bool_]]:
    """Mean of the newest rows at each row float64 (N, channels), and whether enough are known.

    z: float64 (N, channels), NaN where missing; rows before the first count as missing.
    """
    known = ~np.isnan(z)
    padding = np.zeros((rows, z.shape[1]))
    sums = np.cumsum(np.concatenate([padding, np.where(known, z, 0.0)]), axis=0)
    counts = np.cumsum(np.concatenate([padding, known]), axis=0)
    count = counts[rows:] - counts[:-rows]
    mean = (sums[rows:] - sums[:-rows]) / np.maximum(count, 1)
    return mean, (count >= _LEAST_SHARE * rows).all(axis=1)


def _fit(means: Array) -> tuple[Array, Array]:
    center = means.mean(axis=0)
    values, vectors = np.linalg.eigh(shrink_covariance(means - center))
    return center, vectors / np.sqrt(np.maximum(values, 1e-12))


def _roots(means: Array, center: Array, whitening: Array) -> Array:
    return np.asarray((((means - center) @ whitening) ** 2).sum(axis=1) ** (1 / 3))


def shrink_covariance(centred: Array) -> Array:
    """Covariance float64 (p, p) of centred rows (N, p), shrunk towards a multiple of the identity.

    Ledoit and Wolf, J. Multivariate Analysis 88 (2004), lemmas 3.2 to 3.4.
    """
    count, size = centred.shape
    sample = centred.T @ centred / count
    target = np.trace(sample) / size * np.eye(size)
    spread = ((sample - target) ** 2).sum()
    squares = centred**2
    noise = ((squares.T @ squares / count - sample**2).sum()) / count
    share = min(noise / spread, 1.0) if spread else 0.0
    return np.asarray(share * target + (1 - share) * sample)
