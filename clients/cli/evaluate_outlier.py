"""`wearcast evaluate outlier`: how well unusual readings are told from others."""

import json
from pathlib import Path

import click

from wearcast.clients.cli import options
from wearcast.clients.cli.progress import open_progress


@click.command("outlier")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder with skab and nab.",
)
@click.option(
    "--plant",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="A plant's record whose faults are known.",
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.labels.csv",
    help="What went wrong in it: start,end,kind,channel.",
)
@click.option(
    "--checkpoint",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.pth",
    help="What `wearcast train outlier` made of the first part of that record.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.md",
    help="Write the tables there too.",
)
@options.as_json
def outlier(
    *, data: Path | None, plant: Path | None, labels: Path | None, path: Path | None,
    out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure the detectors on SKAB and NAB, or a checkpoint on a plant with known faults.

    \b
    Example:
      wearcast evaluate outlier --data DIR_WITH_SKAB_AND_NAB --out table.md
      wearcast evaluate outlier --plant plant.csv --labels plant.labels.csv --checkpoint outlier.pth

    Models of SKAB and NAB are fitted to the first rows of each file and score its others, by the
    graph that would be exported. Beside them stands what is reached without any sensor.
    """
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from wearcast.training.checkpoint import load_checkpoint  # noqa: PLC0415
    from wearcast.training.outlier.evaluate import (  # noqa: PLC0415
        count_files,
        evaluate_benchmarks,
        evaluate_plant,
    )
    from wearcast.training.outlier.report import (  # noqa: PLC0415
        report_benchmarks,
        report_plant,
        summarize_benchmarks,
        summarize_plant,
    )
    from wearcast.training.resources import (  # noqa: PLC0415
        StepCost,
        describe_machine,
        measure,
    )

    costs: list[StepCost] = []
    if data is not None and plant is labels is path is None:
        title = "outlier, SKAB and NAB"
        with measure("judge", costs), open_progress("files", count_files(data)) as advance:
            benchmarks = evaluate_benchmarks(data, advance)
        facts, parts = summarize_benchmarks(benchmarks), report_benchmarks(benchmarks)
    elif data is None and plant is not None and labels is not None and path is not None:
        title = f"outlier, {plant.name}"
        with measure("judge", costs):
            result = evaluate_plant(load_checkpoint(path), plant, labels)
        facts, parts = summarize_plant(result), report_plant(result)
    else:
        text = "expected --data alone, or --plant, --labels and --checkpoint"
        raise click.UsageError(text)
    machine = describe_machine({"torch": str(torch.__version__), "numpy": np.__version__})
    text = "\n\n".join(["# " + title, machine, *parts, *map(str, costs)]) + "\n"
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    click.echo(json.dumps(facts, indent=2) if as_json else text)
