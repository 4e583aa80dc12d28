"""Options that several verbs share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from wearcast.clients.client import DEFAULT_ADDRESS

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

server: Decorator = click.option(
    "--server", "address", default=DEFAULT_ADDRESS, show_default=True, metavar="HOST:PORT",
    help="The server to ask.",
)  # fmt: skip
tls_ca: Decorator = click.option(
    "--tls-ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Certificate authority (PEM) of a server with TLS.",
)  # fmt: skip
model: Decorator = click.option(
    "--model", default="bearing-rul", show_default=True, metavar="NAME", help="The model."
)
version: Decorator = click.option(
    "--version", type=click.IntRange(min=0), default=0, metavar="N",
    help="Version of the model; without it the newest.",
)  # fmt: skip
age_at_start: Decorator = click.option(
    "--age-at-start", "age_at_start_s", type=click.FloatRange(min=0), default=0.0,
    metavar="SECONDS", help="Operating time of the asset at its first block.",
)  # fmt: skip
out: Decorator = click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Write NAME.json, NAME.csv and NAME.png there.",
)  # fmt: skip
as_json: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
