"""A recording: the blocks of one asset, whichever files they came from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.series import Block


@dataclass(frozen=True)
class Recording:
    """The blocks of one asset in the order they were taken.

    name: the asset, such as "Bearing1_1". numbers: int64 (N,), sequence number of each block from 0
    at the start of the record, rising; a jump is a gap. starts_us: int64 (N,), time of each block's
    first sample. values: float32 (N, channels, window) in the channels' units. skipped: one line
    for each file that could not be used, saying field, expected and got.
    """

    name: str
    sample_rate_hz: float
    numbers: NDArray[np.int64]
    starts_us: NDArray[np.int64]
    values: NDArray[np.float32]
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.numbers)

    def blocks(self) -> Iterator[Block]:
        """The blocks in order, with `after_gap` set where numbers jump or don't start at 0."""
        expected = 0
        for number, start_us, values in zip(self.numbers, self.starts_us, self.values, strict=True):
            yield Block(
                sequence=int(number),
                start_us=int(start_us),
                sample_rate_hz=self.sample_rate_hz,
                values=values,
                after_gap=bool(number != expected),
            )
            expected = number + 1


def gather(blocks: Iterable[Block], name: str, skipped: Iterable[str] = ()) -> Recording:
    """One recording of one block or more; `skipped` is read after the last block."""
    kept = list(blocks)
    return Recording(
        name=name,
        sample_rate_hz=kept[0].sample_rate_hz,
        numbers=np.array([block.sequence for block in kept], dtype=np.int64),
        starts_us=np.array([block.start_us for block in kept], dtype=np.int64),
        values=np.stack([block.values for block in kept]),
        skipped=tuple(skipped),
    )
