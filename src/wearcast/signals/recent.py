"""The newest blocks of a series, and the windows that they make."""

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import Contract


class Recent:
    """The newest blocks in one array, so that a window is a view of it and nothing is copied."""

    def __init__(self, contract: Contract) -> None:
        self._sequence = contract.sequence
        self._partial = contract.partial
        self._shape = (2 * contract.sequence, len(contract.channels), contract.window)
        self.clear()

    def clear(self) -> None:
        """Forget all blocks; where windows may be partial, those before count as missing."""
        self._values = np.empty(self._shape, np.float32)
        self._end = 0
        self._count = 0
        # How long ago, in blocks, the last one came that was filled in, or lacked a reading.
        self._since_filled = self._since_missing = self._sequence
        if self._partial:
            self._end = self._sequence - 1
            self._values[: self._end] = np.nan
            self._count = self._end
            self._since_missing = 0 if self._end else self._sequence

    def append(self, values: NDArray[np.float32], *, filled: bool) -> None:
        """Take the next block's values (channels, window)."""
        if self._end == len(self._values):
            kept = self._values[self._end - self._sequence + 1 :]
            # Windows that were given out still look at the old array.
            self._values = np.empty(self._shape, np.float32)
            self._values[: len(kept)] = kept
            self._end = len(kept)
        self._values[self._end] = values
        self._end += 1
        self._count = min(self._count + 1, self._sequence)
        self._since_filled = 0 if filled else self._since_filled + 1
        self._since_missing = 0 if np.count_nonzero(np.isnan(values)) else self._since_missing + 1

    @property
    def is_full(self) -> bool:
        """Whether they make a window."""
        return self._count == self._sequence

    @property
    def has_filled(self) -> bool:
        """Whether one of a window's blocks was filled in by its sender."""
        return self._since_filled < self._sequence

    @property
    def has_missing(self) -> bool:
        """Whether one of a window's blocks lacks a reading."""
        return self._since_missing < self._sequence

    def window(self) -> NDArray[np.float32]:
        """The newest blocks, float32 (sequence, channels, window)."""
        view = self._values[self._end - self._sequence : self._end]
        view.flags.writeable = False
        return view
