"""The linear forecaster: ridge regression of what follows on the window, in closed form.

Source: Hoerl and Kennard, Ridge regression, Technometrics 12 (1970). That a linear map of the
window is hard to beat: Zeng et al., Are transformers effective for time series forecasting?, AAAI
(2023), whose NLinear takes the window's last value off and puts it back, as the anchor "last" does.
There is no intercept: it would go on with the drift of the months that it was fitted to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from wearcast.training.config import Count
from wearcast.training.forecast.config import Fitting, ForecastConfig
from wearcast.training.forecast.fit import network_targets
from wearcast.training.forecast.model import Forecaster
from wearcast.training.forecast.moments import Moments, MomentSums
from wearcast.training.forecast.windows import Lessons, Windows
from wearcast.training.loss import MemberEpoch

Inputs = Literal["own", "all", "shared"]
# Penalties that are tried, for inputs of about variance 1.
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
# What penalties draw a forecast to: what is usual, the window's last value, or its mean.
ANCHORS = ("usual", "last", "mean")


@dataclass(frozen=True)
class LinearConfig(ForecastConfig):
    """inputs: weights see their own channel or all, or all channels share one set of weights.

    pool: rows whose mean is one input.
    """

    inputs: Inputs = "all"
    pool: Count = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sequence % self.pool:
            raise ValueError(f"pool: expected a divisor of {self.sequence}, got {self.pool}")

    @property
    def width(self) -> int:
        """Inputs that a channel gives."""
        return self.sequence // self.pool


def choose_pool(sequence: int, most: int) -> int:
    """Fewest rows to a mean that leave `most` inputs or fewer.

    >>> choose_pool(60, 96), choose_pool(1440, 96)
    (1, 15)
    """
    fit = (pool for pool in range(1, sequence + 1) if sequence % pool == 0)
    return next(pool for pool in fit if sequence // pool <= most)


class RidgeMap(nn.Module):
    """Weights float32 (groups, ahead, inputs) from a window to what follows."""

    weight: Tensor
    _answered: Tensor

    def __init__(self, config: LinearConfig) -> None:
        super().__init__()
        self.config = config
        groups = 1 if config.inputs == "shared" else len(config.answered)
        inputs = config.width * (config.channels if config.inputs == "all" else 1)
        self.register_buffer("weight", torch.zeros(groups, config.ahead, inputs))
        self.register_buffer("_answered", torch.tensor(config.answered), persistent=False)

    def forward(self, deviations: Tensor) -> Tensor:
        """What follows windows float32 (B, S, channels): float32 (B, answered, ahead)."""
        inputs = self.inputs(deviations)
        if self.config.inputs == "own":
            return torch.einsum("bgw,gkw->bgk", inputs, self.weight)
        weight = self.weight.flatten(0, 1)
        return (inputs @ weight.T).reshape(len(inputs), len(self.config.answered), -1)

    def inputs(self, deviations: Tensor) -> Tensor:
        """Inputs float32 (B, channels answered or 1, W) of windows float32 (B, S, channels)."""
        columns = deviations.transpose(1, 2)
        if self.config.pool > 1:
            shape = (len(columns), columns.shape[1], -1, self.config.pool)
            columns = columns.reshape(shape).mean(dim=3)
        if self.config.inputs == "all":
            return columns.flatten(1)[:, None]
        return columns.index_select(1, self._answered)

    def own(self, group: int) -> range:
        """Places among the inputs of a group's own channel."""
        width = self.config.width
        first = self.config.answered[group] * width if self.config.inputs == "all" else 0
        return range(first, first + width)


class Linear(Forecaster):
    """A linear map of the window for each target."""

    def __init__(self, config: LinearConfig) -> None:
        super().__init__(config)
        self.ridge = RidgeMap(config)

    def network(self, deviations: Tensor, minute_of_week: Tensor | None) -> Tensor:  # noqa: ARG002
        """What follows, float32 (B, answered, ahead, 1)."""
        followed: Tensor = self.ridge(deviations)
        return followed[..., None]

    def fit(
        self,
        lessons: Lessons,
        fitting: Fitting,  # noqa: ARG002 nothing here is chosen by hand
        *,
        seed: int,  # noqa: ARG002 nor by chance
        on_epoch: Callable[[MemberEpoch], None],
    ) -> bool:
        """Fit the weights; an epoch is a penalty that was tried."""
        fit_ridge(self, self.ridge, lessons, on_epoch)
        return False


def fit_ridge(
    model: Forecaster, ridge: RidgeMap, lessons: Lessons, on_epoch: Callable[[MemberEpoch], None]
) -> None:
    """Fit the weights of a map, penalty and anchor chosen for each group apart.

    Each is fitted to `lessons.fit` with all penalties and anchors, judged by `lessons.choose`, and
    fitted once more to `lessons.learn` with the best.
    """
    fitted = _sum_moments(model, ridge, lessons.fit)
    judged = _sum_moments(model, ridge, lessons.choose)
    learned = fitted if lessons.learn is lessons.fit else _sum_moments(model, ridge, lessons.learn)
    for group, (fit, choose, learn) in enumerate(zip(fitted, judged, learned, strict=True)):
        own = ridge.own(group)
        losses: dict[tuple[str, float], tuple[float, float]] = {}
        for anchor in ANCHORS:
            for penalty, weight in _solve(fit, own, anchor, PENALTIES, ridge.config.width):
                losses[anchor, penalty] = (fit.loss(weight), choose.loss(weight))
        anchor, best = min(losses, key=lambda key: losses[key][1])
        for number, penalty in enumerate(PENALTIES, 1):
            on_epoch(MemberEpoch(group, number, *losses[anchor, penalty]))
        ((_, weight),) = _solve(learn, own, anchor, (best,), ridge.config.width)
        ridge.weight[group] = weight.T.float()


def _sum_moments(model: Forecaster, ridge: RidgeMap, windows: Windows) -> list[Moments]:
    """Moments of each group over all windows."""
    groups, ahead, width = ridge.weight.shape
    channels = len(ridge.config.answered)
    shared = ridge.config.inputs == "shared"
    sums = MomentSums(groups, groups if ridge.config.inputs == "own" else 1, width, ahead)
    with torch.no_grad():
        for ends in windows.parts():
            deviations = model.prepare(windows.blocks(ends), windows.minutes(ends))
            inputs = ridge.inputs(deviations).transpose(0, 1)
            outputs = network_targets(model, windows, ends).transpose(0, 1)
            if shared:
                inputs, outputs = inputs.reshape(1, -1, width), outputs.reshape(1, -1, ahead)
            sums.add(inputs, outputs)
    assert shared or len(outputs) == channels
    return list(sums.means())


def _solve(
    moments: Moments, own: range, anchor: str, penalties: Sequence[float], width: int
) -> list[tuple[float, Tensor]]:
    """Weights float64 (W, K) for each penalty.

    An anchor is taken off each channel's inputs and, the own channel's, off the outputs, and put
    back after: so a penalty draws the weights to those of the anchor alone.
    """
    size = len(moments.inputs)
    share = torch.zeros(width, dtype=torch.float64)
    if anchor == "last":
        share[-1] = 1
    elif anchor == "mean":
        share[:] = 1 / width
    ones = torch.ones(width, dtype=torch.float64)
    block = torch.eye(width, dtype=torch.float64) - torch.outer(ones, share)
    # Inputs without their anchors are `take @ inputs`.
    take = torch.kron(torch.eye(size // width, dtype=torch.float64), block)
    alone = torch.zeros(size, dtype=torch.float64)
    alone[own.start : own.stop] = share
    inputs = take @ moments.inputs @ take.T
    cross = take @ (moments.cross - (moments.inputs @ alone)[:, None])
    values, vectors = torch.linalg.eigh(inputs)
    turned = vectors.T @ cross
    solved = []
    for penalty in penalties:
        weight = vectors @ (turned / (values.clamp(min=0) + penalty)[:, None])
        solved.append((penalty, take.T @ weight + alone[:, None]))
    return solved
