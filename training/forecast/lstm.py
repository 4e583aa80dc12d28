"""The LSTM forecaster of part B: two layers of 50, then a dense one, for each channel apart.

The layers have the sizes of Keras's LSTM(50), LSTM(50), Dense(n). PyTorch keeps two bias vectors a
gate where Keras keeps one, so it has 200 parameters more a layer; what it can compute is the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wearcast.training.config import Count
from wearcast.training.forecast.config import Fitting, ForecastConfig
from wearcast.training.forecast.fit import fit_by_gradient, squared_error
from wearcast.training.forecast.model import Forecaster
from wearcast.training.forecast.windows import Lessons
from wearcast.training.loss import MemberEpoch

# Adam at Keras's 1e-3.
FITTING = Fitting(windows=4096)


@dataclass(frozen=True)
class LstmConfig(ForecastConfig):
    """hidden: units of each of the two layers."""

    hidden: Count = 50


class ChannelLstm(nn.Module):
    """The network of one channel."""

    def __init__(self, config: LstmConfig) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, config.hidden, num_layers=2, batch_first=True)
        self.output = nn.Linear(config.hidden, config.ahead)

    def forward(self, column: Tensor) -> Tensor:
        """What follows, float32 (B, ahead), a channel's window float32 (B, S, 1)."""
        states, _ = self.lstm(column)
        followed: Tensor = self.output(states[:, -1])
        return followed


class Lstm(Forecaster):
    """One network for each channel, on nothing but its own readings, scaled to 0 to 1."""

    scale_by_range = True

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config)
        self.channels = nn.ModuleList(ChannelLstm(config) for _ in config.answered)

    def network(self, deviations: Tensor, minute_of_week: Tensor | None) -> Tensor:  # noqa: ARG002
        """What follows, float32 (B, answered, ahead, 1)."""
        said = [
            network(deviations[:, :, channel : channel + 1])
            for network, channel in zip(self.channels, self.config.answered, strict=True)
        ]
        return torch.stack(said, dim=1)[..., None]

    def fit(
        self,
        lessons: Lessons,
        fitting: Fitting,
        *,
        seed: int,
        on_epoch: Callable[[MemberEpoch], None],
    ) -> bool:
        """Fit each channel's network; True where Ctrl-C cut it short."""
        return fit_by_gradient(
            self, list(self.channels), squared_error, lessons, fitting, seed=seed, on_epoch=on_epoch
        )
