"""`wearcast evaluate rul`: measure a kind of model on bearings that it has not seen."""

import json
from pathlib import Path

import click

from wearcast.clients.cli import options
from wearcast.clients.cli.progress import open_progress
from wearcast.signals.errors import InputError


@click.command("rul")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder with Learning_set, and with Test_set if there is one.",
)
@options.architecture
@options.bearings
@click.option("--hold-out", metavar="A,B,...", help="Leave out only these; else each in turn.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Repeat with this many seeds.",
)
@options.epochs
@options.cache
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.md",
    help="Write the tables there too.",
)
@options.as_json
def rul(
    *, data: Path, architecture: str, bearings: str | None, hold_out: str | None, seeds: int,
    epochs: int | None, cache: Path | None, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Leave bearings out, train on the others, and measure what is said of those left out.

    \b
    Example:
      wearcast evaluate rul --data DIR_WITH_LEARNING_SET --seeds 3 --out table.md

    Beside each figure stands what is reached without any vibration. Test bearings are answered
    once, by models trained on all learning bearings.
    """
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from wearcast.training.resources import (  # noqa: PLC0415
        StepCost,
        describe_machine,
        measure,
    )
    from wearcast.training.rul.bearings import choose_bearings, load_bearings  # noqa: PLC0415
    from wearcast.training.rul.evaluate import (  # noqa: PLC0415
        TEST_RUL_S,
        evaluate_left_out,
        evaluate_test,
    )
    from wearcast.training.rul.report import (  # noqa: PLC0415
        report_left_out,
        report_test,
        summarize,
    )

    costs: list[StepCost] = []
    settings = {} if epochs is None else {"epochs": epochs}
    paths = choose_bearings(data, options.split_names(bearings))
    left_out = [name for name in paths if name in options.split_names(hold_out)] or list(paths)
    for name in set(options.split_names(hold_out)) - set(paths):
        raise InputError("hold-out", f"some of {', '.join(paths)}", name)
    tests = {}
    if (data / "Test_set").is_dir() and not hold_out:
        found = choose_bearings(data / "Test_set")
        tests = {name: path for name, path in found.items() if name in TEST_RUL_S}
    with measure("read", costs), open_progress("read", len(paths) + len(tests)) as advance:
        recordings = load_bearings(paths, cache, advance)
        test_recordings = load_bearings(tests, cache, advance)
    steps = seeds * (len(left_out) + bool(tests))
    with measure("train and judge", costs), open_progress("trainings", steps) as advance:
        results = evaluate_left_out(
            recordings, architecture, left_out, seeds=seeds, settings=settings, on_trained=advance
        )
        parts = report_left_out(results)
        if tests:
            answers = evaluate_test(
                recordings, test_recordings, architecture,
                seeds=seeds, settings=settings, on_trained=advance,
            )  # fmt: skip
            parts += report_test(answers)
    if as_json:
        click.echo(json.dumps(summarize(results), indent=2))
    asked = f"{architecture}, {seeds} seed(s), left out: {', '.join(left_out)}"
    if epochs is not None:
        asked += f", {epochs} epochs"
    machine = describe_machine({"torch": str(torch.__version__), "numpy": np.__version__})
    text = "\n\n".join(["# " + asked, machine, *parts, *map(str, costs)]) + "\n"
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    if not as_json:
        click.echo(text)
