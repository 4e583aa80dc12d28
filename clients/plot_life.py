"""The picture of a machine that wears."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wearcast.clients.results import Result
from wearcast.signals.estimate import Band, Estimate

_BLUE, _ORANGE, _RED, _GREY = "#1f5fa8", "#d9822b", "#b3261e", "#6b7280"
_BANDS = ("#e8f3ea", "#fdf5dc", "#fbe6d4", "#f8d9d6")
_HOUR_S = 3600.0
_TICKS = (
    (10, "10 s"), (60, "1 min"), (180, "3 min"), (600, "10 min"), (3_600, "1 h"), (10_800, "3 h"),
    (36_000, "10 h"),
    (360_000, "100 h"), (3_600_000, "1,000 h"),
)  # fmt: skip


def draw_life(figure: Figure, result: Result) -> None:
    """Life fraction with its line above, remaining life below.

    The x axis is operating time, counted in blocks, as a recorder's clock may jump.
    """
    upper, lower = figure.subplots(2, 1, sharex=True)
    ages_h = np.array([item.remaining_life.age_s for item in result.estimates]) / _HOUR_S
    if result.estimates:
        _draw_life(upper, ages_h, result)
        _draw_rul(lower, ages_h, result.estimates)
    upper.set_ylabel("life fraction (0 new, 1 failed)")
    lower.set_ylabel("remaining life")
    lower.set_xlabel("operating time (h)")
    figure.align_ylabels()


def _draw_life(axes: Axes, ages_h: NDArray[np.float64], result: Result) -> None:
    lives = [item.remaining_life for item in result.estimates]
    thresholds = result.contract.rul.thresholds if result.contract.rul is not None else ()
    edges = (0.0, *thresholds[:3], 1.1)
    for low, high, band, colour in zip(edges, edges[1:], Band, _BANDS, strict=False):
        axes.axhspan(low, high, color=colour, zorder=0)
        axes.annotate(
            band.value.lower(), (0.005, low + 0.02), xycoords=("axes fraction", "data"),
            color=_GREY, fontsize=8,
        )  # fmt: skip
    for level, name in zip(thresholds[2:], ("alarm", "failed"), strict=False):
        axes.axhline(level, color=_RED, linewidth=1, linestyle="--", zorder=1)
        axes.annotate(
            f"{level:g} {name}", (1.005, level), xycoords=("axes fraction", "data"), color=_RED,
            fontsize=8, verticalalignment="center",
        )  # fmt: skip
    fractions = [life.life_fraction for life in lives]
    axes.plot(ages_h, fractions, ".", color=_BLUE, markersize=3, alpha=0.6, label="life fraction")
    values = [np.nan if life.line.value is None else life.line.value for life in lives]
    label = f"line through {lives[-1].line.points} of them, corrected"
    axes.plot(ages_h, values, color=_ORANGE, linewidth=1, label=label)
    line = lives[-1].line
    if line.value is not None and line.slope_per_s is not None:
        slope_per_h = line.slope_per_s * _HOUR_S
        last_h = float(ages_h[-1])
        start_h = float(ages_h[max(len(ages_h) - line.points, 0)])
        # As far as the failure, but not so far that the record shrinks to a corner.
        end_h = last_h
        if slope_per_h > 0 and line.value < 1:
            end_h += min((1 - line.value) / slope_per_h, 0.25 * (last_h - float(ages_h[0])))
        xs = np.array([start_h, end_h])
        ys = line.value + slope_per_h * (xs - last_h)
        axes.plot(xs, ys, color=_ORANGE, linestyle="--", label="the newest line")
    axes.set_ylim(0, 1.1)
    axes.legend(loc="lower right", fontsize=8)


def _draw_rul(axes: Axes, ages_h: NDArray[np.float64], estimates: Sequence[Estimate]) -> None:
    lives = [item.remaining_life for item in estimates]
    low, median, high = (
        np.array(values)
        for values in zip(
            *((life.rul_low_s, life.rul_s, life.rul_high_s) for life in lives), strict=True
        )
    )
    share = lives[0].interval_probability
    axes.fill_between(ages_h, low, high, color=_BLUE, alpha=0.2, label=f"{share:.0%} interval")
    axes.plot(ages_h, median, color=_BLUE, linewidth=1.2, label="median")
    alarms = np.flatnonzero([life.alarm for life in lives])
    if len(alarms):
        axes.axvline(float(ages_h[alarms[0]]), color=_RED, linewidth=1, label="alarm")
    axes.grid(color=_GREY, alpha=0.2)
    # From seconds to weeks: only a logarithmic axis shows the last minutes too.
    axes.set_yscale("log")
    lowest = max(float(low.min()) / 2, 5.0)
    highest = 1.5 * max(float(np.percentile(high, 98)), 2 * _HOUR_S)
    axes.set_ylim(lowest, highest)
    shown = [tick for tick in _TICKS if lowest <= tick[0] <= highest]
    axes.set_yticks([seconds for seconds, _ in shown], [label for _, label in shown])
    axes.minorticks_off()
    axes.legend(loc="lower left", fontsize=8)
