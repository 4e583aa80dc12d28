"""The picture of rows that an edge service keeps: what was read, what was said of it, alarms."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from wearcast.clients.plot_plant import as_times, draw_timeline, explain_stages
from wearcast.signals.alerts import Alert, AlertKind
from wearcast.signals.clock import format_time
from wearcast.signals.plant_table import Columns, PlantRow

_DARK, _BLUE, _RED = "#374151", "#1f5fa8", "#b3261e"
# A minute of each so many is drawn of a record that is longer than a picture is wide.
_MOST_ROWS = 20_000


def draw_rows(columns: Columns, rows: Sequence[PlantRow], alerts: Sequence[Alert]) -> bytes:
    """PNG: of each channel readings and forecasts, its detectors' stages, and how long alarms were.

    rows: times rising. alerts: of the same time; those of every abnormal reading are passed over.
    """
    rows = rows[:: max(1, len(rows) // _MOST_ROWS)]
    together = any(not channel for _, channel in columns.points)
    heights = [3.0, 1.2] * len(columns.channels) + [0.4] * together
    with rc_context({"date.converter": "concise"}):
        figure = Figure(figsize=(10, 7), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(_describe(rows), fontsize=12)
        axes = figure.subplots(
            len(heights), 1, sharex=True, squeeze=False, height_ratios=heights
        )[:, 0]  # fmt: skip
        for place, (channel, unit) in enumerate(columns.channels):
            upper, lower = axes[2 * place : 2 * place + 2]
            _draw_readings(upper, place, rows)
            _draw_alarms(upper, channel, rows, alerts)
            upper.set_ylabel(f"{channel} ({unit})" if unit not in {"", "1"} else channel)
            upper.grid(alpha=0.25)
            _draw_stages(lower, channel, columns, rows)
        if together:
            _draw_stages(axes[-1], "", columns, rows)
        axes[0].legend(loc="upper left", fontsize=8)
        explain_stages(figure)
        content = io.BytesIO()
        figure.savefig(content, format="png", metadata={"Description": f"{len(rows)} rows"})
    return content.getvalue()


def _draw_readings(axes: Axes, place: int, rows: Sequence[PlantRow]) -> None:
    times = as_times([row.time_us for row in rows])
    read = np.array([row.readings[place] for row in rows], float)
    predicted = np.array([row.predictions[place] for row in rows], float)
    axes.plot(times, read, color=_DARK, linewidth=0.7, alpha=0.7, label="read")
    axes.plot(times, predicted, color=_BLUE, linewidth=1.2, label="forecast a day before")


def _draw_alarms(
    axes: Axes, channel: str, rows: Sequence[PlantRow], alerts: Sequence[Alert]
) -> None:
    """A red ground from where an alarm was raised to where it was cleared."""
    label = "alarm"
    since: dict[str, int] = {}
    spans = []
    for alert in alerts:
        if alert.channel not in {channel, ""}:
            continue
        tag = f"{alert.channel} {alert.detector}"
        if alert.kind is AlertKind.RAISED:
            since.setdefault(tag, alert.time_us)
        elif alert.kind is AlertKind.CLEARED and rows:
            spans.append((since.pop(tag, rows[0].time_us), alert.time_us))
    spans += [(begin_us, rows[-1].time_us) for begin_us in since.values() if rows]
    for span in spans:
        first, last = as_times([*span])
        axes.axvspan(first, last, color=_RED, alpha=0.08, linewidth=0, label=label)
        label = "_"  # one line in the legend


def _draw_stages(axes: Axes, channel: str, columns: Columns, rows: Sequence[PlantRow]) -> None:
    mine = [place for place, point in enumerate(columns.points) if point[1] == channel]
    stages = np.array(
        [[_known(row.stages[place]) for place in mine] for row in rows], np.int64
    ).reshape(len(rows), len(mine))
    times = as_times([row.time_us for row in rows])
    draw_timeline(axes, times, stages, [columns.points[place][0] for place in mine])


def _known(stage: int | None) -> int:
    """What has not been judged looks like what no detector applies to."""
    return -1 if stage is None else stage


def _describe(rows: Sequence[PlantRow]) -> str:
    if not rows:
        return "no rows"
    first, last = (format_time(row.time_us)[:16].replace("T", " ") for row in (rows[0], rows[-1]))
    return f"{first} to {last} UTC"
