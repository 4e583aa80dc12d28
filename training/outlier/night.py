"""Least flow at night: what flows when nobody draws water is leakage.

The night is cut into ten-minute slots by the clock; a slot's mean flow is judged against the same
slot of the nights in training.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wearcast.signals.rows import Rows
from wearcast.signals.stages import DAY_MIN, SLOT_MIN, Side, night_slots
from wearcast.training.outlier.config import OutlierConfig
from wearcast.training.outlier.table import Array, NormalTable, fit_table
from wearcast.training.outlier.verdict import Percentile, Verdict, judge

_SLOT_S = SLOT_MIN * 60
_DAY_S = DAY_MIN * 60
# A slot with fewer of its readings than this share says nothing.
_LEAST_SHARE = 0.5


class NightDetector(nn.Module):
    """Mean of the newest complete slot; only for flows, at night, by minutes. High is unusual."""

    lags_s: Tensor
    flows: Tensor

    def __init__(self, config: OutlierConfig) -> None:
        super().__init__()
        self.config = config
        self.rows = config.night_rows
        self.table = NormalTable(max(config.night_slots, 1), config.size)
        # More flow than usual is a leak, whatever the side of the reading itself.
        self.percentile = Percentile((_SIDE,) * config.size)
        lags_s = torch.arange(self.rows - 1, -1, -1, dtype=torch.float32) * config.step_s
        flows = torch.tensor([name in config.flows for name in config.channels])
        self.register_buffer("lags_s", lags_s, persistent=False)
        self.register_buffer("flows", flows & config.has_night, persistent=False)

    def forward(self, readings: Tensor, known: Tensor, minute_of_week: Tensor) -> Verdict:
        """Judge readings float32 (B, S, channels), 0 where bool `known` is false.

        minute_of_week: float32 (B,), at the newest.
        """
        config = self.config
        seconds = (minute_of_week * 60).round().unsqueeze(1)
        end_s = ((seconds + config.step_s) / _SLOT_S).floor() * _SLOT_S
        into_night_s = end_s - _SLOT_S - config.night_start_min * 60
        into_night_s = into_night_s - (into_night_s / _DAY_S).floor() * _DAY_S
        slot = (into_night_s / _SLOT_S).floor()
        mean, sd = self.table.at(slot.clamp(0, config.night_slots - 1).long().squeeze(1))
        times_s = seconds - self.lags_s
        inside = (times_s >= end_s - _SLOT_S) & (times_s < end_s)
        held = known[:, -self.rows :] & inside.unsqueeze(-1)
        # What is usual comes off first: sums of small numbers are the same on every machine.
        above = torch.where(held, readings[:, -self.rows :] - mean.unsqueeze(1), 0.0).sum(dim=1)
        count = held.float().sum(dim=1)
        above = above / count.clamp(min=1)
        enough = count >= _LEAST_SHARE * _SLOT_S / config.step_s
        applies = self.flows & (slot < config.night_slots) & enough
        return judge(mean + above, self.percentile(above / sd), applies)


_SIDE: Side = "upper"


def fit_night(
    rows: Rows, minutes_of_week: NDArray[np.float32], days: NDArray[np.int64], config: OutlierConfig
) -> tuple[Array, Array]:
    """Mean and standard deviation float64 (slots, channels) of the slots' mean flow.

    minutes_of_week: float32 (N,), of each row; days: int64 (N,).
    """
    slots = night_slots(minutes_of_week, config.step_s, config.night_start_min, config.night_slots)
    # A row belongs to the slot that it lies in; the last row of a slot is the first after which
    # the slot is the newest complete one.
    seconds = np.round(minutes_of_week.astype(np.float64) * 60)
    begins_s = seconds // _SLOT_S * _SLOT_S
    last = (seconds + config.step_s) // _SLOT_S * _SLOT_S > begins_s
    places = np.full(len(rows), -1)
    places[last] = slots[last]
    group = np.concatenate([[0], np.cumsum(np.diff(begins_s) != 0)])
    count = group[-1] + 1
    known = ~np.isnan(rows.values)
    sums = np.zeros((count, config.size))
    held = np.zeros((count, config.size))
    np.add.at(sums, group, np.where(known, rows.values, 0.0))
    np.add.at(held, group, known)
    enough = held >= _LEAST_SHARE * _SLOT_S / config.step_s
    means = np.where(enough, sums / np.maximum(held, 1), np.nan)
    at_end = np.flatnonzero(places >= 0)
    groups = [np.zeros(config.night_slots, dtype=np.int64), np.arange(config.night_slots)]
    return fit_table(means[group[at_end]], places[at_end], days[at_end], groups)
