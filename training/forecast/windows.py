"""A record's parts in time, its windows, and the values that followed them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wearcast.signals.clock import local_us, minutes_of_week
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.training.forecast.config import ForecastConfig

Array = NDArray[np.float64]
Places = NDArray[np.int64]
# Of the readings that a value is the mean of, so many at the least must be there.
LEAST_SHARE = 0.5
_AT_ONCE = 512


@dataclass(frozen=True)
class Parts:
    """Rows of each part, one after the other: each end is the next part's first row.

    fit: weights are fitted to. choose: penalties and the best epoch are chosen by. calibrate:
    quantiles are calibrated on. test: nothing is learned from. `fit`, `choose` and, where the split
    names no part for it, `calibrate` make up the training part.
    """

    fit: range
    choose: range
    calibrate: range
    test: range
    training: range


def split_rows(count: int, shares: tuple[int, ...], least: int) -> Parts:
    """Divide rows in time by shares: training, calibration and test, or training and test.

    A tenth of the training part at its end is to choose by, and if the split has two shares,
    another tenth is to calibrate on; at least `least` rows each.

    >>> parts = split_rows(1000, (8, 1, 1), 50)
    >>> parts.fit, parts.choose, parts.calibrate, parts.test
    (range(0, 720), range(720, 800), range(800, 900), range(900, 1000))
    >>> split_rows(367, (7, 3), 16).training, split_rows(367, (7, 3), 16).test
    (range(0, 256), range(256, 367))

    Raises:
        InputError: not two or three shares, or a part would be shorter than `least`.
    """
    if len(shares) not in {2, 3} or min(shares) < 1:
        raise InputError("split", "two or three shares such as 8:1:1", ":".join(map(str, shares)))
    trained = count * shares[0] // sum(shares)
    tested = count * sum(shares[:-1]) // sum(shares)
    slice_rows = max(trained // 10, least)
    chosen_end = trained if len(shares) == 3 else trained - slice_rows  # noqa: PLR2004
    parts = Parts(
        fit=range(max(chosen_end - slice_rows, 0)),
        choose=range(max(chosen_end - slice_rows, 0), chosen_end),
        calibrate=range(chosen_end, tested),
        test=range(tested, count),
        training=range(trained),
    )
    shortest = min(len(part) for part in (parts.fit, parts.choose, parts.calibrate, parts.test))
    if shortest < least:
        expected = f"enough for {least} in each part of {':'.join(map(str, shares))}"
        raise InputError("rows", expected, f"{count}: the shortest would have {shortest}")
    return parts


@dataclass(frozen=True, eq=False)
class Record:
    """A record as forecasters see it.

    readings: float32 (N, channels), raw, NaN where missing. means: float64 (N, channels), mean of
    the last `mean` readings that count, NaN where too many are missing. minutes: float32 (N,), of
    the week by the plant's clock. due: bool (N,), where a forecast is asked for.
    """

    readings: Tensor
    means: Array
    minutes: Tensor
    due: NDArray[np.bool_]


def make_record(
    rows: Rows, sound: Array, *, mean: int, time_zone: str, every_s: float | None
) -> Record:
    """The record in rows; `sound`: float64 (N, channels), readings that values are means of.

    NaN where one is outside the bounds, but in the test part: there they are as they were read.
    """
    times_us = rows.times_us
    due = np.ones(len(rows), np.bool_)
    if every_s is not None:
        due = (local_us(times_us, time_zone) + rows.step_us) % round(every_s * 1e6) == 0
    return Record(
        readings=torch.from_numpy(rows.values.astype(np.float32)),
        means=trailing_means(sound, mean),
        minutes=torch.from_numpy(minutes_of_week(times_us, time_zone)),
        due=due,
    )


def trailing_means(values: Array, mean: int) -> Array:
    """Mean of each row and those before it, `mean` in all, float64 (N, channels).

    NaN where less than half of them are there, and before the first `mean` rows.

    >>> trailing_means(np.array([[1.0], [3.0], [np.nan], [np.nan], [7.0]]), 2).ravel()
    array([nan,  2.,  3., nan,  7.])
    """
    if mean == 1:
        return np.where(np.isfinite(values), values, np.nan)
    present = np.isfinite(values)
    # What is summed up stays small about a middle, so that little is lost to rounding.
    middle = np.array([_middle(column) for column in values.T])
    sums = _sum_last(np.where(present, values - middle, 0.0), mean)
    counts = _sum_last(present.astype(np.float64), mean)
    enough = counts >= LEAST_SHARE * mean
    means = np.full(values.shape, np.nan)
    means[mean - 1 :][enough] = (sums / np.maximum(counts, 1) + middle)[enough]
    return means


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of a record by their last rows, and what followed them.

    ends: int64 (n,). part: the rows that their values may come from.
    """

    record: Record
    config: ForecastConfig
    ends: Places
    part: range

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.ends)

    def blocks(self, ends: Places) -> Tensor:
        """Windows float32 (n, S, channels, 1), oldest row first."""
        back = np.arange(1 - self.config.sequence, 1)
        return self.record.readings[torch.from_numpy(ends[:, None] + back)][..., None]

    def minutes(self, ends: Places) -> Tensor | None:
        """Minutes of the week at the windows' ends, float32 (n,); None with no calendar."""
        return None if self.config.calendar == "none" else self.record.minutes[ends]

    def targets(self, ends: Places) -> Tensor:
        """Values that followed, float32 (n, targets, horizons); NaN where missing.

        What lies outside the part is missing too: it belongs to another one.
        """
        places = ends[:, None] + np.array(self.config.horizons)
        means = self.record.means[np.minimum(places, len(self.record.means) - 1)]
        means[(places < self.part.start) | (places >= self.part.stop)] = np.nan
        chosen = means[..., list(self.config.targets)].transpose(0, 2, 1)
        return torch.from_numpy(chosen.astype(np.float32))

    def parts(self, order: Places | None = None, size: int = _AT_ONCE) -> Iterator[Places]:
        """Ends of a few windows at a time, all in all; `order`: places, else as they are."""
        ends = self.ends if order is None else self.ends[order]
        for start in range(0, len(ends), size):
            yield ends[start : start + size]


@dataclass(frozen=True)
class Lessons:
    """Windows to fit to, to choose by, and, where there is nothing left to choose, to learn from.

    `learn` is both parts as one; a closed form takes it once its penalty is chosen.
    """

    fit: Windows
    choose: Windows
    learn: Windows


def list_windows(
    record: Record,
    config: ForecastConfig,
    part: range,
    *,
    due: bool,
    most: int | None = None,
    lead_in: bool = False,
) -> Windows:
    """The windows of a part: all their rows and at least their first value lie in it.

    due: only where a forecast is asked for. most: if there are more, evenly every so many rows.
    lead_in: those too whose rows lie before the part, wholly or partly; one of their values at
    least lies in it. So each horizon has as many values.
    """
    first = part.start - config.horizons[-1] if lead_in else part.start + config.sequence - 1
    ends = np.arange(max(first, config.sequence - 1), part.stop - config.horizons[0])
    if due:
        ends = ends[record.due[ends]]
    if most is not None and len(ends) > most:
        ends = ends[:: -(-len(ends) // most)]
    return Windows(record, config, ends.astype(np.int64), part)


def _sum_last(values: Array, count: int) -> Array:
    """Sums of `count` rows in a row, float64 (N - count + 1, channels)."""
    sums = np.cumsum(np.concatenate([np.zeros((1, values.shape[1])), values]), axis=0)
    window: Array = sums[count:] - sums[:-count]
    return window


def _middle(column: Array) -> float:
    present = column[np.isfinite(column)]
    return float(np.median(present)) if len(present) else 0.0
