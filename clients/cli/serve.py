"""The verb `serve`."""

import json
from pathlib import Path
from typing import Any

import click

from wearcast.clients.cli.units import format_unit


@click.command()
@click.argument("models_dir", required=False, type=click.Path(path_type=Path))
@click.option("--listen", metavar="HOST:PORT", help="Default 127.0.0.1:8561; port 0: a free one.")
@click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    help="SQLite file of the estimates. Without it the newest 2,000 of each asset, in memory.",
)
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Certificate chain, PEM.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Private key, PEM.")
@click.option(
    "--tls-client-ca",
    type=click.Path(path_type=Path),
    help="Authorities (PEM); clients need a certificate of one of them.",
)
@click.option(
    "--tokens",
    type=click.Path(path_type=Path),
    help="File of bearer tokens; `wearcast token` makes its lines. Without it everyone may do all.",
)
@click.option(
    "--reflection/--no-reflection", default=None, help="Whether to tell what methods there are."
)
@click.option(
    "--insecure", is_flag=True, default=None, help="Allow other than loopback without TLS."
)
@click.option("--workers", type=int, help="Threads that run models. Default: one a core.")
@click.option(
    "--waiting", type=int, metavar="ROWS",
    help="Rows of calls that may wait for a worker, of each model; more are refused with a time to "
    "come again. Default 1,024.",
)  # fmt: skip
@click.option(
    "--watch-s", type=float, metavar="SECONDS",
    help="How often MODELS_DIR is looked at for new, changed and removed versions; 0: never. "
    "Default 2.",
)  # fmt: skip
@click.option("--max-message-bytes", type=int, help="Largest message. Default 16 MiB.")
@click.option("--max-connections", type=int, help="Connections that may be open. Default 4,096.")
@click.option("--max-streams", type=int, help="Streams that may be open. Default 2,048.")
@click.option(
    "--max-streams-per-connection", type=int, help="The same of one connection. Default 1,024."
)
@click.option("--drain-s", type=float, help="Seconds that streams get to end. Default 10.")
@click.option(
    "--metrics-listen", metavar="HOST:PORT", help="Metrics for Prometheus. Default: none."
)
@click.option(
    "--metrics-assets", type=int, help="Assets in the metrics, the newest. Default 1,000."
)
@click.option(
    "--traces-endpoint", metavar="URL",
    help="http://HOST:PORT or https://HOST:PORT of a collector that takes OTLP over gRPC. "
    "Default: no traces.",
)  # fmt: skip
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), help="Of the log on stderr. Default text."
)
@click.option("--log-calls", is_flag=True, default=None, help="Log each call that ends.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TOML file with the same names, in snake_case.",
)
@click.option(
    "--systemd", is_flag=True,
    help="Print a unit of systemd that serves by --config from boot on, and end.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON.")
def command(*, config: Path | None, systemd: bool, as_json: bool, **flags: Any) -> None:  # noqa: ANN401
    """Serve the models in MODELS_DIR, or the bundled ones, until SIGTERM.

    \b
    Example:
      wearcast serve models --listen 127.0.0.1:8561 --store estimates.sqlite

    One line on stdout tells the address once clients can connect. A flag wins over the environment
    (WEARCAST_LISTEN and so on), and that over --config.
    """
    from wearcast.serving.operations.logs import start_log  # noqa: PLC0415
    from wearcast.serving.server import run_server  # noqa: PLC0415
    from wearcast.serving.settings import load_settings  # noqa: PLC0415

    try:
        settings = load_settings(config, flags)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if systemd:
        if config is None:
            text = "--systemd: expected --config FILE, got none"
            raise click.UsageError(text)
        click.echo(format_unit("serve", config), nl=False)
        return

    def ready(address: str, models: list[tuple[str, int]], metrics: str | None) -> None:
        names = [f"{name}/{version}" for name, version in models]
        store = str(settings.store) if settings.store else None
        line = {"address": address, "models": names, "store": store, "metrics": metrics}
        text = json.dumps(line) if as_json else f"wearcast serves {', '.join(names)} on {address}"
        click.echo(text)

    start_log(settings.log_format)
    run_server(settings, ready)
