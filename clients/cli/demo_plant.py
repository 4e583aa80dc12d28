"""The second half of `wearcast demo`: two days of a simulated plant, with a leak on the second.

One stream asks two models about the same rows: `flow-forecast`, each hour, and `flow-outlier`, each
minute. An hour of the plant becomes a line: what was read, what had been forecast for it a day
before, and what the detectors said.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

from wearcast.clients.cli.lines import STAGE_NAMES
from wearcast.clients.client import Client
from wearcast.clients.plant_rows import RowsReplay
from wearcast.clients.results import Result, write_results
from wearcast.clients.rows import Actuals, highest_stage
from wearcast.signals.clock import format_time
from wearcast.signals.estimate import Estimate
from wearcast.signals.simulation.plant_faults import Label
from wearcast.signals.simulation.plant_simulation import SimulatedPlant, leak_day, simulate_plant

FORECAST, OUTLIER = "flow-forecast", "flow-outlier"
_ASSET = "simulated-plant"
_HOUR_US = 3_600_000_000
_DAY_S = 86_400.0
_COLOURS = ("green", "yellow", "dark_orange", "red", "bold red")
# From this stage on it counts as seen.
_SEEN = 3
# Minutes of an hour that count.
_LASTING = 10


@dataclass(frozen=True)
class Hour:
    """One hour of the plant; bands are (low, median, high), forecast a day before, where one was.

    stage: the highest that ten of its minutes reached: one in a hundred normal minutes is severe by
    definition. said: minutes at stage 3 or 4 by detector, of those that had ten.
    """

    end_us: int
    readings: dict[str, float | None]
    bands: dict[str, tuple[float, float, float]]
    stage: int
    said: Counter[str]


class Shown(NamedTuple):
    """What came of it."""

    summary: dict[str, object]
    files: list[Path]


def show_plant(client: Client, out: Path, *, seed: int, as_json: bool) -> Shown:
    """Stream the plant, show it and write the results."""
    plant = simulate_plant(leak_day(seed=seed))
    contracts = {name: client.model(name) for name in (FORECAST, OUTLIER)}
    source = RowsReplay(plant.measured, speed=0)
    events = client.monitor(source, asset=_ASSET, model=[*contracts])
    estimates: dict[str, list[Estimate]] = {name: [] for name in contracts}
    hours = _watch(events, plant, estimates)
    shown = list(hours) if as_json else _show(hours, plant)
    files: list[Path] = []
    for name, contract in contracts.items():
        result = Result(f"{_ASSET}-{name}", contract, estimates[name], (), plant.measured)
        files += write_results(out, result)
    summary = _summarise(plant, estimates[OUTLIER], shown)
    if not as_json:
        click.echo(_describe(summary))
    return Shown(summary, files)


def _watch(
    events: Iterator[object], plant: SimulatedPlant, estimates: dict[str, list[Estimate]]
) -> Iterator[Hour]:
    """Sort what comes by model, and give each hour once its last minute was judged."""
    minutes: list[Estimate] = []
    bands: dict[tuple[int, str], tuple[float, float, float]] = {}
    actuals = Actuals(plant.measured, 3600.0)
    for event in events:
        if not isinstance(event, Estimate):
            continue
        estimates[event.model].append(event)
        if event.model == FORECAST:
            for point in event.forecast.points:
                if point.horizon_s == _DAY_S:
                    for_us = event.window_end_us + round(point.horizon_s * 1e6)
                    values = [value for _, value in point.values]
                    bands[for_us, point.channel] = values[0], values[len(values) // 2], values[-1]
            continue
        minutes.append(event)
        end_us = event.window_end_us
        if (end_us + plant.measured.step_us) % _HOUR_US == 0:
            channels = plant.measured.channels
            yield Hour(
                end_us,
                {name: actuals.at(name, end_us) for name in channels},
                {name: bands[end_us, name] for name in channels if (end_us, name) in bands},
                _usual_stage(minutes),
                Counter(name for it in minutes for name in _seen_by(it)),
            )
            minutes = []


def _usual_stage(minutes: list[Estimate]) -> int:
    stages = sorted((highest_stage(item.outlier) or 0 for item in minutes), reverse=True)
    return stages[min(_LASTING, len(stages)) - 1]


def _seen_by(estimate: Estimate) -> list[str]:
    """The detectors that are at a stage that counts."""
    stages = [it for it in estimate.outlier.stages if it.stage is not None and it.stage >= _SEEN]
    return list(dict.fromkeys(f"{it.channel} {it.detector}".strip() for it in stages))


def _show(hours: Iterator[Hour], plant: SimulatedPlant) -> list[Hour]:
    """Each hour of the second day as it comes: a growing table on a terminal, else lines."""
    second_us = plant.measured.start_us + 24 * _HOUR_US
    shown: list[Hour] = []
    console = Console()
    title = "simulated plant: a day with one leak; (...) is what was forecast a day before"
    if not console.is_terminal:
        click.echo(title)
        for hour in hours:
            shown.append(hour)
            if hour.end_us >= second_us:
                click.echo(_format_hour(hour))
        return shown
    with Live(console=console, refresh_per_second=10) as live:
        for hour in hours:
            shown.append(hour)
            live.update(_draw([it for it in shown if it.end_us >= second_us], title))
    return shown


def _draw(hours: list[Hour], title: str) -> Table:
    table = Table(title=title, title_style="", box=None)
    for name in ("hour", "flow m3/h", "forecast", "pressure bar", "forecast", "stage", "seen by"):
        table.add_column(name)
    for hour in hours:
        cells = [f"{format_time(hour.end_us)[11:13]}:00"]
        for channel in ("flow_rate", "pressure"):
            reading = hour.readings[channel]
            cells += ["" if reading is None else f"{reading:.3g}", _format_band(hour, channel)]
        cells += [f"[{_COLOURS[hour.stage]}]{STAGE_NAMES[hour.stage]}[/]", _format_said(hour)]
        table.add_row(*cells)
    return table


def _format_hour(hour: Hour) -> str:
    parts = [f"{format_time(hour.end_us)[:13]}:00Z"]
    for channel, unit in (("flow_rate", "m3/h"), ("pressure", "bar")):
        reading = hour.readings[channel]
        read = "none" if reading is None else f"{reading:.3g}"
        parts.append(f"{channel} {read} {_format_band(hour, channel)} {unit}")
    parts.append(f"stage {hour.stage} {STAGE_NAMES[hour.stage]}")
    said = _format_said(hour)
    return "  ".join(parts) + (f": {said}" if said else "")


def _format_band(hour: Hour, channel: str) -> str:
    if channel not in hour.bands:
        return "(no forecast)"
    low, middle, high = hour.bands[channel]
    return f"({middle:.3g}, {low:.3g} to {high:.3g})"


def _format_said(hour: Hour) -> str:
    lasting = [(name, count) for name, count in hour.said.most_common(3) if count >= _LASTING]
    return ", ".join(f"{name} {count} min" for name, count in lasting)


def _summarise(
    plant: SimulatedPlant, outliers: list[Estimate], hours: list[Hour]
) -> dict[str, object]:
    (leak,) = (label for label in plant.labels if label.kind == "leak")
    seen = [item for item in outliers if (highest_stage(item.outlier) or 0) >= _SEEN]
    during = [item for item in seen if _holds(leak, item)]
    first = during[0] if during else None
    bands = [
        low <= reading <= high
        for hour in hours
        if not leak.start_us <= hour.end_us < leak.end_us
        for channel, (low, _, high) in hour.bands.items()
        if (reading := hour.readings[channel]) is not None
    ]
    length = sum(_holds(leak, item) for item in outliers)
    return {
        "simulated": True,
        "leak_start": format_time(leak.start_us),
        "leak_end": format_time(leak.end_us),
        "first_seen": format_time(first.window_end_us) if first else None,
        "first_seen_by": _seen_by(first) if first else [],
        "leak_minutes": length,
        "leak_minutes_seen": len(during),
        "other_minutes": len(outliers) - length,
        "other_minutes_seen": len(seen) - len(during),
        "bands_held": float(np.mean(bands)) if bands else None,
    }


def _holds(label: Label, estimate: Estimate) -> bool:
    return label.start_us <= estimate.window_end_us < label.end_us


def _describe(summary: dict[str, object]) -> str:
    leak = f"leak from {str(summary['leak_start'])[11:16]} to {str(summary['leak_end'])[11:16]}"
    if summary["first_seen"] is None:
        return f"simulated {leak}: not seen"
    detectors = ", ".join(map(str, list(summary["first_seen_by"])))  # type: ignore[call-overload]
    return (
        f"simulated {leak}: first seen at {str(summary['first_seen'])[11:16]} by {detectors}; "
        f"{summary['leak_minutes_seen']} of its {summary['leak_minutes']} minutes at stage "
        f"{_SEEN} or 4, and {summary['other_minutes_seen']} of the other "
        f"{summary['other_minutes']}; forecasts' bands held {summary['bands_held']:.0%} of the "
        "hours without it"
    )
