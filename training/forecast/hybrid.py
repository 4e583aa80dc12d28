"""The hybrid forecaster: the linear one, and a small network that corrects it and says how far.

The network sees the same window, relative to its own mean and spread, and adds to the linear
forecast; it starts with adding nothing but the quantiles of that one's errors. Fitted with the
pinball loss, its quantiles hang on the window: narrow where the series is calm, wide where it is
not. What that is worth on which series, docs/forecast.md says.

Sources: Koenker and Bassett, Regression quantiles, Econometrica 46 (1978), for the loss; Kim et
al., Reversible instance normalization, ICLR (2022), for scaling by the window's own mean and
spread; Smyl, A hybrid method, Int. J. Forecasting 36 (2020), for a network on a simple model.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from msgspec import Meta
from torch import Tensor, nn

from wearcast.training.config import Count
from wearcast.training.forecast.config import Fitting
from wearcast.training.forecast.fit import fit_by_gradient, network_targets
from wearcast.training.forecast.linear import LinearConfig, RidgeMap, fit_ridge
from wearcast.training.forecast.model import Forecaster
from wearcast.training.forecast.usual import PERIOD_MIN
from wearcast.training.forecast.windows import Lessons, Windows
from wearcast.training.loss import MemberEpoch

FITTING = Fitting(
    epochs=20, patience=3, windows=40_000, batch=256, learning_rate=1e-4, weight_decay=1e-2
)
# Added to a window's spread: one that is constant has none to divide by.
_LEAST_SPREAD = 0.1
# Beyond so many usual spreads a window's mean says no more than that it is far off.
_FAR = 4.0
# The mean's share in the loss, beside the quantiles': it keeps the median near the mean.
_SQUARE_WEIGHT = 0.5
# Windows that the first quantiles are taken from.
_FIRST = 4096


@dataclass(frozen=True)
class HybridConfig(LinearConfig):
    """hidden: units of the network's two layers."""

    hidden: Count = 64
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.3


class Correction(nn.Module):
    """What is added to the linear forecast: float32 (B, answered, ahead, levels)."""

    def __init__(self, config: HybridConfig, inputs: int) -> None:
        super().__init__()
        self.config = config
        times = 0 if config.calendar == "none" else 4
        hidden = config.hidden
        self.first = nn.Linear(inputs + 2 + times, hidden)
        self.channel = nn.Parameter(torch.zeros(len(config.answered), hidden))
        self.second = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(hidden, config.ahead * config.levels)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, inputs: Tensor, minute_of_week: Tensor | None) -> Tensor:
        """inputs: float32 (B, answered or 1, W)."""
        mean = inputs.mean(dim=-1, keepdim=True)
        centred = inputs - mean
        spread = (centred * centred).mean(dim=-1, keepdim=True).sqrt() + _LEAST_SPREAD
        parts = [centred / spread, torch.tanh(mean / _FAR), spread.log()]
        if minute_of_week is not None:
            parts.append(_turn(minute_of_week)[:, None].expand(-1, inputs.shape[1], -1))
        first = self.first(torch.cat(parts, dim=-1)) + self.channel
        hidden = self.dropout(nn.functional.gelu(first))
        hidden = hidden + self.dropout(nn.functional.gelu(self.second(hidden)))
        added: Tensor = self.output(hidden)
        return added.reshape(*added.shape[:2], self.config.ahead, self.config.levels)


class Hybrid(Forecaster):
    """The linear map, and what a small network adds to it."""

    config: HybridConfig

    def __init__(self, config: HybridConfig) -> None:
        super().__init__(config)
        self.ridge = RidgeMap(config)
        self.correction = Correction(config, self.ridge.weight.shape[-1])

    def network(self, deviations: Tensor, minute_of_week: Tensor | None) -> Tensor:
        """What follows, float32 (B, answered, ahead, levels)."""
        added: Tensor = self.correction(self.ridge.inputs(deviations), minute_of_week)
        followed: Tensor = self.ridge(deviations)
        return followed[..., None] + added

    def fit(
        self,
        lessons: Lessons,
        fitting: Fitting,
        *,
        seed: int,
        on_epoch: Callable[[MemberEpoch], None],
    ) -> bool:
        """Fit the linear map, then the correction; True where Ctrl-C cut it short."""
        fit_ridge(self, self.ridge, replace(lessons, learn=lessons.fit), lambda _: None)
        self._start(lessons.fit)
        return fit_by_gradient(
            self, [self.correction], self._loss, lessons, fitting, seed=seed, on_epoch=on_epoch
        )

    def _start(self, windows: Windows) -> None:
        """Let the correction begin with the quantiles that the linear map's errors have."""
        if self.config.levels == 1:
            return
        ends = windows.ends[:: -(-len(windows) // _FIRST)]
        minutes = windows.minutes(ends)
        with torch.no_grad():
            deviations = self.prepare(windows.blocks(ends), minutes)
            errors = network_targets(self, windows, ends) - self.ridge(deviations)
            levels = torch.tensor(self.config.quantiles)
            start = torch.nanquantile(errors.flatten(0, 1), levels, dim=0).T
            start = start - start[:, self.config.middle, None]
            self.correction.output.bias.copy_(torch.nan_to_num(start).flatten())

    def _loss(self, said: Tensor, followed: Tensor) -> Tensor:
        present = torch.isfinite(followed)
        errors = torch.where(present, followed, 0.0)[..., None] - said
        config = self.config
        middle = 0 if config.levels == 1 else config.middle
        levels = torch.tensor([0.5] if config.levels == 1 else config.quantiles)
        pinball = torch.maximum(levels * errors, (levels - 1) * errors).mean(dim=-1)
        both = 2 * pinball + _SQUARE_WEIGHT * errors[..., middle] ** 2
        return (torch.where(present, both, 0.0).sum() / present.sum().clamp(min=1))[None]


def _turn(minute_of_week: Tensor) -> Tensor:
    """Where the hands of a day's and of a week's clock point, float32 (B, 4)."""
    angles = [minute_of_week * (2 * math.pi / PERIOD_MIN[name]) for name in ("day", "week")]
    return torch.stack([part for angle in angles for part in (angle.sin(), angle.cos())], dim=-1)
