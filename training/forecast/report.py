"""The tables that `wearcast evaluate forecast` prints, in Markdown, and the files beside them."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.clock import format_time
from wearcast.training.forecast.evaluate import (
    Evaluation,
    Score,
    find_outliers,
    measure_interval,
    score,
)

# Of the outliers, so many stand in the tables; all are in the file of residuals.
_LISTED = 3
_FIGURES = {
    "RMSE": "rmse",
    "MAE": "mae",
    "bias": "bias",
    "mean predicted": "predicted_mean",
    "variance predicted": "predicted_variance",
    "residual mean": "residual_mean",
    "residual variance": "residual_variance",
    "residual min": "residual_min",
    "residual max": "residual_max",
    "> 2 sigma": "outliers",
    "> 2 sigma, centred": "outliers_centred",
}


def report_forecast(evaluation: Evaluation) -> list[str]:
    """Sizes, and for each target the figures of all ways, errors and intervals by horizon."""
    parts = [
        make_table(list(evaluation.sizes), [[f"{size:,}" for size in evaluation.sizes.values()]]),
        (
            "All figures are of the same values, of the test part. Persistence: the newest value "
            "known. A day, a week before: the newest known value of the same time of day, of week. "
            "Climatology: what is usual at that time in the training part. Residual: actual less "
            "predicted; bias: predicted less actual; sigma: the residuals' standard deviation, "
            "about 0, and centred about their mean. Models' points are their medians."
        ),
    ]
    for place, (target, unit) in enumerate(zip(evaluation.targets, evaluation.units, strict=True)):
        of = evaluation.actual[:, place]
        if not np.isfinite(of).any():
            parts += [f"## {target}", "No value to score."]
            continue
        parts += [f"## {target}" + (f", {unit}" if unit else ""), _whole(evaluation, place)]
        for title, figure in (("RMSE", "rmse"), ("MAE", "mae")):
            parts += [f"{title} by horizon:", _by_horizon(evaluation, place, figure)]
        parts += [_interval_title(evaluation), _intervals(evaluation, place)]
        parts += [
            f"Outliers, about 0, furthest {_LISTED} (all: residuals.csv):",
            _outliers(evaluation, place),
        ]
    parts += [f"Left out: {name}: {reason}." for name, reason in evaluation.left_out.items()]
    return [*parts, "## Costs", *map(str, evaluation.costs)]


def summarize_forecast(evaluation: Evaluation) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "sizes": evaluation.sizes,
        "targets": {
            target: {
                "unit": evaluation.units[place],
                "ways": {
                    name: {
                        "all": asdict(score(evaluation.actual[:, place], answers[:, place])),
                        "horizons": [
                            {"horizon_s": horizon_s, **asdict(figures)}
                            for horizon_s, figures in _each_horizon(evaluation, place, answers)
                        ],
                    }
                    for name, answers in evaluation.ways.items()
                },
                "intervals": {
                    name: [
                        {"horizon_s": horizon_s, "coverage": coverage, "width": width}
                        for horizon_s, coverage, width in _each_interval(evaluation, place, name)
                    ]
                    for name in evaluation.models
                },
            }
            for place, target in enumerate(evaluation.targets)
            if np.isfinite(evaluation.actual[:, place]).any()
        },
        "left_out": evaluation.left_out,
        "costs": [vars(cost) for cost in evaluation.costs],
    }


def write_residuals(path: Path, evaluation: Evaluation) -> None:
    """One row a value and way: when it was said, what followed, and whether it is an outlier."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["time", "window_end", "target", "horizon_s", "way", "actual", "predicted", "residual",
             "outlier", "outlier_centred"]
        )  # fmt: skip
        for place, target in enumerate(evaluation.targets):
            actual = evaluation.actual[:, place]
            for way, answers in evaluation.ways.items():
                predicted = answers[:, place]
                plain = find_outliers(actual, predicted, centred=False)
                centred = find_outliers(actual, predicted, centred=True)
                for row, column in np.argwhere(np.isfinite(actual)):
                    horizon_s = evaluation.settings.horizons_s[column]
                    end_us = int(evaluation.ends_us[row])
                    writer.writerow(
                        [
                            format_time(end_us + round(horizon_s * 1e6)), format_time(end_us),
                            target, f"{horizon_s:g}", way,
                            f"{actual[row, column]:.6g}", f"{predicted[row, column]:.6g}",
                            f"{actual[row, column] - predicted[row, column]:.6g}",
                            int(plain[row, column]), int(centred[row, column]),
                        ]
                    )  # fmt: skip


def write_losses(path: Path, evaluation: Evaluation) -> None:
    """One row an epoch, member and model; of a linear model an epoch is a penalty tried."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "member", "epoch", "training_loss", "validation_loss"])
        for name, history in evaluation.losses.items():
            for item in history:
                writer.writerow([name, *asdict(item).values()])


def make_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that hold text.

    >>> print(make_table(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def name_horizon(horizon_s: float) -> str:
    """As people write it.

    >>> name_horizon(86_400.0), name_horizon(5400.0)
    ('1 d', '90 min')
    """
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if horizon_s % seconds == 0:
            return f"{horizon_s / seconds:g} {unit}"
    return f"{horizon_s:g} s"


def _whole(evaluation: Evaluation, place: int) -> str:
    actual = evaluation.actual[:, place]
    rows = []
    for name, answers in evaluation.ways.items():
        figures = score(actual, answers[:, place])
        rows.append([name, *(_format(getattr(figures, field)) for field in _FIGURES.values())])
    first = score(actual, next(iter(evaluation.ways.values()))[:, place])
    return (
        f"Actual: {first.count:,} values, mean {_format(first.actual_mean)}, variance "
        f"{_format(first.actual_variance)}. All horizons together:\n\n"
        + make_table(["way", *_FIGURES], rows)
    )


def _by_horizon(evaluation: Evaluation, place: int, figure: str) -> str:
    names = [name_horizon(horizon_s) for horizon_s in evaluation.settings.horizons_s]
    rows = []
    for way, answers in evaluation.ways.items():
        cells = {
            horizon_s: _format(getattr(figures, figure))
            for horizon_s, figures in _each_horizon(evaluation, place, answers)
        }
        rows.append([way, *(cells.get(item, "") for item in evaluation.settings.horizons_s)])
    return make_table(["way", *names], rows)


def _interval_title(evaluation: Evaluation) -> str:
    low, high = evaluation.settings.quantiles[0], evaluation.settings.quantiles[-1]
    return f"Interval from {low:g} to {high:g}, {high - low:.0%}: coverage, and mean width:"


def _intervals(evaluation: Evaluation, place: int) -> str:
    names = [name_horizon(horizon_s) for horizon_s in evaluation.settings.horizons_s]
    rows = []
    for way in evaluation.models:
        cells = {
            horizon_s: f"{coverage:.2f}, {_format(width)}"
            for horizon_s, coverage, width in _each_interval(evaluation, place, way)
        }
        rows.append([way, *(cells.get(item, "") for item in evaluation.settings.horizons_s)])
    return make_table(["model", *names], rows)


def _outliers(evaluation: Evaluation, place: int) -> str:
    actual = evaluation.actual[:, place]
    rows = []
    for way in evaluation.models:
        predicted = evaluation.ways[way][:, place]
        far = np.argwhere(find_outliers(actual, predicted, centred=False))
        residuals: NDArray[np.float64] = (actual - predicted)[tuple(far.T)]
        for index in np.argsort(-np.abs(residuals), kind="stable")[:_LISTED]:
            row, column = far[index]
            horizon_s = evaluation.settings.horizons_s[column]
            time = format_time(int(evaluation.ends_us[row]) + round(horizon_s * 1e6))
            value, said = actual[row, column], predicted[row, column]
            rows.append([
                way, time.removesuffix(".000000Z") + "Z", name_horizon(horizon_s), _format(value),
                _format(said), _format(value - said),
            ])  # fmt: skip
    return make_table(["model", "time", "horizon", "actual", "predicted", "residual"], rows)


def _each_horizon(
    evaluation: Evaluation, place: int, answers: NDArray[np.float64]
) -> Iterator[tuple[float, Score]]:
    """Figures of each horizon that has a value."""
    for column, horizon_s in enumerate(evaluation.settings.horizons_s):
        actual = evaluation.actual[:, place, column]
        if np.isfinite(actual).any():
            yield horizon_s, score(actual, answers[:, place, column])


def _each_interval(
    evaluation: Evaluation, place: int, model: str
) -> Iterator[tuple[float, float, float]]:
    """Horizon, coverage, width."""
    for column, horizon_s in enumerate(evaluation.settings.horizons_s):
        actual = evaluation.actual[:, place, column]
        answers = evaluation.models[model][:, place, column]
        if np.isfinite(actual).any():
            yield horizon_s, *measure_interval(actual, answers[:, 0], answers[:, -1])


def _format(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
