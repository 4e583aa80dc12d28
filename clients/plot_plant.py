"""The pictures of a plant: forecasts as a fan over what was read, outlier stages as a timeline."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from wearcast.clients.results import Result, format_horizon
from wearcast.signals.estimate import ForecastPoint
from wearcast.signals.rows import Rows

_BLUE, _ORANGE, _DARK, _GREY = "#1f5fa8", "#d9822b", "#374151", "#9ca3af"
# Not applicable, then stages 0 to 4.
_STAGES = ("#e5e7eb", "#b7dfc0", "#fff2b0", "#fbcf8e", "#f08a5d", "#b3261e")
_NAMES = ("does not apply", "0 normal", "1 interest", "2 caution", "3 alert", "4 severe")
Times = NDArray[np.datetime64]


def draw_forecast(figure: Figure, result: Result) -> None:
    """For each target: what was read, the first horizon's band over it, the newest fan ahead."""
    part = result.contract.forecast
    targets = part.targets if part is not None else ()
    all_axes = figure.subplots(len(targets), 1, sharex=True, squeeze=False)[:, 0]
    for target, axes in zip(targets, all_axes, strict=True):
        if result.readings is not None:
            _draw_readings(axes, result.readings, target)
        if result.estimates:
            _draw_bands(axes, result, target)
        _finish(axes, target, result)
    if result.estimates:
        handles, labels = all_axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)


def draw_stages(figure: Figure, result: Result) -> None:
    """For each channel: what was read, and below it the stage of each detector over time."""
    points = result.estimates[0].outlier.stages if result.estimates else ()
    channels = [channel.name for channel in result.contract.channels]
    together = [point for point in points if not point.channel]
    heights = [3.0, 1.2] * len(channels) + [0.4] * bool(together)
    all_axes = figure.subplots(
        len(heights), 1, sharex=True, squeeze=False, height_ratios=heights
    )[:, 0]  # fmt: skip
    times = as_times([item.window_end_us for item in result.estimates])
    stages = np.array(
        [
            [-1 if stage.stage is None else stage.stage for stage in item.outlier.stages]
            for item in result.estimates
        ]
    ).reshape(len(times), len(points))
    for place, channel in enumerate(channels):
        upper, lower = all_axes[2 * place : 2 * place + 2]
        if result.readings is not None:
            _draw_readings(upper, result.readings, channel)
        _finish(upper, channel, result)
        mine = [number for number, point in enumerate(points) if point.channel == channel]
        draw_timeline(lower, times, stages[:, mine], [points[number].detector for number in mine])
    if together:
        mine = [number for number, point in enumerate(points) if not point.channel]
        names = [points[number].detector for number in mine]
        draw_timeline(all_axes[-1], times, stages[:, mine], names)
    explain_stages(figure)


def _draw_readings(axes: Axes, readings: Rows, channel: str) -> None:
    axes.plot(
        as_times(readings.times_us), readings.column(channel), color=_DARK, linewidth=0.7,
        alpha=0.7, label="read",
    )  # fmt: skip


def _draw_bands(axes: Axes, result: Result, target: str) -> None:
    """The first horizon of every forecast over what was read, and the newest word on what was not.

    A value that is a mean stands in the middle of its time.
    """
    part = result.contract.forecast
    shift_us = round(part.mean_s * 5e5) if part is not None and part.mean_s > 0 else 0
    end_us = result.estimates[-1].window_end_us
    past: dict[int, ForecastPoint] = {}
    ahead: dict[int, ForecastPoint] = {}
    for estimate in result.estimates:
        points = [point for point in estimate.forecast.points if point.channel == target]
        for point in points:
            time_us = estimate.window_end_us + round(point.horizon_s * 1e6)
            if time_us > end_us:
                ahead[time_us - shift_us] = point  # a later estimate's takes its place
            elif point is points[0]:
                past[time_us - shift_us] = point
    first = format_horizon(result.estimates[-1].forecast.points[0].horizon_s)
    _draw_band(axes, past, _BLUE, f"forecast {first} before")
    _draw_band(axes, ahead, _ORANGE, "newest forecast")


def _draw_band(axes: Axes, points: dict[int, ForecastPoint], colour: str, name: str) -> None:
    if not points:
        return
    times_us = sorted(points)
    values = np.array([[value for _, value in points[time_us].values] for time_us in times_us])
    quantiles = [quantile for quantile, _ in points[times_us[0]].values]
    label = f"{name}, {quantiles[0]:.0%} to {quantiles[-1]:.0%}"
    times = as_times(times_us)
    axes.fill_between(times, values[:, 0], values[:, -1], color=colour, alpha=0.25, linewidth=0)
    axes.plot(
        times, values[:, values.shape[1] // 2], color=colour, linewidth=1, marker=".",
        markersize=2, label=label,
    )  # fmt: skip


def explain_stages(figure: Figure) -> None:
    """The legend of timelines."""
    patches = [
        Patch(color=colour, label=name) for colour, name in zip(_STAGES, _NAMES, strict=True)
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), fontsize=8)


def draw_timeline(
    axes: Axes, times: Times, stages: NDArray[np.int64], detectors: list[str]
) -> None:
    """Stages (N, detectors) as coloured bands, one below the other."""
    axes.set_yticks(range(len(detectors)), detectors, fontsize=8)
    axes.set_ylim(max(len(detectors), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    if len(times) < 2 or not detectors:  # noqa: PLR2004 a cell has a beginning and an end
        return
    step = np.median(np.diff(times))
    edges = np.append(times, times[-1] + step)
    axes.pcolormesh(
        edges, np.arange(len(detectors) + 1) - 0.5, stages.T + 1,
        cmap=ListedColormap(list(_STAGES)), vmin=-0.5, vmax=5.5, rasterized=True,
    )  # fmt: skip


def _finish(axes: Axes, channel: str, result: Result) -> None:
    unit = next(item.unit for item in result.contract.channels if item.name == channel)
    axes.set_ylabel(f"{channel} ({unit})" if unit not in {"", "1"} else channel)
    axes.grid(color=_GREY, alpha=0.25)


def as_times(times_us: NDArray[np.int64] | list[int]) -> Times:
    """Times as matplotlib takes them; int64 microseconds since 1970-01-01 UTC."""
    return np.asarray(times_us, np.int64).astype("datetime64[us]")
