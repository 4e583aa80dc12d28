"""The picture of how cost grows: a row of panels over streams, and one over models."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from live_load import Figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator


def draw_growth(path: Path, by_streams: Sequence[Figure], by_models: Sequence[Figure]) -> None:
    """Write the PNG; both numbers rise."""
    picture = Picture(figsize=(13, 6.5), layout="constrained")
    picture.suptitle("Live streams of one sample a second each: what they cost the server")
    above, below = picture.subplots(2, 4)
    streams = [item.streams for item in by_streams]
    models = [item.models for item in by_models]
    _draw_load(above, streams, by_streams)
    _draw_load(below, models, by_models)
    _draw(above[3], streams, [item.server_cpu for item in by_streams])
    above[3].set(title="CPU of the server (cores)", yscale="log")
    _draw(below[3], models, [item.ready_s for item in by_models])
    below[3].set(title="from start to ready (s)", yscale="log")
    for panel in above:
        _label(panel, streams, "streams")
    for panel in below:
        _label(panel, models, f"models, {by_models[0].streams} streams in all")
    picture.savefig(path, dpi=110)


def _draw_load(panels: Sequence[Axes], counts: list[int], figures: Sequence[Figure]) -> None:
    """The three that both rows have."""
    cpu, late, memory, _ = panels
    _draw(cpu, counts, [item.cpu_us for item in figures])
    cpu.set(title="CPU of the server (us an answer)", yscale="log")
    _draw(late, counts, [item.p50_ms for item in figures], label="p50")
    _draw(late, counts, [item.p99_ms for item in figures], "C1", label="p99")
    late.set(title="from sample to answer (ms)", yscale="log")
    late.legend()
    _draw(memory, counts, [item.after_mb for item in figures])
    memory.set(title="memory of the server (MB)")


def _draw(
    axes: Axes, counts: list[int], values: list[float], colour: str = "C0", label: str = ""
) -> None:
    axes.plot(counts, values, colour, marker="o", ms=4, lw=1.3, label=label)


def _label(axes: Axes, counts: list[int], name: str) -> None:
    """The numbers that were measured below, and round ones beside."""
    axes.set(xscale="log", xlabel=name)
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    values = np.concatenate([line.get_ydata() for line in axes.lines])
    if axes.get_yscale() == "log":
        # Room enough for two round numbers, however flat the line is.
        axes.set_ylim(values.min() / 2.5, values.max() * 2.5)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(0, values.max() * 1.1)
    axes.grid(alpha=0.3)
