"""SKAB, a test bed of pumped water with valves that are shut (Katser and Kozitsin, 2020).

The first 400 rows of each file teach, the others are scored; so a file's model knows only the file.
Times serve to put rows a second apart, and for nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wearcast.signals.cleaning import load_rows
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.outlier.config import ACTUAL, MULTIVARIATE, PREDICTED
from wearcast.training.outlier.ranking import (
    Array,
    Mask,
    Way,
    count_raised,
    detector_ways,
    stage_shares,
)
from wearcast.training.outlier.score import score_rows
from wearcast.training.outlier.train import OutlierSettings, train_outlier

UNITS = {
    "Accelerometer1RMS": "g",
    "Accelerometer2RMS": "g",
    "Current": "A",
    "Pressure": "bar",
    "Temperature": "degC",
    "Thermocouple": "degC",
    "Voltage": "V",
    "Volume Flow RateRMS": "l/min",
}
CHANNELS = tuple(UNITS)
LABEL = "anomaly"
TRAINING_ROWS = 400
# "Alarm from this row of the test on": what F1 rewards without any sensor, and so its bar.
POSITION_ROW = 175
GROUPS = ("valve1", "other")
PLACE = "place in other files"
# Numbers of rows that the multivariate detector could average; the default is among them.
SMOOTHINGS = (1, 5, 10, 20, 30, 60)
# Nothing here hangs on the time of day; a valve that shuts lets less flow, not more.
SETTINGS = OutlierSettings(baseline="global", night=None, sides=dict.fromkeys(CHANNELS, "both"))
# A plain threshold: beyond 99% of a normal distribution on both sides.
_PLAIN_Z = 2.5758
_HOUR_S = 3600.0
FREE_SHARE = 0.7


@dataclass(frozen=True)
class FileResult:
    """What was said of one file's test rows, by each way; `unusual` is what the labels say."""

    name: str
    unusual: Mask
    ways: dict[str, Way]


@dataclass(frozen=True)
class FreeResult:
    """Alarms where nothing is wrong: all of them are false.

    raised_per_hour, share: alarms raised an hour, and share of rows with one, by way. shares: of
    rows at stage 1, 2, 3 and 4 or over, by detector and over the channels.
    """

    training_rows: int
    hours: float
    raised_per_hour: dict[str, float]
    share: dict[str, float]
    shares: dict[str, Array]


def list_files(folder: Path) -> list[Path]:
    """The labelled files, by group and number.

    Raises:
        InputError: there are none.
    """
    paths = [path for group in GROUPS for path in (folder / group).glob("*.csv")]
    if not paths:
        raise InputError(str(folder), "SKAB files in valve1 and other", "none")
    return sorted(paths, key=lambda path: (GROUPS.index(path.parent.name), int(path.stem)))


def read_file(path: Path) -> tuple[Rows, Mask]:
    """Rows a second apart, and which are labelled as unusual; without labels, none is."""
    with path.open() as file:
        labelled = LABEL in file.readline()
    names = (*CHANNELS, LABEL) if labelled else CHANNELS
    rows = load_rows(path, names, step_s=1.0).rows
    unusual = rows.column(LABEL) > 0 if labelled else np.zeros(len(rows), dtype=bool)
    values = rows.values[:, : len(CHANNELS)]
    return Rows(CHANNELS, rows.start_us, rows.step_us, values), unusual


def judge_file(path: Path, settings: OutlierSettings = SETTINGS) -> FileResult:
    """Train on the first rows of a file and score the others."""
    rows, unusual = read_file(path)
    there, end = _split(rows, TRAINING_ROWS)
    checkpoint = _train(rows.between(0, end), settings)
    ways = detector_ways(checkpoint, score_rows(checkpoint, rows))
    tested = there & (np.arange(len(rows)) >= end)
    ways = {name: way.at(tested) for name, way in ways.items()}
    ways["largest z"] = _plain(rows, end).at(tested)
    place = np.arange(int(tested.sum()), dtype=np.float64)
    ways["row number"] = Way(place, place >= POSITION_ROW)
    ways["constant"] = Way(np.zeros(len(place)), np.ones(len(place), dtype=bool))
    return FileResult(f"{path.parent.name}/{path.stem}", unusual[tested], ways)


def add_place(files: Sequence[FileResult]) -> list[FileResult]:
    """The same with one more way, which reads no sensor: how many other files are unusual there.

    It tells how alike the files are: what a score reaches that knows nothing but the row's number.
    """
    longest = max(len(item.unusual) for item in files)
    unusual, known = np.zeros((2, len(files), longest))
    for number, item in enumerate(files):
        unusual[number, : len(item.unusual)] = item.unusual
        known[number, : len(item.unusual)] = 1.0
    results = []
    for number, item in enumerate(files):
        others = np.arange(len(files)) != number
        share = unusual[others].sum(axis=0) / np.maximum(known[others].sum(axis=0), 1.0)
        share = share[: len(item.unusual)]
        way = Way(share, share > 0.5)  # noqa: PLR2004 most of them
        results.append(replace(item, ways=item.ways | {PLACE: way}))
    return results


def judge_free(folder: Path) -> list[FreeResult]:
    """Alarms on the recording without faults, taught by as few rows as a file's, and by 70%."""
    rows, _ = read_file(folder / "anomaly-free" / "anomaly-free.csv")
    count = int((~np.isnan(rows.values)).any(axis=1).sum())
    return [_judge_free(rows, size) for size in (TRAINING_ROWS, int(FREE_SHARE * count))]


def _judge_free(rows: Rows, training_rows: int) -> FreeResult:
    there, end = _split(rows, training_rows)
    checkpoint = _train(rows.between(0, end))
    scores = score_rows(checkpoint, rows)
    tested = there & (np.arange(len(rows)) >= end)
    hours = (len(rows) - end) * rows.step_us / 1e6 / _HOUR_S
    ways = detector_ways(checkpoint, scores) | {"largest z": _plain(rows, end)}
    ways = {name: way.at(tested) for name, way in ways.items()}
    shares = {
        detector: stage_shares(scores.stage[tested][:, scores.points(detector)])
        for detector in (MULTIVARIATE, ACTUAL, PREDICTED)
    }
    return FreeResult(
        training_rows=training_rows,
        hours=hours,
        raised_per_hour={name: count_raised(way.alarm) / hours for name, way in ways.items()},
        share={name: float(way.alarm.mean()) for name, way in ways.items()},
        shares=shares,
    )


def _split(rows: Rows, training_rows: int) -> tuple[Mask, int]:
    """Which rows stand in the file, and the first row that is not for training."""
    there = np.asarray((~np.isnan(rows.values)).any(axis=1))
    return there, int(np.flatnonzero(there)[training_rows - 1]) + 1


def _train(rows: Rows, settings: OutlierSettings = SETTINGS) -> Checkpoint:
    return train_outlier(rows, units=UNITS, time_zone=None, settings=settings)


def _plain(rows: Rows, end: int) -> Way:
    """The farthest channel of each row, in standard deviations of the training rows."""
    known = rows.values[:end]
    z = np.abs(rows.values - np.nanmean(known, axis=0)) / (np.nanstd(known, axis=0) + 1e-9)
    largest = np.max(np.nan_to_num(z), axis=1)
    return Way(largest, largest >= _PLAIN_Z)
