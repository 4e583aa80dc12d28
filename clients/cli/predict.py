"""`wearcast predict`: scores recordings, on a server or in this process."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click

from wearcast.clients.cli import options
from wearcast.clients.cli.progress import open_progress
from wearcast.clients.client import Client
from wearcast.clients.recordings import Input, find_inputs
from wearcast.clients.results import (
    Result,
    can_plot,
    format_duration,
    make_json,
    write_results,
)
from wearcast.signals.contract import Contract
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block

Score = Callable[[Iterable[Block]], Iterator[Estimate]]


@click.command()
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@options.model
@options.version
@options.server
@options.tls_ca
@click.option(
    "--local", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="MODELS_DIR",
    help="Score in this process, with the models of that folder; no server is asked.",
)  # fmt: skip
@options.age_at_start
@options.out
@options.as_json
def command(
    *,
    paths: tuple[Path, ...],
    model: str,
    version: int,
    address: str,
    tls_ca: Path | None,
    local: Path | None,
    age_at_start_s: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """Score recordings: bearing folders, folders above them, CSV files.

    \b
    Example:
      wearcast predict Test_set/Bearing1_4 --model bearing-rul --server 127.0.0.1:8561 --out out

    Files acc_NNNNN.csv of one folder are one recording. Any other CSV file is a whole one, with a
    header: a column `time` and one for each channel of the model.

    Prints a line for each recording; with --json everything, as in NAME.json.
    """
    inputs = find_inputs(paths)
    results = []
    with ExitStack() as stack:
        if local is None:
            client = stack.enter_context(Client(address, tls_ca))
            contract, score = _open_server(client, model, version, age_at_start_s)
        else:
            contract, score = _open_local(local, model, version, age_at_start_s)
        for item in inputs:
            result = _score(item, contract, score)
            results.append(result)
            for line in result.skipped:
                click.echo(f"{result.name}: skipped {line}", err=True)
            if out is not None:
                write_results(out, result)
    if out is not None and not can_plot():
        click.echo("no plots: they need matplotlib (pip install 'wearcast[plot]')", err=True)
    if as_json:
        click.echo(json.dumps([json.loads(make_json(result)) for result in results]))
    else:
        click.echo(_make_table(results))


def _open_server(
    client: Client, model: str, version: int, age_at_start_s: float
) -> tuple[Contract, Score]:
    contract = client.model(model, version)

    def score(blocks: Iterable[Block]) -> Iterator[Estimate]:
        return client.predict(
            blocks, model=model, version=contract.version, age_at_start_s=age_at_start_s
        )

    return contract, score


def _open_local(
    models_dir: Path, model: str, version: int, age_at_start_s: float
) -> tuple[Contract, Score]:
    from wearcast.clients.local import predict_local  # noqa: PLC0415 - needs wearcast[serve]
    from wearcast.serving.models import open_model  # noqa: PLC0415

    session = open_model(models_dir, model, version)

    def score(blocks: Iterable[Block]) -> Iterator[Estimate]:
        return predict_local(session, blocks, age_at_start_s=age_at_start_s)

    return session.contract, score


def _score(item: Input, contract: Contract, score: Score) -> Result:
    skipped: list[str] = []
    with open_progress(item.name, item.files) as advance:

        def watched() -> Iterator[Block]:
            for block in item.open(contract, skipped.append):
                advance()
                yield block

        estimates = list(score(watched()))
    return Result(item.name, contract, estimates, skipped)


def _make_table(results: list[Result]) -> str:
    cells = [("recording", "rows", "life", "remaining", "interval", "alarm")]
    for result in results:
        if not result.estimates:
            cells.append((result.name, "0", "", "", "", ""))
            continue
        life = result.estimates[-1].remaining_life
        low, high = format_duration(life.rul_low_s), format_duration(life.rul_high_s)
        cells.append(
            (
                result.name,
                str(len(result.estimates)),
                f"{life.life_fraction:.3f}",
                format_duration(life.rul_s),
                f"{low} to {high}",
                "yes" if life.alarm else "no",
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
