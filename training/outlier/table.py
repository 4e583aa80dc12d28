"""What is normal: mean and standard deviation of a quantity, by the hour of the week or the like.

The actual value, the residual of a forecast and the flow of a night slot are all judged by such a
table: a percentile of the normal distribution.
"""

from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from wearcast.signals.errors import InputError

Array = NDArray[np.float64]
Places = NDArray[np.int64]
Baseline = Literal["global", "weekday", "hour", "hour-of-week"]
HOURS = 168
_HOUR_S = 3600
_WEEK_S = HOURS * _HOUR_S
# Fewer days than these say little of a place in the table; the wider place speaks for it.
LEAST_DAYS = 3
# Readings so many robust standard deviations from the median count as faults, unless they are more
# than this share: then they are another way of working. 1.4826 MAD is the standard deviation of a
# normal distribution.
_FAR = 5.0
_FAULTS = 0.05
_MAD_SD = 1.4826


class NormalTable(nn.Module):
    """Mean and standard deviation, float32 (places, channels)."""

    mean: Tensor
    sd: Tensor

    def __init__(self, places: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(places, channels))
        self.register_buffer("sd", torch.ones(places, channels))

    def at(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation float32 (..., channels) at places int64 (...)."""
        if len(self.mean) == 1:
            return self.mean[0], self.sd[0]
        return functional.embedding(places, self.mean), functional.embedding(places, self.sd)

    def load(self, mean: Array, sd: Array) -> None:
        """Take on fitted numbers float64 (places, channels)."""
        self.mean.copy_(torch.from_numpy(mean))
        self.sd.copy_(torch.from_numpy(sd))


class WeekClock(nn.Module):
    """Hour of the week of each row of a window."""

    lags_s: Tensor

    def __init__(self, sequence: int, step_s: float) -> None:
        super().__init__()
        lags_s = torch.arange(sequence - 1, -1, -1, dtype=torch.float32) * step_s
        self.register_buffer("lags_s", lags_s, persistent=False)

    def forward(self, minute_of_week: Tensor) -> Tensor:
        """Hours int64 (B, sequence), 0 to 167, of float32 (B,) at each window's last row."""
        # Whole seconds: float32 holds those of a week exactly, but not sixths of a minute.
        seconds = (minute_of_week * 60).round().unsqueeze(1) - self.lags_s
        into_week = seconds - (seconds / _WEEK_S).floor() * _WEEK_S
        return (into_week / _HOUR_S).floor().clamp(0, HOURS - 1).long()


def hours_of_week(minutes_of_week: NDArray[np.float32]) -> Places:
    """Hours int64, 0 to 167, since Monday, 0:00."""
    return (np.round(minutes_of_week.astype(np.float64) * 60) % _WEEK_S // _HOUR_S).astype(np.int64)


def check_baseline(text: str) -> Baseline:
    """The kind of baseline, if it is one.

    Raises:
        InputError: it is none.
    """
    baselines: tuple[Baseline, ...] = get_args(Baseline)
    for known in baselines:
        if text == known:
            return known
    raise InputError("baseline", " or ".join(baselines), repr(text))


def levels(baseline: Baseline) -> list[Places]:
    """For each hour of the week the group that it belongs to; the first level is the widest.

    Each level int64 (168,), or (1,) for a global baseline.
    """
    if baseline == "global":
        return [np.zeros(1, dtype=np.int64)]
    hours = np.arange(HOURS)
    kinds = {"weekday": [hours // 24], "hour": [hours % 24], "hour-of-week": [hours % 24, hours]}
    return [np.zeros(HOURS, dtype=np.int64), *kinds[baseline]]


def fit_table(
    values: Array, places: Places, days: Places, groups: list[Places]
) -> tuple[Array, Array]:
    """Mean and standard deviation float64 (places, channels) of values float64 (N, channels).

    NaN: nothing known. places, days: int64 (N,), where in the table a row belongs, and the day it
    was taken on. groups: levels from wide to narrow, each int64 (places,); a place is spoken for by
    the narrowest of its groups that was seen on three days or more.

    Readings of one day resemble each other, so a day is what counts as one observation: standard
    deviations of groups are widened by sqrt((n + 1) / (n - 1)) for n days, the interval of a normal
    prediction with the mean not known. Faults in training data are left out, see `_FAR`.
    """
    shape = (len(groups[0]), values.shape[1])
    mean, sd = np.zeros(shape), np.ones(shape)
    for channel in range(shape[1]):
        known = ~np.isnan(values[:, channel])
        column, where, when = values[known, channel], places[known], days[known]
        if not len(column):
            continue
        least = _least_sd(column)
        for depth, level in enumerate(groups):
            group = level[where]
            order = np.argsort(group, kind="stable")
            names, starts = np.unique(group[order], return_index=True)
            for name, rows in zip(names, np.split(order, starts[1:]), strict=True):
                count = len(np.unique(when[rows]))
                if depth and count < LEAST_DAYS:
                    continue
                kept = without_faults(column[rows])
                wider = np.sqrt((count + 1) / (count - 1)) if depth else 1.0
                mean[level == name, channel] = np.nanmean(kept)
                sd[level == name, channel] = max(wider * np.nanstd(kept), least)
    return mean, sd


def _least_sd(values: Array) -> float:
    """The spread that rounding alone leaves: resolution / sqrt(12), and what float32 can tell."""
    steps = np.diff(np.unique(values))
    rounding = float(steps.min()) / 12**0.5 if len(steps) else 0.0
    return max(rounding, 1e-6 * (1.0 + float(np.abs(values).max())))


def without_faults(values: Array) -> Array:
    """Values float64 (N,), with NaN for the few that lie far off; see `_FAR`."""
    known = values[~np.isnan(values)]
    if not len(known):
        return values
    middle = np.median(known)
    reach = _FAR * _MAD_SD * np.median(np.abs(known - middle))
    # A reach of 0: most values are equal, and tell nothing of how far is far.
    if not reach or np.mean(np.abs(known - middle) > reach) > _FAULTS:
        return values
    return np.where(np.abs(values - middle) <= reach, values, np.nan)
