"""`wearcast demo`: a server, a simulated bearing, a simulated plant, the edge service beside it."""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from wearcast.clients.cli import options
from wearcast.clients.cli.demo_edge import show_edge
from wearcast.clients.cli.demo_plant import FORECAST, OUTLIER, show_plant
from wearcast.clients.cli.lines import format_line
from wearcast.clients.cli.simulate import write_bearing
from wearcast.clients.client import Client, ClientSettings
from wearcast.clients.decode import Notice
from wearcast.clients.folder import Replay
from wearcast.clients.monitor import Event, MonitorSettings
from wearcast.clients.results import Result, can_plot, format_duration, write_results
from wearcast.signals.contract import Contract
from wearcast.signals.estimate import Estimate
from wearcast.signals.femto import HOP_S
from wearcast.signals.simulation.bearing import BearingLife

_ASSET = "simulated-bearing"
_LINES = 24  # printed where there is no terminal
_STOP_S = 15.0


@click.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("out"),
    show_default=True, metavar="DIR", help="Write results, picture, store and server log there.",
)  # fmt: skip
@options.model
@click.option(
    "--life-s", type=click.FloatRange(min=HOP_S), default=7_200.0, show_default=True,
    metavar="SECONDS", help="The bearing's time from new to failure.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), default=40.0, show_default=True,
    help="How long its life takes here.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=BearingLife.seed, show_default=True)
@options.as_json
def command(
    *, out: Path, model: str, life_s: float, seconds: float, seed: int, as_json: bool
) -> None:
    """Show all of it: a server, a simulated bearing that runs to failure, and a plant with a leak.

    The plant is streamed, and then watched by the edge service, which raises alarms and delivers.

    \b
    Example:
      wearcast demo --out out

    Starts `wearcast serve` with the bundled models on a free loopback port, and stops it at the
    end. Bearing and plant are simulated and streamed at many times real time.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        # Also where a shell, for a program in the background, had SIGINT ignored.
        signal.signal(number, signal.default_int_handler)
    life = BearingLife(life_s=life_s, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / _ASSET
        write_bearing(folder, life)
        with _running_server(out) as address:
            # Here nobody would start a server that has gone again.
            settings = ClientSettings(monitor=MonitorSettings(attempts=5))
            with Client(address, settings=settings) as client:
                contract = client.model(model)
                source = Replay(folder, speed=life_s / seconds)
                events = client.monitor(source, asset=_ASSET, model=model)
                estimates = _show(events, contract, life, as_json=as_json)
                files = write_results(out, Result(_ASSET, contract, estimates))
                if not as_json:
                    click.echo(_describe(estimates, life))
                shown = {}
                if {FORECAST, OUTLIER} <= {item.name for item in client.models()}:
                    shown["plant"] = show_plant(client, out, seed=seed, as_json=as_json)
                    store = _store_path(out)
                    shown["edge"] = show_edge(address, store, out, seed=seed, as_json=as_json)
                    files += [path for part in shown.values() for path in part.files]
    files += [_store_path(out), _log_path(out)]
    if as_json:
        summary = _summarise(estimates, life, files)
        parts = {name: part.summary for name, part in shown.items()}
        click.echo(json.dumps(summary | parts))
        return
    if not can_plot():
        click.echo("no plot: it needs matplotlib (pip install 'wearcast[plot]')", err=True)
    for path in files:
        click.echo(f"wrote {path}")


def _store_path(out: Path) -> Path:
    return out / "demo.sqlite"


def _log_path(out: Path) -> Path:
    return out / "demo-server.log"


@contextlib.contextmanager
def _running_server(out: Path) -> Iterator[str]:
    """Address of a server of our own, which is gone when the block ends, whatever happens in it."""
    store = _store_path(out)
    for ending in ("", "-wal", "-shm"):
        # In the last demo's store the bearing has failed already.
        store.with_name(store.name + ending).unlink(missing_ok=True)
    log = _log_path(out)
    command = [sys.executable, "-m", "wearcast", "serve", "--listen", "127.0.0.1:0", "--json"]
    with (
        log.open("w") as errors,
        subprocess.Popen(  # noqa: S603 - our own program
            [*command, "--store", str(store)], stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                click.echo(log.read_text().strip(), err=True)
                raise click.exceptions.Exit(process.wait())
            yield json.loads(line)["address"]
        finally:
            process.terminate()
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_S)
            finally:
                process.kill()


def _show(
    events: Iterator[Event],
    contract: Contract,
    life: BearingLife,
    *,
    as_json: bool,
) -> list[Estimate]:
    """Show answers as they come, and give them all."""
    from rich.console import Console  # noqa: PLC0415 - importing the client must not load it

    console = Console()
    if as_json:
        return [event for event in events if isinstance(event, Estimate)]
    if console.is_terminal:
        from wearcast.clients.cli.dashboard import show_live  # noqa: PLC0415

        return show_live(events, contract, life, console)
    estimates: list[Estimate] = []
    for event in events:
        if isinstance(event, Estimate):
            if event.sequence % max(life.snapshots // _LINES, 1) == 0:
                click.echo(format_line(event, _ASSET, contract, as_json=False))
            estimates.append(event)
        elif isinstance(event, Notice):
            click.echo(event, err=True)
    return estimates


def _summarise(
    estimates: list[Estimate], life: BearingLife, files: list[Path]
) -> dict[str, object]:
    alarm = _find_alarm(estimates)
    return {
        "simulated": True,
        "life_s": life.life_s,
        "estimates": len(estimates),
        "alarm_sequence": alarm.sequence if alarm else None,
        "alarm_lead_s": life.life_s - alarm.remaining_life.age_s if alarm else None,
        "files": [str(path) for path in files],
    }


def _describe(estimates: list[Estimate], life: BearingLife) -> str:
    alarm = _find_alarm(estimates)
    text = f"{len(estimates)} estimates of a simulated bearing; "
    if alarm is None:
        return text + "no alarm before it failed"
    lead_s = life.life_s - alarm.remaining_life.age_s
    return text + f"alarm {format_duration(lead_s)} before it failed"


def _find_alarm(estimates: list[Estimate]) -> Estimate | None:
    return next((item for item in estimates if item.remaining_life.alarm), None)
