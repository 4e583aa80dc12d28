"""`wearcast doctor`: says what is wrong with the setup of an edge service."""

import json
from pathlib import Path

import click

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command()
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE",
    help="Settings of the edge service.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, config: Path, as_json: bool) -> None:
    """Say what is wrong with config, models, store, disk, clock, sources and server.

    \b
    Example:
      wearcast doctor --config edge.toml

    Changes nothing; the service may be running. The exit code is 1 if there is a problem.
    """
    from wearcast.clients.edge.doctor import Verdict, examine  # noqa: PLC0415

    problem = False
    for finding in examine(config):
        problem |= finding.verdict is Verdict.PROBLEM
        if as_json:
            click.echo(json.dumps(finding._asdict()))
        else:
            verdict = click.style(f"{finding.verdict:7}", fg=_COLOURS[finding.verdict])
            click.echo(f"{verdict}  {finding.part}: {finding.text}")
    if problem:
        raise click.exceptions.Exit(1)
