"""`wearcast predict`: scores recordings, on a server or in this process."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click

from wearcast.clients.cli import options
from wearcast.clients.cli.lines import make_table
from wearcast.clients.cli.progress import open_progress
from wearcast.clients.client import Client
from wearcast.clients.explain import explain
from wearcast.clients.plant_rows import gather_rows
from wearcast.clients.recordings import Input, find_inputs
from wearcast.clients.results import Result, can_plot, file_name, make_json, write_results
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import Estimate
from wearcast.signals.forecast_policy import (
    group_days,
    join_actual,
    write_day_files,
    write_week,
)
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
@click.option(
    "--local", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="MODELS_DIR",
    help="Score in this process, with the models of that folder; no server is asked.",
)  # fmt: skip
@options.age_at_start
@options.out
@click.option(
    "--day", metavar="YYYY-MM-DD",
    help="With --out and hourly forecasts 1 to 7 days ahead: also those made on that day, as "
    "NAME.week.csv, and as NAME/Day1prediction.csv to Day6prediction.csv.",
)  # fmt: skip
@options.resample
@options.as_json
def command(
    *,
    paths: tuple[Path, ...],
    model: str,
    version: int,
    label: str,
    client: Client,
    local: Path | None,
    age_at_start_s: float,
    out: Path | None,
    day: str | None,
    resampled: bool,
    as_json: bool,
) -> None:
    """Score recordings: bearing folders, folders above them, files of a plant, vibration.

    \b
    Examples:
      wearcast predict Test_set/Bearing1_4 --model bearing-rul --server 127.0.0.1:8561 --out out
      wearcast predict plant.csv --model flow-forecast --local models --out out
      wearcast predict rotors/A --model rotor-fault --local models --out out

    Files acc_NNNNN.csv of one folder are one recording. Any other file is a whole one, with a
    header: a time and one column for each channel of the model. Of a plant, where the model takes
    single readings at even steps, it may be CSV or Parquet with gaps and duplicates: it is cleaned
    as `wearcast clean` does, but nothing is filled in.

    For models of faults it is a folder of rotor CSVs, gear CSVs, CWRU files, or a folder with a
    wearcast.toml that names its files, channels and labels. NAME.png then marks the frequencies
    that speak for the diagnosis.

    Forecasts also write NAME.beside.csv, what was forecast beside what was read. Prints a line for
    each recording; with --json everything, as in NAME.json.
    """
    if day is not None and out is None:
        text = "--day writes files: it needs --out DIR"
        raise click.UsageError(text)
    options.spare_inputs(out, paths)
    results = []
    with ExitStack() as stack:
        if local is None:
            stack.enter_context(client)
            contract, score = _open_server(client, model, version, label, age_at_start_s)
        else:
            contract, score = _open_local(local, model, version, label, age_at_start_s)
        for item in _find_inputs(paths, contract, out, resampled=resampled):
            result = _score(item, contract, score)
            results.append(result)
            for line in result.skipped:
                click.echo(f"{result.name}: skipped {line}", err=True)
            if out is not None:
                write_results(out, result)
                if contract.forecast is not None:
                    _write_forecasts(out, result, day)
    if out is not None and not can_plot():
        click.echo("no plots: they need matplotlib (pip install 'wearcast[plot]')", err=True)
    if as_json:
        click.echo(json.dumps([json.loads(make_json(result)) for result in results]))
    else:
        click.echo(make_table(results))


def _find_inputs(
    paths: tuple[Path, ...], contract: Contract, out: Path | None, *, resampled: bool
) -> list[Input]:
    of_vibration = contract.fault is not None
    if resampled and not of_vibration:
        raise InputError("resample", "a model of kind fault", f"one of kind {contract.kind}")
    if of_vibration:
        options.spare_recordings(out, paths)
    return find_inputs(paths, of_vibration=of_vibration, resampled=resampled)


def _write_forecasts(out: Path, result: Result, day: str | None) -> None:
    """What was forecast beside what was read, and the files of one day's forecasts."""
    name, contract, estimates = file_name(result.name), result.contract, result.estimates
    if result.readings is not None:
        beside = join_actual(result.readings, estimates, contract)
        (out / f"{name}.beside.csv").write_text(beside, encoding="utf-8")
    if day is not None:
        days = group_days(estimates, contract)
        if day not in days:
            known = f"one from {min(days)} to {max(days)}" if days else "one with forecasts"
            raise InputError("day", known, day)
        write_week(out / f"{name}.week.csv", days[day], contract)
        write_day_files(out / name, days[day], contract)


def _open_server(
    client: Client, model: str, version: int, label: str, age_at_start_s: float
) -> tuple[Contract, Score]:
    contract = client.model(model, version, label)

    def score(blocks: Iterable[Block]) -> Iterator[Estimate]:
        return client.predict(
            blocks, model=model, version=contract.version, age_at_start_s=age_at_start_s
        )

    return contract, score


def _open_local(
    models_dir: Path, model: str, version: int, label: str, age_at_start_s: float
) -> tuple[Contract, Score]:
    from wearcast.clients.local import predict_local  # noqa: PLC0415 - needs wearcast[serve]
    from wearcast.serving.models import open_model  # noqa: PLC0415

    session = open_model(models_dir, model, version, label)

    def score(blocks: Iterable[Block]) -> Iterator[Estimate]:
        return predict_local(session, blocks, age_at_start_s=age_at_start_s)

    return session.contract, score


def _score(item: Input, contract: Contract, score: Score) -> Result:
    skipped: list[str] = []
    kept: list[Block] = []
    with open_progress(item.name, item.files) as advance:

        def watched() -> Iterator[Block]:
            for block in item.open(contract, skipped.append):
                if contract.window == 1 or contract.fault is not None:
                    kept.append(block)
                else:
                    advance()
                yield block

        estimates = list(score(watched()))
        if contract.fault is not None:
            explanation = explain(kept, estimates, contract, score)
            advance()
            return Result(
                item.name, contract, estimates, skipped,
                labelled=item.labelled, explanation=explanation,
            )  # fmt: skip
        if kept:
            advance()
    if kept and not estimates:
        expected = f"{contract.sequence} or more, and then a time at which an answer is due"
        raise InputError(f"{item.name}: rows", expected, len(kept))
    names = tuple(channel.name for channel in contract.channels)
    return Result(item.name, contract, estimates, skipped, gather_rows(kept, names))
