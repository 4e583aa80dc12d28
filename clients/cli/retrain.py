"""`wearcast retrain`: the models of an edge service, trained anew on the rows that it keeps."""

import os
import signal
import sys
from pathlib import Path

import click


@click.command()
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE",
    help="Settings of the edge service.",
)  # fmt: skip
def command(*, config: Path) -> None:
    """Train the models of an edge service anew, on the rows that it keeps.

    \b
    Example:
      wearcast retrain --config edge.toml

    Trains what `schedule.retrain` names, as a new version in `models.dir`: all of them or, if
    anything fails, none. The service runs this by itself each `schedule.retrain_days` and then goes
    on with the new versions; one that runs meanwhile uses them from its next start. Needs
    wearcast[train].
    """
    from wearcast.clients.edge.new_models import retrain  # noqa: PLC0415
    from wearcast.clients.edge.settings import load_edge_settings  # noqa: PLC0415

    settings = load_edge_settings(config)
    # Sensors come first.
    os.nice(10)
    # So that what was begun is cleared away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for folder in retrain(settings):
        click.echo(folder)
