"""The program `wearcast`: finds the verb, and turns errors into exit codes."""

import importlib
import sys
from typing import NoReturn

import click

from wearcast.signals.errors import InputError, WearcastError

VERBS = {
    "demo": "Show all of it on a simulated bearing and a simulated plant.",
    "simulate": "Write recordings of a simulated machine or plant.",
    "clean": "Clean a file of a plant.",
    "train": "Train a model on recordings, or on the file of a plant.",
    "evaluate": "Measure how good a kind of model is on what it has not seen.",
    "export": "Turn a checkpoint into a model folder.",
    "serve": "Serve models over gRPC.",
    "token": "Make a token for a client of a server.",
    "models": "Show what a server serves.",
    "top": "Watch what a server does.",
    "predict": "Score recordings.",
    "stream": "Follow one asset live.",
    "edge": "Run beside a plant, unattended.",
    "doctor": "Say what is wrong with the setup of an edge service.",
    "retrain": "Train the models of an edge service anew.",
    "history": "Export the rows that an edge service keeps.",
    "bench": "Measure how fast this machine is, or a server.",
    "alarms": "Show, acknowledge and shelve the alarms of an edge service.",
}


class _Verbs(click.Group):
    """Imports a verb's module, `wearcast.clients.cli.VERB`, only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"wearcast.clients.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wearcast")
def program() -> None:
    """Machine health from raw sensor data.

    \b
    Example:
      wearcast serve &
      wearcast predict Bearing1_1 --model bearing-rul --server 127.0.0.1:8561 --out out

    Exit codes: 0 ok, 1 interrupted, unexpected or a problem that doctor found, 2 usage, 3 bad
    input, 4 server unreachable, 5 model or shape mismatch, 6 another stream took over the asset,
    7 the server wants a token, or one with another role.
    """


def main() -> NoReturn:
    """Run the program; errors of ours become one line on stderr and an exit code."""
    try:
        program(prog_name="wearcast")
    except WearcastError as error:
        click.echo(f"wearcast: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # what can't be written, wherever a verb writes
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        click.echo(f"wearcast: {text}", err=True)
        sys.exit(InputError.exit_code)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        click.echo(
            f"wearcast: this verb needs {error.name}: pip install 'wearcast[{extra}]'", err=True
        )
        sys.exit(2)
    sys.exit(0)


_EXTRAS = {
    "torch": "train",
    "onnx": "train",
    "onnxscript": "train",
    "onnxruntime": "serve",
    "pydantic_settings": "serve",
    "grpc_health": "serve",
    "grpc_reflection": "serve",
    "prometheus_client": "serve",
    "opentelemetry": "otel",
    "matplotlib": "plot",
    "pandas": "files",
    "pyarrow": "files",
    "scipy": "files",
    "sklearn": "train",
    "paho": "mqtt",
    "serial": "serial",
    "asyncua": "opcua",
}
