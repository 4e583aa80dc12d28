"""What `wearcast train forecast` and `wearcast evaluate forecast` do with a gear file."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from wearcast.clients.cli.progress import open_progress

if TYPE_CHECKING:
    from wearcast.training.forecast.gear_block import GearRows
    from wearcast.training.loss import MemberEpoch

MODEL = "gear-lstm"
# Parameters of both verbs that say something to a gear file.
_TAKEN = {
    "data", "out", "architecture", "models", "block", "blocks", "epochs", "seed", "note", "as_json",
}  # fmt: skip
_LOSS = "loss: mean squared error, scaled"


def wants_gear(data: Path | None, models: Sequence[str]) -> bool:
    """Whether a gear file or its model is asked for; models: those that the user named, or none.

    Raises:
        click.UsageError: it is, with another model or with options that it does not take.
    """
    from wearcast.signals.vibration.gear_csv import is_gear  # noqa: PLC0415

    found = data is not None and is_gear(data)
    if not found and MODEL not in models:
        return False
    others = [name for name in models if name != MODEL]
    if others or data is None:
        got = f"--model {others[0]}" if others else "no --data"
        raise click.UsageError(f"a gear file and --model {MODEL} go together, got {got}")
    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if given and option.name not in _TAKEN:
            raise click.UsageError(f"{option.opts[0]} is not for a gear file")
    return True


def train(
    data: Path, out: Path, *, block: int, epochs: int | None, seed: int, note: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Fit the model to one block, write it, and print its error on the block's test part."""
    from wearcast.training.checkpoint import name_data, save_checkpoint  # noqa: PLC0415
    from wearcast.training.forecast.gear import FITTING  # noqa: PLC0415
    from wearcast.training.forecast.gear_evaluate import score_gear  # noqa: PLC0415
    from wearcast.training.forecast.gear_report import (  # noqa: PLC0415
        report_block,
        summarize_gear,
    )
    from wearcast.training.forecast.gear_train import train_gear  # noqa: PLC0415
    from wearcast.training.loss import plot_loss, write_loss  # noqa: PLC0415

    (chosen,) = _read_blocks(data, (block,)).values()
    most = epochs or FITTING.epochs
    began = time.perf_counter()
    with open_progress("epochs", most) as advance:

        def count(_: "MemberEpoch") -> None:
            advance()

        trained = train_gear(chosen, epochs=most, number=block, seed=seed, on_epoch=count)
    result = score_gear(trained, began)
    save_checkpoint(out, name_data(trained.checkpoint, data.name, note))
    write_loss(out.with_suffix(".loss.csv"), trained.history)
    plotted = plot_loss(out.with_suffix(".loss.png"), trained.history, _LOSS)
    if as_json:
        (facts,) = summarize_gear([result])
        click.echo(json.dumps({"checkpoint": str(out), **facts}, indent=2))
        return
    if trained.interrupted:
        click.echo("stopped early: the best weights so far are kept", err=True)
    if not plotted:
        click.echo("no plot of the loss: pip install 'wearcast[plot]'", err=True)
    click.echo(f"{out}: {MODEL}, fitted to {data.name} in {result.seconds:.0f} s")
    click.echo(report_block(result))


def evaluate(
    data: Path, out: Path | None, *, blocks: tuple[int, ...], epochs: int | None, seed: int,
    note: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Fit a model to each block and print its errors beside those of others."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from wearcast.training.forecast.gear import FITTING  # noqa: PLC0415
    from wearcast.training.forecast.gear_evaluate import evaluate_gear  # noqa: PLC0415
    from wearcast.training.forecast.gear_report import report_gear, summarize_gear  # noqa: PLC0415
    from wearcast.training.loss import plot_loss, write_loss  # noqa: PLC0415
    from wearcast.training.resources import StepCost, describe_machine, measure  # noqa: PLC0415

    costs: list[StepCost] = []
    with measure("read", costs):
        chosen = _read_blocks(data, blocks)
    most = epochs or FITTING.epochs
    with measure("all", costs), open_progress("epochs", most * len(chosen)) as advance:

        def count(_: "MemberEpoch") -> None:
            advance()

        results = evaluate_gear(chosen, epochs=most, seed=seed, on_epoch=count)
    machine = describe_machine({"torch": str(torch.__version__), "numpy": np.__version__})
    parts = [f"# forecast, {data.name}", *([note] if note else []), machine]
    text = "\n\n".join([*parts, *report_gear(results), *map(str, costs)]) + "\n"
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "table.md").write_text(text, encoding="utf-8")
        history = [epoch for result in results for epoch in result.trained.history]
        write_loss(out / "loss.csv", history)
        if not plot_loss(out / "loss.png", history, _LOSS):
            click.echo("no plot of the loss: pip install 'wearcast[plot]'", err=True)
    facts = {"note": note, "blocks": summarize_gear(results)}
    click.echo(json.dumps(facts, indent=2) if as_json else text)


def _read_blocks(data: Path, numbers: Sequence[int]) -> "dict[int, GearRows]":
    """Blocks of a gear file by their number, from 0; all if none is named."""
    from wearcast.signals.errors import InputError  # noqa: PLC0415
    from wearcast.signals.vibration.gear_csv import read_gear  # noqa: PLC0415
    from wearcast.training.forecast.gear_block import make_block  # noqa: PLC0415

    vibrations = read_gear(data)
    wanted = sorted(set(numbers)) or range(len(vibrations))
    if wanted[-1] >= len(vibrations):
        raise InputError("block", f"0 to {len(vibrations) - 1}", wanted[-1])
    return {number: make_block(vibrations[number]) for number in wanted}
