"""The daily case of part B: of a year's minutes the daily means, and of seven the next one.

A year of one-minute rows, 2020-01-01 to 2021-01-01 0:00, has 527,041 of them: 367 daily means (the
last of one row), 256 to learn from and 111 to test, 104 windows of seven days. What was said for a
day is compared with that very day.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.clock import format_time
from wearcast.signals.rows import Rows
from wearcast.training.forecast.evaluate import list_test_windows, score
from wearcast.training.forecast.model import predict_windows
from wearcast.training.forecast.report import make_table
from wearcast.training.forecast.train import DAY_S, ForecastSettings, Trained, train_forecast
from wearcast.training.forecast.windows import Array

NORMAL, UNUSUAL = "Normal", "Unusual"
# A day is Normal between the outer two, which hold 95% of days.
DAILY = ForecastSettings(
    window=7,
    horizons_s=(DAY_S,),
    mean_s=DAY_S,
    every_s=None,
    quantiles=(0.025, 0.5, 0.975),
    split=(7, 3),
)


@dataclass(frozen=True, eq=False)
class Daily:
    """What was said of the test part's days, one row a window.

    times_us: int64 (n,), start of the day. actual, low, predicted, high: float64 (n,).
    """

    trained: Trained
    times_us: NDArray[np.int64]
    actual: Array
    low: Array
    predicted: Array
    high: Array

    @property
    def labels(self) -> list[str]:
        """Normal, Unusual, or nothing where the day has no mean."""
        normal = (self.actual >= self.low) & (self.actual <= self.high)
        names = np.where(normal, NORMAL, UNUSUAL)
        labels: list[str] = np.where(np.isfinite(self.actual), names, "").tolist()
        return labels


def forecast_days(rows: Rows, target: str, model: str = "linear", *, seed: int = 0) -> Daily:
    """Learn from the first 70% of daily means, and say each next day of the rest.

    rows: one a day.

    Raises:
        InputError: rows of another step, or too few; no such channel or model.
    """
    own = Rows((target,), rows.start_us, rows.step_us, rows.column(target)[:, None])
    trained = train_forecast(own, model, targets=(target,), settings=DAILY, seed=seed)
    windows = list_test_windows(trained)
    answers = predict_windows(trained.model, windows)[:, 0, 0].astype(np.float64)
    return Daily(
        trained=trained,
        times_us=rows.times_us[windows.ends + 1],
        actual=windows.targets(windows.ends)[:, 0, 0].numpy().astype(np.float64),
        low=answers[:, 0],
        predicted=answers[:, 1],
        high=answers[:, 2],
    )


def write_daily(path: Path, daily: Daily) -> None:
    """One row a day: time, actual, predicted, label."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time", "actual", "predicted", "label"])
        for time_us, actual, predicted, label in zip(
            daily.times_us, daily.actual, daily.predicted, daily.labels, strict=True
        ):
            cell = f"{actual:.6g}" if np.isfinite(actual) else ""
            writer.writerow([format_time(int(time_us)), cell, f"{predicted:.6g}", label])


def report_days(days: dict[str, Daily]) -> list[str]:
    """Sizes and figures in Markdown, beside the day before."""
    figures = ("rows", "training", "test", "windows", "RMSE", "RMSE of the day before", UNUSUAL)
    rows = []
    for target, facts in summarize_days(days).items():
        cells = [value if isinstance(value, int) else f"{value:.4g}" for value in facts.values()]
        rows.append([target, *map(str, cells)])
    return ["Daily means, seven give the next:", make_table(["target", *figures], rows)]


def summarize_days(days: dict[str, Daily]) -> dict[str, dict[str, int | float]]:
    """Sizes and figures of each target."""
    facts = {}
    for target, daily in days.items():
        trained = daily.trained
        before = trained.record.means[list_test_windows(trained).ends, 0]
        actual = np.where(np.isfinite(before), daily.actual, np.nan)
        facts[target] = {
            "rows": trained.parts.test.stop,
            "training": len(trained.parts.training),
            "test": len(trained.parts.test),
            "windows": len(daily.times_us),
            "rmse": score(actual, daily.predicted).rmse,
            "rmse_day_before": score(actual, before).rmse,
            "unusual": daily.labels.count(UNUSUAL),
        }
    return facts
