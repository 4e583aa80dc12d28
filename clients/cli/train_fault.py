"""`wearcast train fault`: train a model that tells faults apart."""

import json
from pathlib import Path
from typing import Any

import click
import msgspec

from wearcast.clients.cli import fault_options, options
from wearcast.clients.cli.progress import open_progress


@click.command("fault")
@fault_options.data
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.pth",
    help="The checkpoint; FILE.loss.csv and pictures come beside it.",
)
@click.option(
    "--model",
    "architecture",
    type=click.Choice(["spectral", "dnn", "cnn", "rnn"]),
    default="spectral",
    show_default=True,
    help="The kind of model; all but spectral look at one instant and are there to compare.",
)
@fault_options.where
@fault_options.bearing
@fault_options.orders
@fault_options.shaft
@fault_options.look
@fault_options.window
@click.option(
    "--by",
    metavar="CONDITION",
    help="What is left out in folds to choose and calibrate by, such as unit or size.",
)
@fault_options.linear
@options.epochs
@click.option("--seed", type=click.IntRange(0, 10**9), default=0, show_default=True)
@options.note
@options.as_json
def fault(
    *, data: Path, out: Path, architecture: str, where: dict[str, str],
    bearing: dict[str, float], orders: dict[str, float], shaft_rpm: float | None,
    look: tuple[str, ...], window: int | None, by: str | None, linear: bool, epochs: int | None,
    seed: int, note: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Train a model that tells faults apart, on recordings whose faults are known.

    \b
    Example:
      wearcast train fault --data cwru --bearing 9:7.94:39.04 --by size --out bearing-fault.pth
      wearcast train fault --data rotor/A --shaft-rpm 1755 --out rotor-fault.pth

    spectral takes windows of the raw signal, whatever the gain of the sensors, and says "unknown"
    of what is unlike the training. How good it is on other machines, `wearcast evaluate fault`
    tells. Ctrl-C keeps the best weights so far of the others; spectral takes seconds and has none.
    """
    from wearcast.training.checkpoint import name_data, save_checkpoint  # noqa: PLC0415
    from wearcast.training.fault.part_d import InstantFitting, train_instants  # noqa: PLC0415
    from wearcast.training.fault.report import summarize_scores  # noqa: PLC0415
    from wearcast.training.fault.spectral_train import train_spectral  # noqa: PLC0415
    from wearcast.training.loss import MemberEpoch, plot_loss, write_loss  # noqa: PLC0415
    from wearcast.training.resources import StepCost, measure  # noqa: PLC0415

    costs: list[StepCost] = []
    with measure("read", costs):
        vibrations = fault_options.load_recordings(data, where, linear_=linear)
    settings = fault_options.make_settings(
        bearing_=bearing, orders_=orders, shaft_rpm=shaft_rpm, look_=look, window_=window, by=by
    )
    fitting = InstantFitting() if epochs is None else InstantFitting(epochs=epochs)
    tested: dict[str, Any] = {}
    total = fitting.epochs if architecture != "spectral" else None
    with measure("train", costs), open_progress("train", total) as advance:

        def count(_: MemberEpoch) -> None:
            advance()

        if architecture == "spectral":
            spectral = train_spectral(vibrations, settings, on_epoch=count)
            checkpoint, history, interrupted = spectral.checkpoint, spectral.history, False
        else:
            instants = train_instants(
                vibrations, architecture, fitting=fitting, seed=seed, on_epoch=count
            )
            checkpoint, history = instants.checkpoint, instants.history
            interrupted = instants.interrupted
            tested = summarize_scores(instants.score_test())
    with measure("write", costs):
        checkpoint = name_data(checkpoint, data.resolve().name, note)
        save_checkpoint(out, checkpoint)
        write_loss(out.with_suffix(".loss.csv"), history)
        plot_loss(out.with_suffix(".loss.png"), history, "cross-entropy")
    parameters = sum(value.numel() for value in checkpoint.build_model().parameters())
    if as_json:
        facts = {
            "checkpoint": str(out),
            "parameters": parameters,
            "training": checkpoint.training,
            "fault": msgspec.to_builtins(checkpoint.fault),
            "later_part": tested,
            "costs": [vars(cost) for cost in costs],
        }
        click.echo(json.dumps(facts, indent=2))
        return
    if interrupted:
        click.echo("stopped early: the best weights so far are kept", err=True)
    for cost in costs:
        click.echo(cost)
    click.echo(_describe(out, checkpoint.training, architecture, parameters, len(vibrations)))
    if tested:
        click.echo(
            f"on the later part of the same recordings: accuracy {tested['accuracy']:.3f}, "
            f"macro-F1 {tested['macro_f1']:.3f}; of other machines that says nothing"
        )


def _describe(
    out: Path, summary: dict[str, Any], architecture: str, parameters: int, recordings: int
) -> str:
    text = f"{out}: {architecture}, {parameters:,} parameters, {recordings} recordings"
    if architecture != "spectral":
        return f"{text}, {summary['epochs']} epochs"
    choice = summary["choice"]
    return (
        f"{text}; looks at {' and '.join(choice['look'])}; cross-entropy {choice['loss']:.3f} on "
        f"folds left out by {summary['folds_by']}"
    )
