"""Brute-force oracles: the plainest way to an answer, which every fast path must equal."""

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.series import Block


def naive_snapshot(text: str) -> NDArray[np.float32]:
    """Values (2, rows) of a PRONOSTIA file, a cell at a time."""
    rows = [row.replace(";", ",").split(",") for row in text.splitlines()]
    return np.array(
        [[np.float32(float(row[4])) for row in rows], [np.float32(float(row[5])) for row in rows]]
    )


def naive_windows(blocks: list[Block], sequence: int) -> list[list[Block]]:
    """Every `sequence` blocks whose numbers follow each other without a gap."""
    return [
        blocks[end - sequence : end]
        for end in range(sequence, len(blocks) + 1)
        if blocks[end - 1].sequence - blocks[end - sequence].sequence == sequence - 1
    ]
