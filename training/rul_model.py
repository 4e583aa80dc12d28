"""What every model of life fraction has in common."""

from torch import Tensor, nn


class RulModel(nn.Module):
    """Raw snapshots in, life fraction out.

    A snapshot is encoded on its own, so a recording's snapshots are encoded once and shared by all
    windows that hold them.
    """

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
