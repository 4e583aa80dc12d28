"""What every model of life fraction has in common."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class RulModel(nn.Module):
    """Raw snapshots in, life fraction out.

    A snapshot is encoded on its own, so a recording's snapshots are encoded once and shared by all
    windows that hold them. `encoder_is_fixed`: nothing in `encode` is learned, so that training
    encodes each snapshot once for all.
    """

    encoder_is_fixed = False
    # The architecture's own frozen dataclass; `sequence` in it: snapshots in a window.
    config: Any

    def encode(self, snapshots: Tensor) -> Tensor:
        """Features float32 (N, F) of snapshots float32 (N, channels, window), in g."""
        raise NotImplementedError

    def head(self, features: Tensor) -> Tensor:
        """Life fraction float32 (B,) of windows of features float32 (B, S, F), oldest first.

        0 is new, 1 is failed.
        """
        raise NotImplementedError

    def forward(self, blocks: Tensor) -> Tensor:
        """Life fraction float32 (B,) of windows float32 (B, S, channels, window), oldest first."""
        batch, sequence = blocks.shape[:2]
        features = self.encode(blocks.flatten(0, 1))
        return self.head(features.reshape(batch, sequence, -1))

    def fit_scaling(self, features: Tensor, weights: Tensor) -> None:
        """Fit scaling to features float32 (N, F) with weights (N,) that sum to 1; here: none."""

    def augment(self, features: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """Features (B, S, F) varied at random for training; here: as they are."""
        return features

    @classmethod
    def join(cls, models: Sequence["RulModel"]) -> "RulModel":
        """One model out of members trained apart; here there can be one only."""
        (model,) = models
        return model
