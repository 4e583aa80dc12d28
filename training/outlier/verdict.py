"""What one detector says of the newest reading, and how z becomes a percentile and a stage."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from wearcast.signals.stages import NOT_APPLICABLE, THRESHOLDS, Side

_ROOT_2 = 2**0.5


class Verdict(NamedTuple):
    """float32 (B, channels) each; `applies` bool, `cause` 0 or a place in the causes from 1."""

    value: Tensor
    percentile: Tensor
    applies: Tensor
    cause: Tensor


class Percentile(nn.Module):
    """Percentile by the normal distribution, 0 to 100, high is unusual on the channel's side."""

    sign: Tensor
    both: Tensor

    def __init__(self, sides: tuple[Side, ...]) -> None:
        super().__init__()
        sign = torch.tensor([-1.0 if side == "lower" else 1.0 for side in sides])
        both = torch.tensor([side == "both" for side in sides])
        self.register_buffer("sign", sign, persistent=False)
        self.register_buffer("both", both, persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        """Percentiles float32 of standardised readings float32, both (B, channels)."""
        ratio = z / _ROOT_2
        two_sided = 100 * ratio.abs().erf()
        return torch.where(self.both, two_sided, 50 + 50 * (self.sign * ratio).erf())


def judge(value: Tensor, percentile: Tensor, applies: Tensor) -> Verdict:
    """A verdict without a cause; value and percentile are 0 where it does not apply."""
    nothing = torch.zeros_like(value)
    return Verdict(
        torch.where(applies, value, nothing),
        torch.where(applies, percentile, nothing),
        applies,
        nothing,
    )


def find_stage(percentile: Tensor, applies: Tensor) -> Tensor:
    """Stages float32, 0 to 4, or -1 where `applies` is false, of percentiles of any shape."""
    # Stages begin at their threshold: 95 is stage 2.
    stage = torch.stack([percentile >= threshold for threshold in THRESHOLDS]).float().sum(dim=0)
    return torch.where(applies, stage, torch.full_like(stage, NOT_APPLICABLE))
