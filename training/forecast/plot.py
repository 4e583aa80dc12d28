"""A picture of a target: actual against predicted over time."""

from pathlib import Path

import numpy as np

from wearcast.training.forecast.evaluate import Evaluation
from wearcast.training.forecast.report import name_horizon

# Of the test part's end, so much is drawn with all models.
_CLOSE_S = 7 * 86_400.0


def plot_forecast(path: Path, evaluation: Evaluation, target: str) -> bool:
    """Draw the shortest horizon over the test part, and a week of it; False without matplotlib.

    Above, the first model with its interval; below, all models and the actual values.
    """
    try:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError:
        return False
    place = evaluation.targets.index(target)
    horizon_s = evaluation.settings.horizons_s[0]
    times_us = evaluation.ends_us + round(horizon_s * 1e6)
    times = times_us.astype("datetime64[us]")
    actual = evaluation.actual[:, place, 0]
    unit = evaluation.units[place]
    figure = Figure(figsize=(12, 8), layout="constrained")
    whole, close = figure.subplots(2)
    name, answers = next(iter(evaluation.models.items()))
    low, high = answers[:, place, 0, 0], answers[:, place, 0, -1]
    probability = evaluation.settings.quantiles[-1] - evaluation.settings.quantiles[0]
    whole.fill_between(
        times, low, high, color="C0", alpha=0.25, lw=0, label=f"{name}: {probability:.0%} interval"
    )
    whole.plot(times, actual, "black", lw=0.8, label="actual")
    whole.plot(times, evaluation.ways[name][:, place, 0], "C0", lw=0.8, label=name)
    last = times_us >= times_us[-1] - _CLOSE_S * 1e6
    if last.sum() < 2:  # noqa: PLR2004 a line needs two
        last = np.ones(len(times_us), bool)
    close.plot(times[last], actual[last], "black", lw=1.6, label="actual")
    for number, way in enumerate(evaluation.models):
        style = "--" if way.endswith("recursive") else "-"
        said = evaluation.ways[way][:, place, 0]
        close.plot(times[last], said[last], f"C{number}", ls=style, lw=1, label=way)
    whole.set_title(f"{target}, {name_horizon(horizon_s)} ahead: the test part, and its end")
    for axes in (whole, close):
        axes.set(xlabel="time (UTC)", ylabel=f"{target}, {unit}" if unit else target)
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, dpi=110)
    return True
