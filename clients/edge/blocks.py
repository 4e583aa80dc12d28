"""Rows of the table as blocks for models: numbered from the first step of the plant's record."""

from collections.abc import Iterable, Iterator

import numpy as np

from wearcast.signals.plant_table import PlantRow
from wearcast.signals.series import Block


class Numbering:
    """Steps are blocks: number 0 begins at `origin_us`, and each is `step_us` long."""

    def __init__(self, origin_us: int, step_us: int) -> None:
        self._origin_us = origin_us
        self._step_us = step_us

    def number(self, time_us: int) -> int:
        """Of the step that begins at a time; below 0 before the first one.

        >>> Numbering(120, 60).number(240)
        2
        """
        return (time_us - self._origin_us) // self._step_us

    def time_us(self, number: int) -> int:
        """When a step begins."""
        return self._origin_us + number * self._step_us

    def make_blocks(self, rows: Iterable[PlantRow], expected: int) -> Iterator[Block]:
        """A block a row, NaN where a reading is missing; where rows are missing, behind a gap.

        expected: number of the first row, unless rows are missing before it.
        """
        for row in rows:
            number = self.number(row.time_us)
            values = np.array(
                [[np.nan if value is None else value] for value in row.readings], np.float32
            )
            rate_hz = 1e6 / self._step_us
            yield Block(number, row.time_us, rate_hz, values, after_gap=number > expected)
            expected = number + 1
