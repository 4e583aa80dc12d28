"""The tables that `wearcast evaluate outlier` prints, in Markdown."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from wearcast.signals.stages import SEVERE
from wearcast.training.outlier.config import MULTIVARIATE
from wearcast.training.outlier.evaluate import Benchmarks
from wearcast.training.outlier.nab import MachineResult
from wearcast.training.outlier.plant import HELD_ROWS, PlantResult
from wearcast.training.outlier.ranking import (
    Mask,
    Rates,
    Way,
    alarm_rates,
    auroc,
    average_precision,
)
from wearcast.training.outlier.skab import (
    GROUPS,
    POSITION_ROW,
    SETTINGS,
    FileResult,
    FreeResult,
)

# Source: SKAB v0.9 (Katser and Kozitsin, 2020) and later papers; both pool the rows of all files.
_PUBLISHED_F1 = "The best published F1 is 0.78 in SKAB's own list, and 0.86 elsewhere, by Conv-AE."
_NORMAL = "the normal distribution says 10%, 5%, 2% and 1%"
_STAGES = [f"stage {stage}" for stage in range(1, SEVERE + 1)]
Figure = Callable[[Way, Mask], float]


def report_benchmarks(results: Benchmarks) -> list[str]:
    """Ranking by file, alarms by rows pooled, false alarms where nothing is wrong, and NAB."""
    files, free = results.files, results.free
    ways = list(files[0].ways)
    return [
        "## SKAB: how well unusual rows are told from others",
        (
            "A model for each file, fitted to its first 400 rows; all its other rows are scored, "
            "each by at most the newest 120. AUROC and, in brackets, average precision: a score "
            "that tells nothing has 0.5 and the share of unusual rows. No detector's score hangs "
            "on time or place; two ways that read no sensor stand beside them. The row number "
            "ranks rows as a reading that drifts evenly does. The place in other files is the "
            "share of the other files that are unusual at that row: most go wrong at the same rows."
        ),
        _rank_files(files, [way for way in ways if way != "constant"]),
        "Mean AUROC of the multivariate detector, by how many rows it averages:",
        _smoothing_table(results),
        "## SKAB: alarms",
        (
            "Rows of all files pooled. Alarm: stage 4 on any channel; largest z beyond 2.58; from "
            f"row {POSITION_ROW} of the test on; always; at rows where most other files are "
            f"unusual. {_PUBLISHED_F1} Whoever knows the place needs no sensor."
        ),
        _alarm_table(files, ways),
        "## SKAB: false alarms where nothing is wrong",
        (
            "The recording without faults, one row a second. An alarm is raised where a row with "
            "stage 4 on any channel follows one without; one that never ends is raised once."
        ),
        _free_table(free),
        f"Shares of rows, over the channels, at a stage or over; {_NORMAL}.",
        _share_table(free),
        "## NAB: two machines, one temperature each",
        (
            "Fitted to the benchmark's probation. Alarm: stage 4; false where it is raised outside "
            "the windows; a window is found where any of its rows has one. The ways below "
            "`predicted` know nothing of what is normal, and raise no alarms but for `constant`."
        ),
        *(part for item in results.machines for part in _report_machine(item)),
    ]


def summarize_benchmarks(results: Benchmarks) -> dict[str, Any]:
    """The means over files, the false alarms and NAB's figures, as plain values."""
    files = results.files
    return {
        "skab": {
            "files": len(files),
            "ways": {
                name: {
                    "auroc": {group: _mean(part, name, auroc) for group, part in _groups(files)},
                    "average_precision": _mean(files, name, average_precision),
                    **vars(_pooled(files, name)),
                }
                for name in files[0].ways
            },
            "false_alarms_per_hour": {
                str(item.training_rows): item.raised_per_hour for item in results.free
            },
        },
        "nab": {
            item.name: {name: vars(way) for name, way in item.ways.items()}
            for item in results.machines
        },
    }


def report_plant(result: PlantResult) -> list[str]:
    """Stages of normal rows, and who noticed what."""
    shares = [
        [
            item.point.detector,
            item.point.channel or "all",
            *(f"{share:.4f}" for share in item.shares),
            f"{item.alarms_per_day:.2f}",
        ]
        for item in result.points
        if not np.isnan(item.shares).any()
    ]
    kinds = [
        [
            item.kind,
            item.detector,
            f"{item.severe} of {item.events}",
            f"{item.held} of {item.events}",
            "-" if np.isnan(item.delay_min) else f"{item.delay_min:.0f}",
            f"{item.share:.3f}",
        ]
        for item in result.kinds
        if item.severe
    ]
    held = f"{HELD_ROWS} rows long"
    return [
        "## Normal rows",
        (
            f"Rows without a label after those that were fitted to, {result.normal_days:.1f} days: "
            f"shares, of those that the detector applies to, at a stage or over; {_NORMAL}. "
            f"Alarms: stage 4, {held}."
        ),
        make_table(["detector", "channel", *_STAGES, "alarms a day"], shares),
        "## What was noticed",
        (
            f"Events with a row at stage 4, and with stage 4 {held}; the median time until then; "
            "the share of the events' rows at stage 4. A sensor's fault is looked for in its own "
            "channel and in all together. A long event has some row at stage 4 by chance."
        ),
        make_table(["kind", "detector", "stage 4", held, "after minutes", "share of rows"], kinds),
    ]


def summarize_plant(result: PlantResult) -> dict[str, Any]:
    """All figures as plain values."""
    return {
        "normal_days": result.normal_days,
        "points": [
            {
                "detector": item.point.detector,
                "channel": item.point.channel,
                "shares": None if np.isnan(item.shares).any() else item.shares.tolist(),
                "alarms_per_day": item.alarms_per_day,
            }
            for item in result.points
        ],
        "kinds": [
            {**vars(item), "delay_min": None if np.isnan(item.delay_min) else item.delay_min}
            for item in result.kinds
        ],
    }


def make_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _rank_files(files: Sequence[FileResult], ways: Sequence[str]) -> str:
    parts = [(item.name, [item]) for item in files]
    parts += [(f"mean of {group}", part) for group, part in _groups(files)]
    rows = [
        [
            name,
            f"{np.mean([item.unusual.mean() for item in part]):.2f}",
            *(
                f"{_mean(part, way, auroc):.3f} ({_mean(part, way, average_precision):.3f})"
                for way in ways
            ),
        ]
        for name, part in parts
    ]
    return make_table(["file", "unusual", *ways], rows)


def _smoothing_table(results: Benchmarks) -> str:
    rows = [
        [
            f"{size}, as above" if size == SETTINGS.smoothing else str(size),
            *(f"{_mean(part, MULTIVARIATE, auroc):.3f}" for _, part in _groups(files)),
        ]
        for size, files in results.by_smoothing.items()
    ]
    return make_table(["rows", *(group for group, _ in _groups(results.files))], rows)


def _groups(files: Sequence[FileResult]) -> list[tuple[str, list[FileResult]]]:
    """Files by group, and all of them."""
    parts = [(group, [item for item in files if item.name.startswith(group)]) for group in GROUPS]
    return [(group, part) for group, part in parts if part] + [("all", list(files))]


def _mean(files: Sequence[FileResult], way: str, figure: Figure) -> float:
    return float(np.mean([figure(item.ways[way], item.unusual) for item in files]))


def _pooled(files: Sequence[FileResult], way: str) -> Rates:
    alarm = np.concatenate([item.ways[way].alarm for item in files])
    return alarm_rates(alarm, np.concatenate([item.unusual for item in files]))


def _alarm_table(files: Sequence[FileResult], ways: Sequence[str]) -> str:
    rows = []
    for name in ways:
        rates = _pooled(files, name)
        shares = (rates.f1, rates.false_share, rates.missed_share)
        rows.append([name, *(f"{share:.3f}" for share in shares)])
    return make_table(["way", "F1", "false alarms, share", "missed, share"], rows)


def _free_table(free: Sequence[FreeResult]) -> str:
    rows = [
        [
            f"{item.training_rows:,}",
            f"{item.hours:.2f}",
            name,
            f"{item.raised_per_hour[name]:.1f}",
            f"{item.share[name]:.3f}",
        ]
        for item in free
        for name in item.share
    ]
    header = ["rows fitted to", "hours scored", "way", "alarms raised an hour", "share of rows"]
    return make_table(header, rows)


def _share_table(free: Sequence[FreeResult]) -> str:
    rows = [
        [f"{item.training_rows:,}", name, *(f"{share:.3f}" for share in shares)]
        for item in free
        for name, shares in item.shares.items()
    ]
    return make_table(["rows fitted to", "detector", *_STAGES], rows)


def _report_machine(item: MachineResult) -> list[str]:
    rows = [
        [
            name,
            f"{way.auroc:.3f}",
            f"{way.average_precision:.3f}",
            f"{way.found} of {item.windows}",
            f"{way.false_per_day:.2f}",
            f"{way.false_share:.3f}",
        ]
        for name, way in item.ways.items()
    ]
    header = ["way", "AUROC", "AP", "windows found", "false alarms a day", "share of rows"]
    text = (
        f"{item.name}: fitted to {item.training_rows} rows; of the others "
        f"{item.unusual_share:.1%} lie in windows, the rest are {item.days:.0f} days."
    )
    return [text, make_table(header, rows)]
