"""`wearcast train forecast`: fit a forecaster to a plant's record, or to a gear file."""

import json
from pathlib import Path
from typing import Any, cast

import click
import msgspec

from wearcast.clients.cli import gear_forecast, options
from wearcast.clients.cli.durations import DURATION, duration
from wearcast.clients.cli.progress import open_progress

Texts = tuple[str, ...]
_DAY_S = 86_400.0


@click.command("forecast")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The plant's record: a time and a column for each channel. Or a gear file.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.pth",
    help="The checkpoint; FILE.loss.csv and FILE.loss.png come beside it.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="A column to forecast; may be given several times. A gear file has its own.",
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="NAME",
    help="A column that is looked at besides the targets.",
)
@click.option(
    "--model",
    "architecture",
    type=click.Choice(["linear", "lstm", "hybrid", gear_forecast.MODEL]),
    help=f"The kind of model; else linear, and {gear_forecast.MODEL} for a gear file.",
)
@click.option(
    "--block",
    type=click.IntRange(min=0),
    metavar="N",
    help="Of a gear file: the block to fit to, from 0, which is the default.",
)
@click.option(
    "--recursive/--direct",
    default=False,
    show_default=True,
    help="Go on from the first horizon with the model's own answers, or say each at once.",
)
@click.option(
    "--step",
    "step_s",
    type=DURATION,
    default="1min",
    show_default=True,
    metavar="DURATION",
    help="From one row to the next.",
)
@click.option(
    "--window",
    default="60",
    show_default=True,
    metavar="ROWS|DURATION",
    help="What is looked at: rows, or a duration such as 1d.",
)
@click.option(
    "--horizon",
    "horizons_s",
    type=DURATION,
    multiple=True,
    default=tuple(f"{day}d" for day in range(1, 8)),
    show_default=True,
    metavar="DURATION",
    help="How far ahead; may be given several times.",
)
@click.option(
    "--mean",
    "mean_s",
    type=DURATION,
    default="1h",
    show_default=True,
    metavar="DURATION",
    help="A value is the mean reading over so long; a step: the reading itself.",
)
@click.option(
    "--every",
    "every_s",
    default="1h",
    show_default=True,
    metavar="DURATION",
    callback=options.read_every,
    help="Forecasts are made where the clock shows a multiple of it; 'row': with each row.",
)
@click.option(
    "--quantile",
    "quantiles",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    multiple=True,
    default=(0.1, 0.5, 0.9),
    show_default=True,
    help="Rising, 0.5 among them; may be given several times.",
)
@click.option(
    "--calendar",
    type=click.Choice(["none", "day", "week"]),
    help="The usual course that is taken off; else none for the lstm, a week for others.",
)
@click.option(
    "--unit",
    "units",
    multiple=True,
    metavar="NAME=UNIT",
    callback=options.split_pairs,
    help="The unit of a channel.",
)
@click.option(
    "--time-zone",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="Where hours and weekdays count, and what the record's times are in.",
)
@click.option(
    "--split",
    default="8:1:1",
    show_default=True,
    metavar="A:B:C",
    callback=options.read_split,
    help="Parts in time to train, calibrate and test; A:B calibrates on the training part's end.",
)
@options.epochs
@click.option(
    "--seed",
    type=click.IntRange(0, 10**9),
    default=0,
    show_default=True,
    help="The same seed gives the same weights.",
)
@options.note
@options.as_json
def forecast(
    *, data: Path, out: Path, targets: Texts, channels: Texts, architecture: str | None,
    block: int | None, recursive: bool, step_s: float, window: str,
    horizons_s: tuple[float, ...], mean_s: float,
    every_s: float | None, quantiles: tuple[float, ...], calendar: str | None,
    units: dict[str, str], time_zone: str, split: tuple[int, ...], epochs: int | None, seed: int,
    note: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Fit a forecaster to a plant's record: what will be read, and how far off that may be.

    \b
    Examples:
      wearcast train forecast --data plant.csv --target flow_rate --target pressure \\
        --out forecast.pth
      wearcast train forecast --data plant.csv --target flow_rate --model hybrid \\
        --horizon 10min --horizon 1h --mean 1min --every row --out minutes.pth
      wearcast train forecast --data no_fault.csv --model gear-lstm --block 0 --out gear.pth

    Without other wishes: each hour, from the last hour's 60 minutes, the mean of the same hour 1 to
    7 days ahead, with quantiles. The last part of the record is not looked at. Ctrl-C keeps the
    best weights so far of a network.

    A gear file is known by its header. Its model says what sensor2 reads one row ahead, and the
    error on the block's test part is printed.
    """
    if gear_forecast.wants_gear(data, [architecture] if architecture else []):
        gear_forecast.train(
            data, out, block=block or 0, epochs=epochs, seed=seed, note=note, as_json=as_json
        )
        return
    if not targets or block is not None:
        text = "expected --target, and no --block" if block is not None else "expected --target"
        raise click.UsageError(text)
    architecture = architecture or "linear"
    from wearcast.signals.cleaning import load_rows  # noqa: PLC0415
    from wearcast.training.checkpoint import name_data, save_checkpoint  # noqa: PLC0415
    from wearcast.training.forecast.config import Calendar  # noqa: PLC0415
    from wearcast.training.forecast.train import (  # noqa: PLC0415
        ForecastSettings,
        count_epochs,
        train_forecast,
    )
    from wearcast.training.loss import MemberEpoch, plot_loss, write_loss  # noqa: PLC0415
    from wearcast.training.resources import StepCost, measure  # noqa: PLC0415

    costs: list[StepCost] = []
    settings = ForecastSettings(
        window=_count_rows(window, step_s),
        horizons_s=tuple(sorted(horizons_s)),
        mean_s=mean_s,
        every_s=every_s,
        quantiles=tuple(sorted(quantiles)),
        calendar=cast("Calendar | None", calendar),
        recursive=recursive,
        split=split,
        epochs=epochs,
    )
    names = tuple(dict.fromkeys((*targets, *channels)))
    with measure("read", costs):
        rows = load_rows(data, names, step_s=step_s, time_zone=time_zone).rows
    total = count_epochs(architecture, settings, channels=len(names), targets=len(targets))
    with measure("train", costs), open_progress("train", total) as advance:

        def count(_: MemberEpoch) -> None:
            advance()

        trained = train_forecast(
            rows, architecture, targets=targets, units=units, settings=settings,
            time_zone=time_zone, seed=seed, on_epoch=count,
        )  # fmt: skip
    with measure("write", costs):
        checkpoint = name_data(trained.checkpoint, data.name, note)
        save_checkpoint(out, checkpoint)
        write_loss(out.with_suffix(".loss.csv"), trained.history)
        plotted = plot_loss(
            out.with_suffix(".loss.png"), trained.history, "loss, of deviations from the usual"
        )
    summary = checkpoint.training
    if as_json:
        facts = {
            "checkpoint": str(out),
            "training": summary,
            "forecast": msgspec.to_builtins(checkpoint.forecast),
            "costs": [vars(cost) for cost in costs],
        }
        click.echo(json.dumps(facts, indent=2))
        return
    if trained.interrupted:
        click.echo("stopped early: the best weights so far are kept", err=True)
    if not plotted:
        click.echo("no plot of the loss: pip install 'wearcast[plot]'", err=True)
    for cost in costs:
        click.echo(cost)
    click.echo(_describe(out, architecture, summary))


def _count_rows(window: str, step_s: float) -> int:
    """Rows of a window that is given in rows or as a duration."""
    if window.isdecimal() and int(window) > 0:
        return int(window)
    try:
        seconds = duration(window)
    except click.BadParameter as error:
        raise click.BadParameter(error.message, param_hint="--window") from error
    if seconds % step_s:
        problem = f"expected whole steps of {step_s:g} s, got {window!r}"
        raise click.BadParameter(problem, param_hint="--window")
    return int(seconds // step_s)


def _describe(out: Path, architecture: str, summary: dict[str, Any]) -> str:
    coverage = ", ".join(
        f"{share:.0%} below {name}" for name, share in summary["calibration_coverage"].items()
    )
    return (
        f"{out}: {architecture}, fitted to {summary['parts']['choose'][1]:,} of "
        f"{summary['rows']:,} rows from {summary['from']} on; quantiles calibrated on "
        f"{summary['calibration_windows']:,} windows ({coverage})"
    )
