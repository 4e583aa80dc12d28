"""What every model of life fraction has in common."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from wearcast.signals.errors import ArtefactError
from wearcast.training.architectures import build


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


def build_rul(architecture: str, config: dict[str, Any]) -> RulModel:
    """A model of life fraction with fresh weights.

    Raises:
        ArtefactError: no such architecture or configuration, or one of another kind.
    """
    model = build(architecture, config)
    if not isinstance(model, RulModel):
        raise ArtefactError("architecture", "one of kind rul", architecture)
    return model
