"""Second moments of windows and of what followed: all that ridge regression needs of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Means of products of one group's inputs and outputs, float64.

    inputs: (W, W). cross: (W, K), over the windows that have the output. squares: (K,).
    """

    inputs: Tensor
    cross: Tensor
    squares: Tensor

    def loss(self, weight: Tensor) -> float:
        """Mean squared error of weights float64 (W, K), over windows and outputs.

        Exact where no output is missing; else as if none hung on the inputs.
        """
        explained = (weight * (self.inputs @ weight - 2 * self.cross)).sum(dim=0)
        return float((self.squares + explained).mean())


class MomentSums:
    """Adds up products for some groups; groups may share their inputs."""

    def __init__(self, groups: int, inputs: int, width: int, ahead: int) -> None:
        self._inputs = torch.zeros(inputs, width, width, dtype=torch.float64)
        self._cross = torch.zeros(groups, width, ahead, dtype=torch.float64)
        self._squares = torch.zeros(groups, ahead, dtype=torch.float64)
        self._counts = torch.zeros(groups, ahead, dtype=torch.float64)
        self._windows = 0

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        """Add windows: inputs (inputs or 1, n, W), outputs (groups, n, K), NaN where missing."""
        present = torch.isfinite(outputs)
        left, right = inputs.double(), torch.where(present, outputs, 0.0).double()
        self._inputs += left.transpose(1, 2) @ left
        self._cross += left.transpose(1, 2) @ right
        self._squares += (right * right).sum(dim=1)
        self._counts += present.sum(dim=1)
        self._windows += left.shape[1]

    def means(self) -> Iterator[Moments]:
        """The moments of each group, in order; an output that was never there counts as 0."""
        shared = self._inputs / max(self._windows, 1)
        counts = self._counts.clamp(min=1)
        for group in range(len(self._cross)):
            inputs = shared[group if len(shared) > 1 else 0]
            cross = self._cross[group] / counts[group]
            yield Moments(inputs, cross, self._squares[group] / counts[group])
