"""`wearcast stream`: follows one asset live."""

import json
import signal
import sys
import threading
from pathlib import Path

import click

from wearcast.clients.cli import options
from wearcast.clients.client import Client
from wearcast.clients.decode import Notice
from wearcast.clients.folder import Follow, Replay
from wearcast.clients.ndjson import NdjsonInput
from wearcast.clients.results import Result, can_plot, format_duration, make_row, write_results
from wearcast.clients.source import Source
from wearcast.signals.clock import format_time
from wearcast.signals.contract import Contract
from wearcast.signals.estimate import Estimate

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("stdin", required=False, type=click.Choice(["-"]), metavar="[-]")
@click.option("--replay", type=_FOLDER, metavar="DIR", help="Send a recorded bearing folder.")
@click.option(
    "--speed", type=str, default="1", show_default=True, metavar="N",
    help="Times real time, with --replay; max: as fast as possible.",
)  # fmt: skip
@click.option("--follow", type=_FOLDER, metavar="DIR", help="Send a folder that is still growing.")
@click.option(
    "--idle-exit", "idle_exit_s", type=click.FloatRange(min=0), metavar="SECONDS",
    help="With --follow: end when nothing new has come for so long.",
)  # fmt: skip
@click.option("--asset", metavar="NAME", help="Name of the asset; default: the folder's.")
@options.model
@options.version
@options.server
@options.tls_ca
@options.age_at_start
@options.out
@options.as_json
def command(
    *,
    stdin: str | None,
    replay: Path | None,
    speed: str,
    follow: Path | None,
    idle_exit_s: float | None,
    asset: str | None,
    model: str,
    version: int,
    address: str,
    tls_ca: Path | None,
    age_at_start_s: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """Follow one asset live: a folder replayed or still growing, or lines of JSON from stdin (-).

    \b
    Example:
      wearcast stream --asset Bearing1_4 --replay Test_set/Bearing1_4 --speed 100

    \b
    A line of JSON is one block:
      {"time": "2024-05-01T09:39:39.065664Z", "sequence": 0,
       "channels": {"horizontal": [0.552, ...], "vertical": [-0.146, ...]}}

    `sequence` may be left out: lines are then numbered one by one, from 0, or, where the server has
    blocks of the asset, after those, behind a gap. Who sends a record again from its start has to
    say it.

    Prints a line for each estimate, notices on stderr. What the server has stored of the asset
    comes first; a stream that was stopped goes on where it was. Ctrl-C ends it in order; the
    exit code is 4 if blocks were sent that a server which is away has not answered.
    """
    if sum(given is not None for given in (stdin, replay, follow)) != 1:
        text = "give one of --replay DIR, --follow DIR or - (stdin)"
        raise click.UsageError(text)
    name = asset or _name_asset(replay or follow)
    times = _parse_speed(speed)
    stop = _stop_on_signals()
    estimates: list[Estimate] = []
    skipped: list[str] = []

    def on_skip(line: str) -> None:
        skipped.append(line)
        click.echo(f"{name}: skipped {line}", err=True)

    with Client(address, tls_ca) as client:
        contract = client.model(model, version)
        source: Source
        if replay is not None:
            source = Replay(replay, speed=times, on_skip=on_skip)
        elif follow is not None:
            source = Follow(follow, idle_exit_s=idle_exit_s, on_skip=on_skip)
        else:
            source = NdjsonInput(sys.stdin.fileno(), contract)
        keep = estimates.append if out is not None else _drop
        try:
            for event in client.monitor(
                source, asset=name, model=model, version=contract.version,
                age_at_start_s=age_at_start_s, stop=stop,
            ):  # fmt: skip
                if isinstance(event, Estimate):
                    keep(event)
                    click.echo(format_line(event, name, contract, as_json=as_json))
                elif isinstance(event, Notice):
                    click.echo(f"{name}: {event}", err=True)
        finally:
            if out is not None:
                write_results(out, Result(name, contract, estimates, skipped))
    if out is not None and not can_plot():
        click.echo("no plot: it needs matplotlib (pip install 'wearcast[plot]')", err=True)


def _drop(_estimate: Estimate) -> None:
    """Nothing is kept of a stream that may last for years, if no file is to be written."""


def _name_asset(folder: Path | None) -> str:
    if folder is None:
        text = "stdin has no name of its own: give --asset NAME"
        raise click.UsageError(text)
    return folder.resolve().name


def _parse_speed(text: str) -> float:
    """Times real time; 0: as fast as possible."""
    try:
        speed = 0.0 if text == "max" else float(text)
    except ValueError:
        speed = -1.0
    if text != "max" and not 0 < speed < float("inf"):
        message = f"--speed: expected a number above 0, or max, got {text}"
        raise click.UsageError(message)
    return speed


def _stop_on_signals() -> threading.Event:
    """Set by the first Ctrl-C or SIGTERM; a second one ends the program at once."""
    stop = threading.Event()

    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop


def format_line(estimate: Estimate, asset: str, contract: Contract, *, as_json: bool) -> str:
    """One estimate as a line for people, or as JSON."""
    if as_json:
        row = {"asset": asset, **make_row(estimate, contract)}
        return json.dumps(row, allow_nan=False)
    life = estimate.remaining_life
    low, high = format_duration(life.rul_low_s), format_duration(life.rul_high_s)
    return (
        f"{format_time(estimate.window_end_us)[:19]}Z  block {estimate.sequence:5d}"
        f"  life {life.life_fraction:.3f}  remaining {format_duration(life.rul_s):>12}"
        f" ({low} to {high})  {life.band.value.lower()}{'  ALARM' if life.alarm else ''}"
    )
