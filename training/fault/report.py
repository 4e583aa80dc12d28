"""The tables that `wearcast evaluate fault` prints, in Markdown."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from wearcast.training.fault.metrics import BINS, Scores
from wearcast.training.forecast.report import make_table

LEAKY = "leaky: windows of one recording on both sides; means nothing"
_HEADLINE = {
    "accuracy": "accuracy",
    "macro-F1": "macro_f1",
    "macro-AUROC": "macro_auroc",
    "calibration error": "calibration_error",
    "Brier": "brier",
    "NLL": "nll",
    "unknown": "unknown_share",
    "macro-F1, unknown missed": "missed_macro_f1",
}
_EXPLAINED = (
    "An answer is the most probable fault. Macro: mean over the faults that are there; AUROC: of "
    f"each against all others; calibration error: expected, over {BINS} bins of the answer's "
    "probability; Brier: 0 to 2; NLL: natural logarithm; unknown: share of windows that the model "
    "calls so, which count as answered in all figures but the last, and there as not found."
)


def report_scores(title: str, scores: Scores) -> list[str]:
    """One model's figures by fault, and who was taken for whom."""
    return [
        f"### {title}",
        "By fault; unknown: share of its windows that the model calls so.",
        tabulate_faults(scores),
        "What is there, by row, and what was answered:",
        tabulate_confusion(scores),
    ]


def report_comparison(title: str, first: str, scores: Mapping[str, Scores]) -> list[str]:
    """The headline figures of several models, or of one on several splits, and what they are.

    first: what the names of `scores` are.
    """
    return [f"## {title}", _EXPLAINED, compare_scores(first, scores)]


def report_leaky(scores: Mapping[str, Scores]) -> list[str]:
    """The headline figures of models on a random split, marked for what they are."""
    return [f"## Random windows ({LEAKY})", compare_scores("model", scores)]


def compare_scores(first: str, scores: Mapping[str, Scores]) -> str:
    """A row for each of several scores; first: what their names are."""
    rows = [
        [
            name,
            f"{each.windows:,}",
            *(_format(getattr(each, figure)) for figure in _HEADLINE.values()),
        ]
        for name, each in scores.items()
    ]
    return make_table([first, "windows", *_HEADLINE], rows)


def tabulate_faults(scores: Scores) -> str:
    """A row for each fault."""
    rows = [
        [
            fault,
            *(_format(figures[place]) for figures in (scores.precision, scores.recall, scores.f1)),
            f"{scores.support[place]:,}",
            _format(_divide(scores.unknown[place], scores.support[place])),
        ]
        for place, fault in enumerate(scores.faults)
    ]
    return make_table(["fault", "precision", "recall", "F1", "support", "unknown"], rows)


def tabulate_confusion(scores: Scores) -> str:
    """Counts, and in brackets the share of the row."""
    rows = [
        [
            fault,
            *(
                f"{count:,} ({_format(_divide(count, row.sum()), 2)})" if count else "0"
                for count in row
            ),
        ]
        for fault, row in zip(scores.faults, scores.confusion, strict=True)
    ]
    return make_table(["there", *scores.faults], rows)


def summarize_scores(scores: Scores) -> dict[str, Any]:
    """The same as plain values; None where there is nothing to divide by."""
    return {
        "windows": scores.windows,
        **{figure: _plain(getattr(scores, figure)) for figure in _HEADLINE.values()},
        "faults": {
            fault: {
                "precision": _plain(scores.precision[place]),
                "recall": _plain(scores.recall[place]),
                "f1": _plain(scores.f1[place]),
                "support": int(scores.support[place]),
                "unknown": int(scores.unknown[place]),
            }
            for place, fault in enumerate(scores.faults)
        },
        "confusion": scores.confusion.tolist(),
    }


def _divide(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else float("nan")


def _format(value: float, digits: int = 3) -> str:
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
