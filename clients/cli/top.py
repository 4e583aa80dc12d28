"""`wearcast top`: what a server does, live."""

import sys
import time

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wearcast.clients.cli.durations import duration
from wearcast.clients.results import format_duration
from wearcast.clients.scrape import Scrape, scrape

_MOST_ASSETS = 20


@click.command()
@click.option(
    "--metrics", "address", default="127.0.0.1:9561", show_default=True, metavar="HOST:PORT",
    help="Where the server shows its metrics: its --metrics-listen.",
)  # fmt: skip
@click.option(
    "--every", "every_s", default="2s", show_default=True, metavar="TIME",
    callback=lambda _context, _option, text: duration(text), help="How often to look.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="Print one view of that time, and end.")
def command(*, address: str, every_s: float, once: bool) -> None:
    """Watch what a server does: models, streams, and the newest answer about each asset.

    \b
    Example:
      wearcast serve --metrics-listen 127.0.0.1:9561 &
      wearcast top

    Rates and times are of the time between two looks. Where there is no terminal, it prints once.
    """
    console = Console()
    before = scrape(address)
    if once or not sys.stdout.isatty():
        time.sleep(every_s)
        # Wide, as lines of a pipe are not cut.
        Console(width=160).print(show(before, scrape(address)))
        return
    with Live(show(before, before), console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(every_s)
            newest = scrape(address)
            live.update(show(before, newest), refresh=True)
            before = newest


def show(before: Scrape, now: Scrape) -> Group:
    """The view: what has happened between two looks, and what stands at the second."""
    return Group(_show_models(before, now), Text(_tell_calls(before, now)), _show_assets(now))


def _show_models(before: Scrape, now: Scrape) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("model")
    table.add_column("state")
    for name in ("requests/s", "rows/s", "wait ms", "run ms", "rows/run", "waiting", "rejected"):
        table.add_column(name, justify="right")
    for state in now.find("wearcast_model_state"):
        key = {name: state.labels[name] for name in ("model", "version")}
        title = f"{key['model']}/{key['version']}"
        if state.labels["state"] != "READY":
            table.add_row(title, state.labels["state"].lower())
            continue

        def rise(name: str, **labels: str) -> float:
            return now.rise(before, f"wearcast_model_{name}", **labels)

        def mean(name: str, scale: float, **labels: str) -> str:
            count = rise(f"{name}_count", **labels)
            return f"{rise(f'{name}_sum', **labels) / count * scale:.1f}" if count else "-"

        seconds = max(now.at_s - before.at_s, 1e-9)
        requests = rise("request_seconds_count", **key)
        table.add_row(
            title,
            "ready",
            f"{requests / seconds:.1f}",
            f"{rise('rows_total', **key) / seconds:.1f}",
            mean("queue_seconds", 1e3, **key),
            mean("compute_seconds", 1e3, **key),
            mean("batch_rows", 1, **key),
            f"{now.total('wearcast_model_rows_waiting', **key):.0f}",
            f"{now.total('wearcast_model_requests_total', outcome='rejected', **key):.0f}",
        )
    return table


def _tell_calls(before: Scrape, now: Scrape) -> str:
    streams = [
        f"{sample.labels['method']} {sample.value:.0f}"
        for sample in now.find("wearcast_streams_open")
        if sample.value
    ]
    codes = sorted({item.labels["code"] for item in now.find("wearcast_requests_total")})
    rises = {code: now.rise(before, "wearcast_requests_total", code=code) for code in codes}
    calls = [f"{code} {count:.0f}" for code, count in rises.items() if count]
    return f"\nstreams: {', '.join(streams) or 'none'}\ncalls ended: {', '.join(calls) or 'none'}\n"


def _show_assets(now: Scrape) -> Table:
    """Those with the newest answers first."""
    table = Table("asset", "model", "answered", "newest answer", box=None, pad_edge=False)
    answered = sorted(
        now.find("wearcast_asset_answer_timestamp_seconds"), key=lambda item: -item.value
    )
    for item in answered[:_MOST_ASSETS]:
        age_s = max(now.wall_s - item.value, 0)
        title = f"{item.labels['model']}/{item.labels['version']}"
        ago = f"{format_duration(age_s)} ago"
        table.add_row(Text(item.labels["asset"]), title, ago, Text(_tell_answer(now, item.labels)))
    if len(answered) > _MOST_ASSETS:
        table.add_row(f"and {len(answered) - _MOST_ASSETS} more")
    return table


def _tell_answer(now: Scrape, key: dict[str, str]) -> str:
    values = {
        sample.name.removeprefix("wearcast_asset_"): sample
        for sample in now.samples
        if sample.name.startswith("wearcast_asset_") and key.items() <= sample.labels.items()
    }
    if "rul_seconds" in values:
        left, least = (values[name].value for name in ("rul_seconds", "rul_low_seconds"))
        alarm = ", alarm" if values["life_alarm"].value else ""
        life = values["life_fraction"].value
        text = f"{format_duration(left)} left, at least {format_duration(least)}"
        return f"{text}; life {life:.2f}{alarm}"
    if "stage" in values:
        return f"stage {values['stage'].value:.0f}"
    if "fault" in values:
        return values["fault"].labels["fault"]
    return ""
