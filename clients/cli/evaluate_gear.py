"""`wearcast evaluate gear`: what gear vibration tells under speeds and loads not seen before."""

import json
from pathlib import Path

import click

from wearcast.clients.cli import options
from wearcast.clients.cli.progress import open_progress


@click.command("gear")
@click.option(
    "--data",
    "folders",
    multiple=True,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of a rig's gear files, one a fault; may be given several times, one a rig.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.md",
    help="Write the tables there too.",
)
@click.option("--seed", type=click.IntRange(0, 10**9), default=0, show_default=True)
@options.note
@options.as_json
def gear(
    *, folders: tuple[Path, ...], out: Path | None, seed: int, note: str | None, as_json: bool
) -> None:
    """Measure fault class, speed and load from two sensors, on conditions held out.

    \b
    Example:
      wearcast evaluate gear --data rig --note "simulated" --out table.md

    Fault class: later in the same recordings, and with a speed, a load, both, or a rig held out.
    Speed and load are regressed likewise. Plain learners on spectra and envelope spectra stand
    beside answers that know no vibration.
    """
    import numpy as np  # noqa: PLC0415
    import sklearn  # noqa: PLC0415

    from wearcast.training.gear.examples import read_rigs  # noqa: PLC0415
    from wearcast.training.gear.report import report_tasks, summarize_tasks  # noqa: PLC0415
    from wearcast.training.gear.tasks import evaluate_tasks, list_splits  # noqa: PLC0415
    from wearcast.training.gear.ways import list_classifiers, list_regressors  # noqa: PLC0415
    from wearcast.training.resources import StepCost, describe_machine, measure  # noqa: PLC0415

    costs: list[StepCost] = []
    with measure("read", costs):
        vibrations = read_rigs(folders)
    splits, _ = list_splits(vibrations)
    with measure("judge", costs), open_progress("splits", len(splits)) as advance:
        results = evaluate_tasks(
            vibrations, list_classifiers(seed), list_regressors(seed), on_split=advance
        )
    machine = describe_machine({"scikit-learn": sklearn.__version__, "numpy": np.__version__})
    title = "# gear, " + ", ".join(folder.resolve().name for folder in folders)
    parts = [title, *([note] if note else []), machine, *report_tasks(results), *map(str, costs)]
    text = "\n\n".join(parts) + "\n"
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    facts = {"note": note, **summarize_tasks(results)}
    click.echo(json.dumps(facts, indent=2) if as_json else text)
