"""Options that several verbs share."""

import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from wearcast.clients.cli.durations import duration
from wearcast.clients.client import DEFAULT_ADDRESS, Client
from wearcast.clients.results import make_folder
from wearcast.signals.errors import InputError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _check_address(_context: click.Context, _option: click.Parameter, address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port:
        text = f"expected HOST:PORT, got {address!r}"
        raise click.BadParameter(text)
    return address


def make_out(
    _context: click.Context, _option: click.Parameter, directory: Path | None
) -> Path | None:
    """Make the folder of results."""
    # Before the work, not after it: nobody wants to hear at its end that nothing can be written.
    if directory is not None:
        make_folder(directory)
    return directory


def check_name(_context: click.Context, _option: click.Parameter, name: str) -> str:
    """The name of a folder that is made in another one, and nowhere else."""
    if not name or Path(name).name != name:
        text = f"expected the name of a folder, got {name!r}"
        raise click.BadParameter(text)
    return name


def spare_inputs(out: Path | None, paths: Iterable[Path]) -> None:
    """Refuse to write results into the folder of a file that is read: they would replace it.

    Raises:
        InputError: the folder is that of one of the paths.
    """
    for path in paths:
        if out is not None and path.is_file() and path.resolve().parent == out.resolve():
            raise InputError("out", "another folder than that of what is read", out)


def spare_recordings(out: Path | None, paths: Iterable[Path]) -> None:
    """The same for folders of recordings: results among them would replace or join them.

    Raises:
        InputError: the folder is one of recordings.
    """
    from wearcast.signals.vibration.find import is_vibration  # noqa: PLC0415 - few verbs need it
    from wearcast.signals.vibration.labelled import is_labelled  # noqa: PLC0415

    if out is None:
        return
    for path in paths:
        inside = out.resolve().is_relative_to(path.resolve())
        if inside and (is_labelled(path) or is_vibration(out)):
            raise InputError("out", "another folder than that of what is read", out)


def split_pairs(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    """NAME=VALUE, each name once."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (name and sign and value) or name in pairs:
            problem = f"expected NAME=VALUE, each name once, got {text!r}"
            raise click.BadParameter(problem)
        pairs[name] = value
    return pairs


def read_split(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    """Shares such as 8:1:1."""
    try:
        return tuple(int(part) for part in text.split(":"))
    except ValueError as error:
        problem = f"expected whole numbers such as 8:1:1 or 7:3, got {text!r}"
        raise click.BadParameter(problem) from error


def read_every(_context: click.Context, _option: click.Parameter, text: str) -> float | None:
    """Seconds; None for "row", each row."""
    return None if text == "row" else duration(text)


_File = click.Path(exists=True, dir_okay=False, path_type=Path)
_SERVER = (
    click.option(
        "--server", "address", default=DEFAULT_ADDRESS, show_default=True, metavar="HOST:PORT",
        callback=_check_address, help="The server to ask.",
    ),
    click.option(
        "--tls-ca", type=_File, metavar="FILE",
        help="Certificate authority (PEM) of a server with TLS.",
    ),
    click.option(
        "--tls-cert", type=_File, metavar="FILE",
        help="Certificate of your own (PEM), for a server that asks for one.",
    ),
    click.option("--tls-key", type=_File, metavar="FILE", help="Its private key (PEM)."),
    click.option(
        "--token-file", type=_File, metavar="FILE",
        help="File with your token; without it the variable WEARCAST_TOKEN counts.",
    ),
)  # fmt: skip


def server(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say which server is asked, and how to get in; the verb gets `client`."""

    @functools.wraps(command)
    def wrapped(
        *,
        address: str,
        tls_ca: Path | None,
        tls_cert: Path | None,
        tls_key: Path | None,
        token_file: Path | None,
        **rest: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        # No option takes the token itself: everyone on a machine sees a command's words.
        token = token_file or os.environ.get("WEARCAST_TOKEN") or None
        client = Client(address, tls_ca, tls_cert=tls_cert, tls_key=tls_key, token=token)
        return command(client=client, **rest)

    for option in reversed(_SERVER):
        wrapped = option(wrapped)
    return wrapped


_VERSION = (
    click.option(
        "--version", type=click.IntRange(min=0), default=0, metavar="N",
        help="Version of the model; without it, or a label, the one labelled stable, or the newest."
    ),
    click.option(
        "--label", default="", metavar="NAME",
        help="Label of the version instead, such as canary.",
    ),
)  # fmt: skip


def version(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say which version of a model; the verb gets `version` and `label`."""

    @functools.wraps(command)
    def wrapped(*, version: int, label: str, **rest: Any) -> Any:  # noqa: ANN401
        if version and label:
            text = f"--label: expected none beside --version, got {label!r}"
            raise click.UsageError(text)
        return command(version=version, label=label, **rest)

    for option in reversed(_VERSION):
        wrapped = option(wrapped)
    return wrapped


model: Decorator = click.option(
    "--model", default="bearing-rul", show_default=True, metavar="NAME", help="The model."
)
age_at_start: Decorator = click.option(
    "--age-at-start", "age_at_start_s", type=click.FloatRange(min=0), default=0.0,
    metavar="SECONDS", help="Operating time of the asset at its first block.",
)  # fmt: skip
out: Decorator = click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    callback=make_out, help="Write NAME.json, NAME.csv, NAME.parquet and NAME.png there.",
)  # fmt: skip
as_json: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
resample: Decorator = click.option(
    "--resample", "resampled", is_flag=True,
    help="Bring recordings of vibration to the model's sample rate first.",
)  # fmt: skip
architecture: Decorator = click.option(
    "--model", "architecture", type=click.Choice(["compact", "cnn-lstm"]), default="compact",
    show_default=True, help="The kind of model.",
)  # fmt: skip
bearings: Decorator = click.option("--bearings", metavar="A,B,...", help="Only these bearings.")
epochs: Decorator = click.option(
    "--epochs", type=click.IntRange(min=1), help="Passes; else the model's own number."
)
note: Decorator = click.option(
    "--note", metavar="TEXT", help="What the data are; it travels in the contract, for people."
)
cache: Decorator = click.option(
    "--cache", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Where parsed recordings are kept.",
)  # fmt: skip


def split_names(names: str | None) -> list[str]:
    """Names in a list with commas; none of None."""
    return [name.strip() for name in names.split(",") if name.strip()] if names else []
