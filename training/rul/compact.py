"""The compact model: levels in four bands and kurtosis of each snapshot, and small networks.

It keeps the amplitude and the whole band up to half the sample rate. Ten numbers a snapshot and a
few hundred weights a member are all that six bearings can teach; larger networks did worse on
bearings that they had not seen. Each member of the ensemble left out another bearing in training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated

import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn

from wearcast.training.config import Count
from wearcast.training.rul.config import TrainingConfig
from wearcast.training.rul.model import RulModel

TRAINING = TrainingConfig(
    epochs=30,
    runs=256,
    run_length=1,
    steps=20,
    learning_rate=3e-3,
    weight_decay=0.05,
    clip_norm=1.0,
    leave_one_out=True,
)
FRAME = 256
HOP = FRAME // 2
NARROW_BANDS = 24
BANDS = 4
# A power below this, in g^2, counts as none: 1 mg; so does one that is only the rounding of a
# constant offset, whose power this share bounds.
_POWER_FLOOR = 1e-6
_ROUNDING = 1e-10
# Standard deviation of the random shift in training, in the features' natural logarithms.
_JITTER = 0.3


@dataclass(frozen=True)
class CompactConfig:
    """Sizes of the model: `sequence` snapshots are averaged, each member has two hidden layers."""

    channels: Count = 2
    window: Count = 2560
    sequence: Count = 10
    members: Count = 1
    hidden: Count = 8
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.3


class SpectralFeatures(nn.Module):
    """Features of a snapshot: for each channel the levels of four bands, and the kurtosis.

    The mean periodogram of Hann frames that overlap by half (Welch, IEEE Trans. Audio 15, 1967) is
    summed up in 24 bands, equally wide at the lower end and of equal ratio above; the logarithms of
    six neighbours are averaged. Kurtosis, the fourth moment over the squared second, grows with the
    impacts of a damaged bearing (Dyer and Stewart, J. Mech. Design 100, 1978).
    """

    transform: Tensor
    bands: Tensor

    def __init__(self, window: int) -> None:
        super().__init__()
        if window % HOP or window < FRAME:
            raise ValueError(f"window: expected a multiple of {HOP} from {FRAME} up, got {window}")
        transform, bands = _make_transform(), _make_bands()
        self.register_buffer("transform", torch.from_numpy(transform), persistent=False)
        self.register_buffer("bands", torch.from_numpy(bands), persistent=False)

    def forward(self, snapshots: Tensor) -> Tensor:
        """Features float32 (N, channels * 5) of snapshots float32 (N, channels, window), in g."""
        count, channels, window = snapshots.shape
        offset = snapshots.mean(dim=-1, keepdim=True)
        centred = snapshots - offset
        floor = _POWER_FLOOR + _ROUNDING * offset * offset
        halves = centred.reshape(count, channels, window // HOP, HOP)
        frames = torch.cat([halves[:, :, :-1], halves[:, :, 1:]], dim=-1)
        spectrum = frames @ self.transform
        power = (spectrum * spectrum).mean(dim=2) @ self.bands
        levels = (power + floor).log().reshape(count, channels, BANDS, -1).mean(dim=-1)
        square = centred * centred
        second = square.mean(dim=-1, keepdim=True)
        fourth = (square * square).mean(dim=-1, keepdim=True)
        kurtosis = (fourth / (second * second + floor * floor) + 1e-3).log()
        return torch.cat([levels, kurtosis], dim=-1).flatten(1)


class Member(nn.Module):
    """Scaling, fitted to its own training bearings, and a small network."""

    center: Tensor
    scale: Tensor

    def __init__(self, features: int, config: CompactConfig) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.network = nn.Sequential(
            nn.Linear(features, config.hidden),
            nn.Tanh(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, config.hidden),
            nn.Tanh(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Life fraction float32 (B,) of mean features float32 (B, features)."""
        fraction: Tensor = self.network((features - self.center) / self.scale)
        return fraction.squeeze(-1)


class Compact(RulModel):
    """Life fraction from mean spectral features, averaged over the members."""

    encoder_is_fixed = True

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.config = config
        self.features = SpectralFeatures(config.window)
        count = config.channels * (BANDS + 1)
        self.members = nn.ModuleList(Member(count, config) for _ in range(config.members))

    def encode(self, snapshots: Tensor) -> Tensor:
        """Features float32 (N, channels * 5) of snapshots float32 (N, channels, window), in g."""
        features: Tensor = self.features(snapshots)
        return features

    def head(self, features: Tensor) -> Tensor:
        """Life fraction float32 (B,), 0 new and 1 failed, of features float32 (B, S, features)."""
        mean = features.mean(dim=1)
        return torch.stack([member(mean) for member in self.members]).mean(dim=0)

    def fit_scaling(self, features: Tensor, weights: Tensor) -> None:
        """Fit every member's scaling to features float32 (N, F) with weights (N,) that sum to 1."""
        center = weights @ features
        scale = (weights @ (features - center) ** 2).sqrt() + 1e-3
        for member in self.members.children():
            member.get_buffer("center").copy_(center)
            member.get_buffer("scale").copy_(scale)

    def augment(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """Features (B, S, F), each window shifted as a whole: machines and mounts differ."""
        return features + _JITTER * torch.randn(len(features), 1, 1, generator=generator)

    @classmethod
    def join(cls, models: Sequence[RulModel]) -> RulModel:
        """One model with the members of several."""
        parts = [model for model in models if isinstance(model, cls)]
        members = [member for model in parts for member in model.members]
        whole = cls(replace(parts[0].config, members=len(members)))
        whole.members = nn.ModuleList(members)
        return whole


def _make_transform() -> NDArray[np.float32]:
    """Frames to real and imaginary parts, float32 (FRAME, FRAME + 2): a windowed DFT.

    Scaled so that the squares are a periodogram: white noise of variance 1 has power 1 throughout.
    """
    time = np.arange(FRAME)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * time / FRAME)
    angle = 2 * np.pi * np.outer(time, np.arange(FRAME // 2 + 1)) / FRAME
    window = hann[:, None] / np.sqrt((hann**2).sum())
    return np.concatenate([window * np.cos(angle), window * np.sin(angle)], axis=1).astype("f4")


def _make_bands() -> NDArray[np.float32]:
    """Squares of real and imaginary parts to mean powers of the bands, (FRAME + 2, NARROW_BANDS).

    Bins 1 to 7 are bands of their own; above, edges of equal ratio up to half the sample rate.
    """
    low = np.arange(1, 8)
    high = np.geomspace(8, FRAME // 2 + 1, NARROW_BANDS + 1 - len(low))
    edges = np.round(np.concatenate([low, high])).astype(int)
    bands = np.zeros((FRAME // 2 + 1, NARROW_BANDS))
    for band, (start, stop) in enumerate(pairwise(edges)):
        bands[start:stop, band] = 1 / (stop - start)
    return np.concatenate([bands, bands]).astype("f4")
