"""The windows of a recording as a model takes them, and what was read after each."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wearcast.clients.plant_rows import gather_rows
from wearcast.signals.contract import Contract, ForecastPart
from wearcast.signals.rows import Rows
from wearcast.signals.series import Block, Series, Window, minutes_of

Array = NDArray[np.float32]
# Of the readings that a value is the mean of, so many at the least must be there.
_LEAST_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Gathered:
    """values: float32 (n, sequence, channels, window). minutes: (n,), None without a time zone.

    followed: for each output of a forecast float32 (n, horizons), NaN where it was not read; None
    of other kinds.
    """

    values: Array
    minutes: Array | None
    followed: tuple[Array, ...] | None


def gather_windows(blocks: Iterable[Block], contract: Contract, *, limit: int) -> Gathered | None:
    """Windows that an answer is due to, spread evenly over a recording; None if there is none.

    limit: the most, and at least half as many if there are.
    """
    series = Series(contract)
    kept: list[Window] = []
    rows: list[Block] = []
    stride, count = 1, 0
    for block in blocks:
        if contract.forecast is not None:
            rows.append(block)
        window = series.push(block)
        if window is None:
            continue
        if count % stride == 0:
            kept.append(window)
        count += 1
        if len(kept) > limit:
            kept = kept[::2]
            stride *= 2
    if not kept:
        return None
    followed = None
    channels = tuple(channel.name for channel in contract.channels)
    if contract.forecast is not None and (read := gather_rows(rows, channels)) is not None:
        places = [window.sequence - rows[0].sequence for window in kept]
        followed = _find_followed(read, places, contract, contract.forecast)
    values = np.stack([window.values for window in kept])
    return Gathered(values, minutes_of(contract, kept), followed)


def _find_followed(
    rows: Rows, places: list[int], contract: Contract, part: ForecastPart
) -> tuple[Array, ...]:
    """Means of the readings that each horizon's value is for; places: of the windows' last rows."""
    length = round(part.mean_s / contract.hop_s)
    ends = np.array(places)[:, None] + np.array(
        [round(horizon_s / contract.hop_s) for horizon_s in part.horizons_s]
    )
    found = []
    for name in part.targets:
        column = rows.column(name)
        present = np.isfinite(column)
        sums = np.cumsum(np.concatenate([[0.0], np.where(present, column, 0.0)]))
        counts = np.cumsum(np.concatenate([[0], present]))
        last = np.minimum(ends, len(rows) - 1) + 1
        first = np.maximum(last - length, 0)
        number = counts[last] - counts[first]
        means = (sums[last] - sums[first]) / np.maximum(number, 1)
        known = (ends < len(rows)) & (number >= _LEAST_SHARE * length)
        found.append(np.where(known, means, np.nan).astype(np.float32))
    return tuple(found)
