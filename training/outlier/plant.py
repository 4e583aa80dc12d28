"""A plant's record with labels of what went wrong: who notices what, how soon, and at which price.

Training has the first part of the record, with its faults and without its labels; the rest is
scored.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.clock import find_zone, parse_time
from wearcast.signals.contract import OutlierPoint
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.signals.simulation.plant_faults import Label
from wearcast.signals.stages import SEVERE
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.outlier.ranking import Array, Mask, count_raised, stage_shares
from wearcast.training.outlier.score import score_rows

# A single row at stage 4 is one in a hundred of the normal ones; so many in a row are an alarm.
HELD_ROWS = 10
_DAY_S = 86_400.0
_HEADER = ["start", "end", "kind", "channel"]


@dataclass(frozen=True)
class PointResult:
    """One point on the normal rows of the test part.

    shares: of the rows at stage 1, 2, 3 and 4 or over, float64 (4,). alarms_per_day: how often
    stage 4 came to stand for `HELD_ROWS` rows.
    """

    point: OutlierPoint
    shares: Array
    alarms_per_day: float


@dataclass(frozen=True)
class KindResult:
    """One kind of label and one detector, its own channel's point or all.

    severe: events with a row at stage 4. held: events with stage 4 for `HELD_ROWS` rows in a row;
    delay_min: the median time from the start until then, NaN where there is none. share: of the
    events' rows at stage 4.
    """

    kind: str
    detector: str
    events: int
    severe: int
    held: int
    delay_min: float
    share: float


@dataclass(frozen=True)
class PlantResult:
    """What was said of the test part; normal_days: what of it bears no label."""

    normal_days: float
    points: list[PointResult]
    kinds: list[KindResult]


def read_labels(path: Path, time_zone: str) -> list[Label]:
    """Labels of a CSV file with the header `start,end,kind,channel`; `end` is past the last row.

    time_zone: of times without an offset.

    Raises:
        InputError: another header, or times that are none.
    """
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    if not lines or lines[0] != _HEADER:
        raise InputError(str(path), ",".join(_HEADER), ",".join(lines[0]) if lines else "nothing")
    labels = []
    for number, line in enumerate(lines[1:], 2):
        try:
            start, end, kind, channel = line
            labels.append(Label(kind, channel, _to_us(start, time_zone), _to_us(end, time_zone)))
        except ValueError as error:
            raise InputError(f"{path}: line {number}", "start,end,kind,channel", line) from error
    return labels


def _to_us(text: str, time_zone: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=find_zone(time_zone))
    return parse_time(moment.isoformat())


def judge_plant(
    checkpoint: Checkpoint, rows: Rows, labels: Sequence[Label], first: int
) -> PlantResult:
    """Score rows from `first` on, which the checkpoint was not trained on."""
    scores = score_rows(checkpoint, rows)
    count, sequence = len(rows), checkpoint.sequence
    normal = np.arange(count) >= first
    spans = []
    for label in labels:
        start = (label.start_us - rows.start_us) // rows.step_us
        end = min(-((rows.start_us - label.end_us) // rows.step_us), count)
        # What was wrong stays in the windows for a while.
        normal[max(start, 0) : end + sequence] = False
        if start >= first and end > start:
            spans.append((label, slice(start, end)))
    severe = scores.stage >= SEVERE
    held = np.stack([_stands(column) for column in severe.T], axis=1)
    days = float(normal.sum()) * rows.step_us / 1e6 / _DAY_S
    points = [
        PointResult(
            point,
            stage_shares(scores.stage[normal, place]),
            count_raised(held[:, place] & normal) / days,
        )
        for place, point in enumerate(scores.part.points)
    ]
    kinds = []
    for kind in dict.fromkeys(label.kind for label, _ in spans):
        mine = [(label, span) for label, span in spans if label.kind == kind]
        for detector in dict.fromkeys(point.detector for point in scores.part.points):
            events = []
            for label, span in mine:
                places = _find_points(scores.part.points, detector, label.channel)
                said, stands = (_any(part[span][:, places]) for part in (severe, held))
                events.append((said, stands))
            kinds.append(_sum_up(kind, detector, events, rows.step_us / 60e6))
    return PlantResult(days, points, kinds)


def _find_points(points: Sequence[OutlierPoint], detector: str, channel: str) -> list[int]:
    """Places of a detector's points on a channel, or on any if it is empty."""
    return [
        place
        for place, point in enumerate(points)
        if point.detector == detector and (not channel or point.channel in {"", channel})
    ]


def _sum_up(
    kind: str, detector: str, events: Sequence[tuple[Mask, Mask]], step_min: float
) -> KindResult:
    """One result of events: for each whether its rows are at stage 4, and are so for long."""
    delays = [np.argmax(stands) * step_min for _, stands in events if stands.any()]
    return KindResult(
        kind=kind,
        detector=detector,
        events=len(events),
        severe=sum(bool(said.any()) for said, _ in events),
        held=len(delays),
        delay_min=float(np.median(delays)) if delays else float("nan"),
        share=float(np.concatenate([said for said, _ in events]).mean()),
    )


def _any(flags: Mask) -> Mask:
    return np.asarray(flags.any(axis=1))


def _stands(severe: NDArray[np.bool_]) -> Mask:
    """Whether the newest `HELD_ROWS` rows are all at stage 4, bool (N,)."""
    total = np.cumsum(np.concatenate([np.zeros(HELD_ROWS, dtype=np.int64), severe]))
    return np.asarray(total[HELD_ROWS:] - total[:-HELD_ROWS] == HELD_ROWS)
