"""`wearcast train rul`: train a model of life fraction on recordings of bearings."""

import json
import tomllib
from pathlib import Path
from typing import Any

import click
import msgspec

from wearcast.clients.cli import options
from wearcast.clients.cli.progress import open_progress
from wearcast.signals.errors import InputError


@click.command("rul")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of bearings in the PRONOSTIA layout, each run until it failed; of "
    "a folder that holds Learning_set, that alone.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.pth",
    help="The checkpoint; FILE.loss.csv and FILE.loss.png come beside it.",
)
@options.architecture
@options.bearings
@click.option("--hold-out", metavar="A,B,...", help="All but these bearings.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.toml",
    help="Tables [training] and [model] with other settings.",
)
@options.epochs
@click.option(
    "--seed",
    type=click.IntRange(0, 10**9),
    default=0,
    show_default=True,
    help="The same seed gives the same weights.",
)
@options.cache
@options.as_json
def rul(
    *, data: Path, out: Path, architecture: str, bearings: str | None, hold_out: str | None,
    config: Path | None, epochs: int | None, seed: int, cache: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Train a model of life fraction, and calibrate its remaining life.

    \b
    Example:
      wearcast train rul --data Learning_set --hold-out Bearing1_1 --out bearing.pth

    Whole bearings are held out: from each member of the compact model one, to learn how far it errs
    on bearings it has not seen, and one more, to choose its best weights. Ctrl-C keeps the best
    weights so far.
    """
    from wearcast.training.checkpoint import save_checkpoint  # noqa: PLC0415
    from wearcast.training.loss import MemberEpoch, plot_loss, write_loss  # noqa: PLC0415
    from wearcast.training.resources import StepCost, measure  # noqa: PLC0415
    from wearcast.training.rul.bearings import choose_bearings, load_bearings  # noqa: PLC0415
    from wearcast.training.rul.train import count_epochs, train_rul  # noqa: PLC0415

    settings, sizes = _read_config(config)
    if epochs is not None:
        settings["epochs"] = epochs
    costs: list[StepCost] = []
    paths = choose_bearings(data, options.split_names(bearings), options.split_names(hold_out))
    with measure("read", costs), open_progress("read", len(paths)) as advance:
        recordings = load_bearings(paths, cache, advance)
    total = count_epochs(len(recordings), architecture, settings)
    with measure("train", costs), open_progress("train", total) as advance:

        def note(_: MemberEpoch) -> None:
            advance()

        trained = train_rul(
            recordings, architecture, settings=settings, sizes=sizes, seed=seed, on_epoch=note
        )
    with measure("write", costs):
        save_checkpoint(out, trained.checkpoint)
        write_loss(out.with_suffix(".loss.csv"), trained.history)
        plotted = plot_loss(
            out.with_suffix(".loss.png"),
            trained.history,
            "mean squared error of the life fraction",
        )
    summary = trained.checkpoint.training
    if as_json:
        facts = {
            "checkpoint": str(out),
            "training": summary,
            "rul": msgspec.to_builtins(trained.checkpoint.rul),
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
    count = sum(parameter.numel() for parameter in trained.model.parameters())
    click.echo(
        f"{out}: {architecture}, {count:,} parameters, {len(summary['splits'])} member(s), "
        f"RMSE on the validation bearings {summary['validation_rmse']:.3f}"
    )


def _read_config(path: Path | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tables [training] and [model] of a TOML file."""
    if path is None:
        return {}, {}
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(path), "TOML", error) from error
    unknown = set(tables) - {"training", "model"}
    if unknown:
        raise InputError(f"{path}", "tables [training] and [model]", f"[{min(unknown)}]")
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(str(path), f"a table [{name}]", f"{name} = {table}")
    return tables.get("training", {}), tables.get("model", {})
