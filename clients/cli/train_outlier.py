"""`wearcast train outlier`: fit the detectors of outlier stages to a plant's record."""

import json
from pathlib import Path

import click
import msgspec

from wearcast.clients.cli import options
from wearcast.clients.cli.durations import DURATION
from wearcast.signals.stages import NIGHT, check_side

Texts = tuple[str, ...]
Range = tuple[float, float]


def _split_ranges(
    context: click.Context, option: click.Parameter, texts: Texts
) -> dict[str, Range]:
    """CHANNEL=LOW:HIGH, in the channel's unit."""
    ranges = {}
    for name, text in options.split_pairs(context, option, texts).items():
        try:
            low, high = map(float, text.split(":"))
        except ValueError as error:
            problem = f"expected NAME=LOW:HIGH, got {name}={text}"
            raise click.BadParameter(problem) from error
        ranges[name] = (low, high)
    return ranges


@click.command("outlier")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The plant's record: a time and a column for each channel.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.pth",
    help="The checkpoint.",
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    default=("flow_rate", "pressure"),
    show_default=True,
    metavar="NAME",
    help="A column to judge; may be given several times.",
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
    help="Where hours, weekdays and nights count, and what the record's times are in.",
)
@click.option(
    "--baseline",
    type=click.Choice(["hour-of-week", "hour", "weekday", "global"]),
    default="hour-of-week",
    show_default=True,
    help="What a channel's normal hangs on.",
)
@click.option(
    "--side",
    "sides",
    multiple=True,
    metavar="NAME=SIDE",
    callback=options.split_pairs,
    help="Which readings are unusual: upper, lower or both; else upper of a flow, both of others.",
)
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="NAME=LOW:HIGH",
    callback=_split_ranges,
    help="What the sensor can read; else what the training data spans, and as much again.",
)
@click.option(
    "--night",
    default=NIGHT,
    show_default=True,
    metavar="HH:MM-HH:MM",
    help="Where the first and the last ten-minute slot of the night begin.",
)
@click.option("--no-night", is_flag=True, help="No detector of the least flow at night.")
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
    "--train-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.7,
    show_default=True,
    help="Fit to this first part of the record only.",
)
@options.note
@options.as_json
def outlier(
    *, data: Path, out: Path, channels: Texts, units: dict[str, str], time_zone: str,
    baseline: str, sides: dict[str, str], ranges: dict[str, Range], night: str, no_night: bool,
    step_s: float, train_share: float, note: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Fit the detectors of outlier stages to a plant's record.

    \b
    Example:
      wearcast train outlier --data plant.csv --range pressure=0:10 --out outlier.pth

    Four detectors judge each channel: the sensor itself, the actual value, the predicted value, and
    the least flow at night. One more judges all channels together. Nothing is learned by trial: the
    same record gives the same model.
    """
    from wearcast.signals.cleaning import load_rows  # noqa: PLC0415
    from wearcast.training.checkpoint import name_data, save_checkpoint  # noqa: PLC0415
    from wearcast.training.outlier.table import check_baseline  # noqa: PLC0415
    from wearcast.training.outlier.train import OutlierSettings, train_outlier  # noqa: PLC0415
    from wearcast.training.resources import StepCost, measure  # noqa: PLC0415

    costs: list[StepCost] = []
    settings = OutlierSettings(
        baseline=check_baseline(baseline),
        sides={name: check_side(f"side of {name}", side) for name, side in sides.items()},
        ranges=ranges,
        night=None if no_night else night,
    )
    with measure("read", costs):
        rows = load_rows(data, channels, step_s=step_s, time_zone=time_zone).rows
    with measure("train", costs):
        training_rows = rows.between(0, round(train_share * len(rows)))
        checkpoint = train_outlier(
            training_rows, units=units, time_zone=time_zone, settings=settings
        )
    with measure("write", costs):
        checkpoint = name_data(checkpoint, data.name, note)
        save_checkpoint(out, checkpoint)
    summary = checkpoint.training
    if as_json:
        facts = {
            "checkpoint": str(out),
            "training": summary,
            "outlier": msgspec.to_builtins(checkpoint.outlier),
            "costs": [vars(cost) for cost in costs],
        }
        click.echo(json.dumps(facts, indent=2))
        return
    for cost in costs:
        click.echo(cost)
    click.echo(
        f"{out}: {len(checkpoint.channels)} channel(s), fitted to {summary['rows']:,} rows from "
        f"{summary['from']} to {summary['to']}"
    )
