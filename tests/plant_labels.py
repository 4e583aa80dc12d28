"""Where the labels of a simulated plant lie in its rows."""

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.rows import Rows
from wearcast.signals.simulation.plant_demand import STEP_US
from wearcast.signals.simulation.plant_faults import Label
from wearcast.signals.simulation.plant_simulation import SimulatedPlant

Floats = NDArray[np.float64]


def rows_of(label: Label, rows: Rows) -> slice:
    return slice(*((at - rows.start_us) // STEP_US for at in (label.start_us, label.end_us)))


def spans(simulated: SimulatedPlant, kind: str, channel: str = "") -> list[slice]:
    found = [
        rows_of(label, simulated.true)
        for label in simulated.labels
        if (label.kind, label.channel) == (kind, channel)
    ]
    assert found
    return found


def correlate(values: Floats, lag: int) -> float:
    return float(np.corrcoef(values[:-lag], values[lag:])[0, 1])
