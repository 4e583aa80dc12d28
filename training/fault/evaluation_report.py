"""What an evaluation of fault models comes to, as tables and as plain values."""

from typing import Any

from wearcast.training.fault.evaluate import Evaluation
from wearcast.training.fault.report import (
    compare_scores,
    report_comparison,
    report_leaky,
    report_scores,
    summarize_scores,
)
from wearcast.training.forecast.report import make_table


def report_evaluation(result: Evaluation, condition: str) -> list[str]:
    """All tables: models beside each other, then each by what was held out and by fault."""
    title = f"Held out in turn: {condition}; all windows pooled"
    parts = report_comparison(title, "model", result.pooled)
    rows = [[model, f"{hits} of {count}"] for model, (hits, count) in result.right.items()]
    parts += [
        "Recordings whose mean probability names their fault:",
        make_table(["model", "right"], rows),
    ]
    for model, scores in result.pooled.items():
        parts += [
            f"## {model}",
            compare_scores(f"{condition} held out", result.folds[model]),
            *report_scores(f"{model}, pooled", scores),
        ]
    if result.leaky:
        parts += report_leaky(result.leaky)
    return parts


def summarize_evaluation(result: Evaluation) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "faults": list(result.faults),
        "pooled": {model: summarize_scores(it) for model, it in result.pooled.items()},
        "held_out": {
            model: {value: summarize_scores(it) for value, it in folds.items()}
            for model, folds in result.folds.items()
        },
        "recordings_right": {model: list(it) for model, it in result.right.items()},
        "leaky": {model: summarize_scores(it) for model, it in result.leaky.items()},
    }
