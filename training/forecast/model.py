"""What every forecaster does around its network: all that stands in the exported graph.

readings -> outside the bounds: missing -> deviations from what is usual at their time, in units of
what is usual too -> missing ones filled -> network -> quantiles -> readings again
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wearcast.training.forecast.config import Fitting, ForecastConfig
from wearcast.training.forecast.usual import (
    KNOT_MIN,
    PERIOD_MIN,
    SPREAD_KNOT_MIN,
    fit_spread,
    fit_usual,
)
from wearcast.training.forecast.windows import Lessons, Windows
from wearcast.training.loss import MemberEpoch

# Times are counted in whole minutes; rounding must not tip one over to the minute before. A power
# of two, which float32 holds beside two weeks of minutes.
_NUDGE_MIN = 2.0**-7


class Forecaster(nn.Module):
    """A window of raw readings in, quantiles of what comes out.

    An architecture brings `network`, and says in `scale_by_range` whether a channel's readings are
    scaled by their lowest and highest instead of mean and spread.
    """

    scale_by_range = False
    bounds: Tensor
    usual: Tensor
    spread: Tensor
    target_usual: Tensor
    target_spread: Tensor
    typical: Tensor
    offsets: Tensor
    _row_min: Tensor
    _ahead_min: Tensor
    _mean_min: Tensor
    _targets: Tensor

    def __init__(self, config: ForecastConfig) -> None:
        super().__init__()
        self.config = config
        channels, targets = config.channels, len(config.targets)
        self._period = PERIOD_MIN[config.calendar]
        self.register_buffer("bounds", torch.tensor([[-1e9], [1e9]]).repeat(1, channels))
        self.register_buffer("usual", torch.zeros(self._period, channels))
        self.register_buffer("spread", torch.ones(self._period, channels))
        self.register_buffer("target_usual", torch.zeros(self._period, targets))
        self.register_buffer("target_spread", torch.ones(self._period, targets))
        self.register_buffer("typical", torch.zeros(channels))
        shape = (targets, len(config.horizons), len(config.quantiles))
        self.register_buffer("offsets", torch.zeros(shape))
        rows = range(1 - config.sequence, 1)
        self.register_buffer("_row_min", self._to_minutes(rows), persistent=False)
        ahead = self._to_minutes(config.horizons)
        self.register_buffer("_ahead_min", ahead, persistent=False)
        mean = [[end - back for back in range(config.mean)] for end in config.horizons]
        mean_min = torch.stack([self._to_minutes(places) for places in mean])
        self.register_buffer("_mean_min", mean_min, persistent=False)
        self.register_buffer("_targets", torch.tensor(config.targets), persistent=False)

    def network(self, deviations: Tensor, minute_of_week: Tensor | None) -> Tensor:
        """Deviations float32 (B, answered, ahead, 1 or levels) that follow a window.

        deviations: float32 (B, S, channels), none missing, oldest first.
        """
        raise NotImplementedError

    def fit(
        self,
        lessons: Lessons,
        fitting: Fitting,
        *,
        seed: int,
        on_epoch: Callable[[MemberEpoch], None],
    ) -> bool:
        """Fit the network, scaling fitted before; True where Ctrl-C cut it short."""
        raise NotImplementedError

    def forward(self, blocks: Tensor, minute_of_week: Tensor | None = None) -> tuple[Tensor, ...]:
        """For each target its quantiles float32 (B, horizons, quantiles), in its unit.

        blocks: float32 (B, S, channels, 1), oldest first, NaN where missing. minute_of_week:
        float32 (B,), at the newest row; only with a calendar.
        """
        standard = self.standard(self.prepare(blocks, minute_of_week), minute_of_week)
        # Where the network's own quantiles or the offsets cross, sorting puts them right; source:
        # Chernozhukov, Fernandez-Val and Galichon, Econometrica 78 (2010).
        quantiles = torch.sort(standard + self.offsets, dim=-1).values
        usual, spread = self.target_scale(minute_of_week)
        answers = usual[..., None] + spread[..., None] * quantiles
        return answers.unbind(dim=1)

    def prepare(self, blocks: Tensor, minute_of_week: Tensor | None) -> Tensor:
        """Deviations float32 (B, S, channels), none missing."""
        filled = _fill(self.deviate(blocks, minute_of_week))
        return torch.where(torch.isnan(filled), self.typical, filled)

    def deviate(self, blocks: Tensor, minute_of_week: Tensor | None) -> Tensor:
        """Deviations from what is usual, in its spreads: float32 (B, S, channels).

        NaN where a reading is missing or outside the bounds.
        """
        readings = blocks.squeeze(-1)
        inside = (readings >= self.bounds[0]) & (readings <= self.bounds[1])
        usual = self._look_up(self.usual, minute_of_week, self._row_min)
        spread = self._look_up(self.spread, minute_of_week, self._row_min)
        deviations = (readings - usual) / spread
        return torch.where(inside, deviations, torch.full_like(deviations, torch.nan))

    def standard(self, deviations: Tensor, minute_of_week: Tensor | None) -> Tensor:
        """Deviations of the values asked for, float32 (B, targets, horizons, 1 or quantiles)."""
        if not self.config.recursive:
            return self.network(deviations, minute_of_week)
        window, first = deviations, self.config.horizons[0]
        values = []
        for end in range(first, self.config.horizons[-1] + 1, first):
            at = minute_of_week
            if at is not None:
                at = torch.remainder(at + (end - first) * self.config.step_min, 10_080.0)
            rows = self.network(window, at)[..., 0].transpose(1, 2)
            window = torch.cat([window[:, rows.shape[1] :], rows], dim=1)
            if end in self.config.horizons:
                values.append(window[:, -self.config.mean :].flip(1))
        usual, spread = self.target_scale(minute_of_week)
        means = torch.stack(
            [self._mean_of(rows, minute_of_week, place) for place, rows in enumerate(values)],
            dim=2,
        )
        return ((means - usual) / spread)[..., None]

    def target_scale(self, minute_of_week: Tensor | None) -> tuple[Tensor, Tensor]:
        """What is usual at the times asked for, value and spread: float32 (B, targets, horizons).

        With no calendar B is 1.
        """
        usual = self._look_up(self.target_usual, minute_of_week, self._ahead_min)
        spread = self._look_up(self.target_spread, minute_of_week, self._ahead_min)
        shape = (-1, -1, len(self.config.horizons))
        return usual.transpose(1, 2).expand(shape), spread.transpose(1, 2).expand(shape)

    def fit_scaling(
        self, readings: NDArray[np.float64], means: NDArray[np.float64], minutes: NDArray[Any]
    ) -> None:
        """Fit what is usual to the training part.

        readings: float64 (N, channels), NaN where missing or outside the bounds. means: float64
        (N, channels), of the last `mean` readings. minutes: (N,), of the week.
        """
        knot_min = max(KNOT_MIN, self.config.step_min)
        spread_min = max(SPREAD_KNOT_MIN, self.config.step_min)
        times = minutes.astype(np.float64)
        for channel in range(self.config.channels):
            column = readings[:, channel]
            usual = fit_usual(column, times, self._period, knot_min)
            deviations = column - usual[times.astype(np.int64) % self._period]
            spread = fit_spread(deviations, times, self._period, spread_min)
            if self.scale_by_range and self.config.calendar == "none":
                usual, spread = _range_of(column)
            _store(self.usual, channel, usual)
            _store(self.spread, channel, spread)
            scaled = (column - usual[times.astype(np.int64) % self._period]) / spread[
                times.astype(np.int64) % self._period
            ]
            present = scaled[np.isfinite(scaled)]
            self.typical[channel] = float(np.median(present)) if len(present) else 0.0
        for place, channel in enumerate(self.config.targets):
            column = means[:, channel]
            usual = fit_usual(column, times, self._period, knot_min)
            deviations = column - usual[times.astype(np.int64) % self._period]
            spread = fit_spread(deviations, times, self._period, spread_min)
            if self.scale_by_range and self.config.calendar == "none":
                usual, spread = _range_of(readings[:, channel])
            _store(self.target_usual, place, usual)
            _store(self.target_spread, place, spread)

    def _mean_of(self, rows: Tensor, minute_of_week: Tensor | None, place: int) -> Tensor:
        """Mean reading float32 (B, targets) of rows float32 (B, mean, channels), newest first."""
        usual = self._look_up(self.usual, minute_of_week, self._mean_min[place])
        spread = self._look_up(self.spread, minute_of_week, self._mean_min[place])
        readings = (usual + spread * rows).mean(dim=1)
        return readings.index_select(1, self._targets)

    def _look_up(self, table: Tensor, minute_of_week: Tensor | None, ahead_min: Tensor) -> Tensor:
        """Rows of a table at times after the window's end: float32 (B, times, columns)."""
        if minute_of_week is None:
            return table[None]
        minutes = minute_of_week[:, None] + ahead_min + _NUDGE_MIN
        return table[minutes.floor().long() % self._period]

    def _to_minutes(self, rows: Any) -> Tensor:  # noqa: ANN401 a range or a list
        """Minutes after the window's end of rows after it; full weeks added, so none is below 0."""
        minutes = [row * self.config.step_min % PERIOD_MIN["week"] for row in rows]
        return torch.tensor(minutes, dtype=torch.float32)


def predict_windows(model: Forecaster, windows: Windows) -> NDArray[np.float32]:
    """What a model says of all windows, float32 (n, targets, horizons, quantiles)."""
    config = model.config
    shape = (len(config.targets), len(config.horizons), len(config.quantiles))
    answers = [np.empty((0, *shape), np.float32)]
    with torch.inference_mode():
        for ends in windows.parts():
            said = model(windows.blocks(ends), windows.minutes(ends))
            answers.append(torch.stack(said, dim=1).numpy())
    return np.concatenate(answers)


def _fill(values: Tensor) -> Tensor:
    """Missing ones take the value before them, leading ones the first: float32 (B, S, channels).

    Each pass reaches twice as far as all before it, so there are few.
    """
    for towards in (1, -1):
        reach = 1
        while reach < values.shape[1]:
            if towards > 0:
                shifted = torch.cat([values[:, :reach], values[:, :-reach]], dim=1)
            else:
                shifted = torch.cat([values[:, reach:], values[:, -reach:]], dim=1)
            values = torch.where(torch.isnan(values), shifted, values)
            reach *= 2
    return values


def _range_of(column: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest reading, and the distance from there to the highest, each (1,)."""
    present = column[np.isfinite(column)]
    low, high = (present.min(), present.max()) if len(present) else (0.0, 0.0)
    return np.array([low]), np.array([high - low or 1.0])


def _store(table: Tensor, column: int, values: NDArray[np.float64]) -> None:
    table[:, column] = torch.from_numpy(values.astype(np.float32))
