"""The gear forecaster of part C: an LSTM that says what sensor2 reads one row ahead.

readings of seven rows, scaled to 0 to 1 -> LSTM, two layers of 256 -> dense -> readings again
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from wearcast.training.config import Count
from wearcast.training.forecast.config import Fitting, ForecastConfig
from wearcast.training.forecast.fit import fit_by_gradient, squared_error
from wearcast.training.forecast.model import Forecaster
from wearcast.training.forecast.windows import Lessons
from wearcast.training.loss import MemberEpoch

# Part C: batches of 100, Adam at 1e-3, 200 epochs at the most; all windows in each, and gradients
# as they are. Part C stops early and does not say when. Chosen: after ten epochs without a gain.
FITTING = Fitting(epochs=200, patience=10, windows=1_000_000, batch=100, clip_norm=math.inf)


@dataclass(frozen=True)
class GearLstmConfig(ForecastConfig):
    """hidden: units of each of the two layers."""

    hidden: Count = 256


class GearLstm(Forecaster):
    """One network that looks at all channels, each scaled by its lowest and highest reading.

    A channel that never changes in training has a scale of 1: its lowest reading becomes 0.
    """

    scale_by_range = True

    def __init__(self, config: GearLstmConfig) -> None:
        super().__init__(config)
        self.lstm = nn.LSTM(config.channels, config.hidden, num_layers=2, batch_first=True)
        self.output = nn.Linear(config.hidden, len(config.answered) * config.ahead)

    def network(self, deviations: Tensor, minute_of_week: Tensor | None) -> Tensor:  # noqa: ARG002
        """What follows, float32 (B, answered, ahead, 1), scaled."""
        states, _ = self.lstm(deviations)
        followed: Tensor = self.output(states[:, -1])
        return followed.reshape(-1, len(self.config.answered), self.config.ahead, 1)

    def fit(
        self,
        lessons: Lessons,
        fitting: Fitting,
        *,
        seed: int,
        on_epoch: Callable[[MemberEpoch], None],
    ) -> bool:
        """Fit the network; True where Ctrl-C cut it short."""
        return fit_by_gradient(
            self, [self], _mean_loss, lessons, fitting, seed=seed, on_epoch=on_epoch
        )


def _mean_loss(said: Tensor, followed: Tensor) -> Tensor:
    """One loss of all targets, (1,): the network has weights that they share."""
    return squared_error(said, followed).mean()[None]
