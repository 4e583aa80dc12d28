"""`wearcast edge`: the service beside the plant."""

import logging
import signal
import sys
import threading
from pathlib import Path

import click

from wearcast.clients.cli.units import format_unit


@click.command()
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE",
    help="Settings, TOML; docs/edge.md lists them.",
)  # fmt: skip
@click.option(
    "--alerts", "emit", type=click.Choice(["transitions", "every"]),
    help="Tell alarms raised and cleared, or each abnormal reading. Wins over the file.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["bare", "cloudevents"]),
    help="How an alert is written. Wins over the file.",
)  # fmt: skip
@click.option(
    "--systemd", is_flag=True,
    help="Print a unit of systemd that runs the service from boot on, and end.",
)  # fmt: skip
def command(*, config: Path, emit: str | None, form: str | None, systemd: bool) -> None:
    """Run beside a plant, unattended: read sensors, keep, judge, forecast, alert and send on.

    \b
    Example:
      wearcast edge --config edge.toml

    \b
    The shortest edge.toml follows a file that a logger writes:
      asset = "pump-7"
      [[sources]]
      type = "csv"
      path = "plant.csv"

    Alerts are lines of JSON on standard output, or in a file; what happens is logged on standard
    error. SIGTERM and Ctrl-C end the service in order; killed in any other way it goes on where it
    was, nothing lost and nothing twice. `wearcast doctor` says what is wrong with a setup,
    `wearcast alarms` shows and acknowledges alarms, `wearcast history` exports what is kept.
    """
    from wearcast.clients.edge.settings import load_edge_settings  # noqa: PLC0415
    from wearcast.clients.edge.starting import run_edge  # noqa: PLC0415

    settings = load_edge_settings(config)
    if systemd:
        click.echo(format_unit("edge", config), nl=False)
        return
    given = {"emit": emit, "format": form}
    alerts = {name: value for name, value in given.items() if value}
    settings = settings.model_copy(update={"alerts": settings.alerts.model_copy(update=alerts)})
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("asyncua").setLevel(logging.WARNING)  # it tells every message
    stop = threading.Event()

    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)  # a second one ends the program at once

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    retrain = [sys.executable, "-m", "wearcast", "retrain", "--config", str(config)]
    run_edge(settings, stop, retrain=retrain)
