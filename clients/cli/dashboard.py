"""The answers about one simulated asset, live on a terminal."""

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wearcast.clients.decode import Notice
from wearcast.clients.monitor import Event
from wearcast.clients.results import format_duration
from wearcast.signals.contract import Contract
from wearcast.signals.estimate import Band, Estimate
from wearcast.signals.simulation.bearing import BearingLife

_COLOURS = {
    Band.HEALTHY: "green",
    Band.WORN: "yellow",
    Band.WARNING: "dark_orange",
    Band.ALARM: "red",
}
_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 48


def show_live(
    events: Iterable[Event],
    contract: Contract,
    life: BearingLife,
    console: Console,
) -> list[Estimate]:
    """Show each estimate in the place of the one before it, and give them all."""
    estimates: list[Estimate] = []
    notices: list[str] = []
    head = f"simulated bearing, {contract.name} version {contract.version}"
    waiting = Text(f"waiting for the first {contract.sequence} snapshots")
    with Live(Panel(waiting, title=head), console=console, refresh_per_second=10) as live:
        for event in events:
            if isinstance(event, Estimate):
                estimates.append(event)
            elif isinstance(event, Notice):
                notices.append(str(event))
            if estimates:
                live.update(Panel(_draw(estimates, life, notices), title=head))
    return estimates


def _draw(estimates: list[Estimate], life: BearingLife, notices: list[str]) -> RenderableType:
    answer = estimates[-1].remaining_life
    colour = _COLOURS[answer.band]
    table = Table.grid(padding=(0, 2))
    table.add_row("operating time", format_duration(answer.age_s))
    bar = ProgressBar(1.0, answer.life_fraction, width=_COLUMNS, complete_style=colour)
    table.add_row("life fraction", f"{answer.life_fraction:.2f}")
    table.add_row("", bar)
    table.add_row("so far", Text(_draw_past(estimates), style=colour))
    low, high = format_duration(answer.rul_low_s), format_duration(answer.rul_high_s)
    share = f"{answer.interval_probability:.0%}"
    table.add_row(
        "remaining life", f"{format_duration(answer.rul_s)}  ({low} to {high}, {share} interval)"
    )
    table.add_row("  in truth", format_duration(max(life.life_s - answer.age_s, 0.0)))
    chances = [
        f"{format_duration(horizon_s)} {chance:.0%}"
        for horizon_s, chance in answer.failure_probabilities
    ]
    table.add_row("fails within", "   ".join(chances))
    state = f"{answer.band.value.lower()}{'   ALARM' if answer.alarm else ''}"
    table.add_row("state", Text(state, style=f"bold {colour}"))
    return Group(table, *(Text(notice, style="dim") for notice in notices))


def _draw_past(estimates: list[Estimate]) -> str:
    """Life fractions until now as a row of bars."""
    step = max(len(estimates) // _COLUMNS, 1)
    fractions = [item.remaining_life.life_fraction for item in estimates[-1::-step]][:_COLUMNS]
    return "".join(_BARS[min(int(value * len(_BARS)), len(_BARS) - 1)] for value in fractions[::-1])
