"""Rows of a plant as blocks, and as the source of a live stream."""

from collections.abc import Iterable, Iterator

import numpy as np

from wearcast.clients.pace import Pace
from wearcast.signals.rows import Rows
from wearcast.signals.series import Block


def make_blocks(rows: Rows, first: int = 0) -> Iterator[Block]:
    """One block a row, NaN where a reading is missing, from row `first` on."""
    values = rows.values.astype(np.float32)
    rate_hz = 1e6 / rows.step_us
    for number in range(first, len(rows)):
        yield Block(number, rows.start_us + number * rows.step_us, rate_hz, values[number][:, None])


class RowsReplay:
    """Rows as a live stream at `speed` times real time; 0: as fast as possible."""

    def __init__(self, rows: Rows, *, speed: float) -> None:
        self._rows = rows
        self._pace = Pace(speed=speed, hop_s=rows.step_us / 1e6)

    def blocks(self, from_sequence: int) -> Iterator[Block | None]:
        """Blocks from that number on, each when its time has come."""
        for block in make_blocks(self._rows, from_sequence):
            yield from self._pace.wait_for(block.sequence)
            yield block

    def release(self, before: int) -> None:
        """Nothing is kept: the rows can be read again."""


def gather_rows(blocks: Iterable[Block], channels: tuple[str, ...]) -> Rows | None:
    """Blocks of one reading a channel as rows, those that are not there as missing; None of none.

    Times count in blocks from the newest one back, as a recorder's clock may have been set.
    """
    kept = {block.sequence: block for block in blocks}
    if not kept:
        return None
    first, last = min(kept), max(kept)
    values = np.full((last - first + 1, len(channels)), np.nan)
    for number, block in kept.items():
        values[number - first] = block.values[:, 0]
    step_us = round(1e6 / kept[last].sample_rate_hz)
    return Rows(channels, kept[last].start_us - (last - first) * step_us, step_us, values)
