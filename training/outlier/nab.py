"""Two machines of the Numenta Anomaly Benchmark (Lavin and Ahmad, ICMLA 2015), one channel each.

The benchmark's probation teaches: 15% of the file and at most 750 rows; the others are scored. No
feature is made of the time of day.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wearcast.signals.cleaning import load_rows
from wearcast.signals.clock import parse_time
from wearcast.signals.rows import Rows
from wearcast.training.outlier.ranking import (
    Mask,
    Way,
    auroc,
    average_precision,
    count_raised,
    detector_ways,
)
from wearcast.training.outlier.score import score_rows
from wearcast.training.outlier.train import OutlierSettings, train_outlier

CHANNEL = "value"
UNIT = ""  # of one of them nobody says
_PROBATION_SHARE = 0.15
_MOST_ROWS = 750
_DAY_S = 86_400.0
SETTINGS = OutlierSettings(baseline="global", night=None)


@dataclass(frozen=True)
class Machine:
    """A file, seconds between its rows, and the benchmark's windows around each failure."""

    file: str
    step_s: float
    windows: tuple[tuple[str, str], ...]


MACHINES = (
    Machine(
        "machine_temperature_system_failure",
        300.0,
        (
            ("2013-12-10T06:25", "2013-12-12T05:35"),
            ("2013-12-15T17:50", "2013-12-17T17:00"),
            ("2014-01-27T14:20", "2014-01-29T13:30"),
            ("2014-02-07T14:55", "2014-02-09T14:05"),
        ),
    ),
    Machine(
        "ambient_temperature_system_failure",
        3600.0,
        (
            ("2013-12-15T07:00", "2013-12-30T09:00"),
            ("2014-03-29T15:00", "2014-04-20T22:00"),
        ),
    ),
)


@dataclass(frozen=True)
class WayResult:
    """One way on one machine; false alarms are those raised outside the windows."""

    auroc: float
    average_precision: float
    found: int
    false_per_day: float
    false_share: float


@dataclass(frozen=True)
class MachineResult:
    """All ways on the test rows of one machine."""

    name: str
    training_rows: int
    windows: int
    unusual_share: float
    days: float
    ways: dict[str, WayResult]


def judge_machine(folder: Path, machine: Machine) -> MachineResult:
    """Train on the probation of a file and score the rest."""
    rows = load_rows(folder / f"{machine.file}.csv", (CHANNEL,), step_s=machine.step_s).rows
    there = ~np.isnan(rows.column(CHANNEL))
    size = min(int(_PROBATION_SHARE * there.sum()), _MOST_ROWS)
    end = int(np.flatnonzero(there)[size - 1]) + 1
    checkpoint = train_outlier(
        rows.between(0, end), units={CHANNEL: UNIT}, time_zone=None, settings=SETTINGS
    )
    ways = detector_ways(checkpoint, score_rows(checkpoint, rows)) | _trivial(rows)
    tested = there & (np.arange(len(rows)) >= end)
    spans = [_span(rows, window)[tested] for window in machine.windows]
    spans = [span for span in spans if span.any()]
    unusual = np.any(spans, axis=0)
    days = float((~unusual).sum()) * machine.step_s / _DAY_S
    results = {}
    for name, whole in ways.items():
        way = whole.at(tested)
        false = way.alarm & ~unusual
        results[name] = WayResult(
            auroc=auroc(way, unusual),
            average_precision=average_precision(way, unusual),
            found=sum(bool((way.alarm & span).any()) for span in spans),
            false_per_day=count_raised(false) / days,
            false_share=float(false.sum() / (~unusual).sum()),
        )
    return MachineResult(machine.file, size, len(spans), float(unusual.mean()), days, results)


def _trivial(rows: Rows) -> dict[str, Way]:
    """Ways that know nothing of what is normal."""
    values = rows.column(CHANNEL)
    step = np.abs(np.diff(values, prepend=values[:1]))
    never = np.zeros(len(rows), dtype=bool)
    return {
        "row number": Way(np.arange(len(rows), dtype=np.float64), never),
        "low reading": Way(-np.nan_to_num(values), never),
        "high reading": Way(np.nan_to_num(values), never),
        "step since the last reading": Way(np.nan_to_num(step), never),
        "constant": Way(np.zeros(len(rows)), ~never),
    }


def _span(rows: Rows, window: tuple[str, str]) -> Mask:
    """Rows within a window, both ends included."""
    first, last = map(parse_time, window)
    return (rows.times_us >= first) & (rows.times_us <= last)
