"""One recording of vibration, and what is known of the machine at that time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Vibration:
    """All channels of one machine in one state, sampled evenly and at once.

    name: of the recording, no other has it. channels, units: of the rows of `values`, float32
    (channels, samples). fault: what the machine has, as its file or folder says; empty: not told.
    conditions: what else is known, by name, such as unit, speed (rpm), load, size or recording; as
    text, as whatever is held out is compared as text.
    """

    name: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    sample_rate_hz: float
    values: NDArray[np.float32]
    fault: str = ""
    conditions: Mapping[str, str] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """How long it is, in seconds."""
        return float(self.values.shape[1] / self.sample_rate_hz)
