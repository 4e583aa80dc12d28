"""`wearcast evaluate fault`: how well faults are told apart on what was not seen."""

import json
from dataclasses import replace
from pathlib import Path

import click

from wearcast.clients.cli import fault_options, options
from wearcast.clients.cli.progress import open_progress


@click.command("fault")
@fault_options.data
@click.option(
    "--hold-out",
    required=True,
    metavar="CONDITION",
    help="What is left out, each value in turn: recording, unit, load, size, speed, ...",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Choice(["spectral", "dnn", "cnn", "rnn", "random forest"]),
    default=("spectral", "random forest"),
    show_default=True,
    help="May be given several times.",
)
@fault_options.where
@fault_options.bearing
@fault_options.orders
@fault_options.shaft
@fault_options.look
@fault_options.window
@fault_options.linear
@options.epochs
@click.option("--seed", type=click.IntRange(0, 10**9), default=0, show_default=True)
@click.option("--leaky", is_flag=True, help="Also random windows, which mean nothing; marked so.")
@options.note
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    callback=options.make_out,
    help="Write table.md, result.json, and for each model its losses and pictures there.",
)
@options.as_json
def fault(
    *, data: Path, hold_out: str, models: tuple[str, ...], where: dict[str, str],
    bearing: dict[str, float], orders: dict[str, float], shaft_rpm: float | None,
    look: tuple[str, ...], window: int | None, linear: bool, epochs: int | None, seed: int,
    leaky: bool, note: str | None, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Leave recordings out by a condition, train on the others, and score those left out.

    \b
    Example:
      wearcast evaluate fault --data cwru --hold-out size --bearing 9:7.94:39.04 --out out
      wearcast evaluate fault --data rotor --hold-out unit --shaft-rpm 1755 --model spectral

    Everything that is fitted or chosen is so without what is left out. Beside the models stands a
    random forest on common features.
    """
    import numpy as np  # noqa: PLC0415
    import sklearn  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from wearcast.training.fault.evaluate import (  # noqa: PLC0415
        Evaluation,
        EvaluationSettings,
        count_folds,
        evaluate_fault,
    )
    from wearcast.training.fault.evaluation_report import (  # noqa: PLC0415
        report_evaluation,
        summarize_evaluation,
    )
    from wearcast.training.fault.part_d import InstantFitting  # noqa: PLC0415
    from wearcast.training.fault.plot import plot_confusion, plot_reliability  # noqa: PLC0415
    from wearcast.training.loss import plot_loss, write_loss  # noqa: PLC0415
    from wearcast.training.resources import (  # noqa: PLC0415
        StepCost,
        describe_machine,
        measure,
    )

    def draw(directory: Path, result: Evaluation) -> None:
        for model, scores in result.pooled.items():
            name = model.replace(" ", "-")
            title = f"{model}, {hold_out} held out"
            plot_confusion(directory / f"{name}.confusion.png", scores, title)
            plot_reliability(directory / f"{name}.reliability.png", scores, title)
            losses = [
                replace(epoch, member=number)
                for number, history in enumerate(result.histories[model].values())
                for epoch in history
            ]
            if losses:
                write_loss(directory / f"{name}.loss.csv", losses)
                plot_loss(directory / f"{name}.loss.png", losses, "cross-entropy")

    costs: list[StepCost] = []
    with measure("read", costs):
        vibrations = fault_options.load_recordings(data, where, linear_=linear)
    settings = EvaluationSettings(
        spectral=fault_options.make_settings(
            bearing_=bearing, orders_=orders, shaft_rpm=shaft_rpm, look_=look, window_=window
        ),
        fitting=InstantFitting() if epochs is None else InstantFitting(epochs=epochs),
        seed=seed,
    )
    steps = count_folds(vibrations, models, hold_out, leaky=leaky)
    with measure("train and judge", costs), open_progress("trainings", steps) as advance:
        result = evaluate_fault(
            vibrations, models, hold_out, settings, leaky=leaky, on_fold=advance
        )
    facts = json.dumps(summarize_evaluation(result), indent=2)
    libraries = {
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }
    title = f"# fault, {data.resolve().name}, {hold_out} held out" + (f": {note}" if note else "")
    parts = report_evaluation(result, hold_out)
    machine = describe_machine(libraries)
    text = "\n\n".join([title, machine, *parts, *map(str, costs)]) + "\n"
    if out is not None:
        (out / "table.md").write_text(text, encoding="utf-8")
        (out / "result.json").write_text(facts + "\n", encoding="utf-8")
        draw(out, result)
    click.echo(facts if as_json else text)
