"""`wearcast export`: turn a checkpoint into a model folder."""

import json
from pathlib import Path
from typing import Any

import click

from wearcast.signals.errors import InputError


@click.command()
@click.argument("checkpoint", metavar="FILE.pth", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the model.")
@click.option(
    "--out",
    "out_dir",
    metavar="MODELS_DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that holds the models.",
)
@click.option(
    "--batch",
    "batches",
    multiple=True,
    type=click.IntRange(min=1),
    help="Windows in one run of the graph; may be given several times.  "
    "[default: 1, 32; with --int8: 1]",
)
@click.option(
    "--version", type=click.IntRange(min=1), help="Number of the version; else the next free one."
)
@click.option(
    "--int8", is_flag=True, help="Round large recurrent and dense layers to 8 bits, at batch 1."
)
@click.option(
    "--evaluate", "recordings", multiple=True, metavar="PATH",
    type=click.Path(exists=True, path_type=Path),
    help="With --int8: recordings, as for predict, that it has to hold on; may be given several "
    "times.",
)  # fmt: skip
@click.option(
    "--bar", type=click.FloatRange(min=0, min_open=True), metavar="SHARE",
    help="With --int8: the largest deviation of an answer, as a share of the range of the answers."
    "  [default: 0.02]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print folder and contract as JSON.")
def command(
    *,
    checkpoint: Path,
    name: str,
    out_dir: Path,
    batches: tuple[int, ...],
    version: int | None,
    int8: bool,
    recordings: tuple[Path, ...],
    bar: float | None,
    as_json: bool,
) -> None:
    """Turn a checkpoint into a model folder, MODELS_DIR/NAME/VERSION.

    \b
    Examples:
      wearcast export bearing.pth --name bearing-rul --out models --batch 1 --batch 32
      wearcast export gear.pth --name gear --out models --int8 --evaluate gear.csv

    The folder holds ONNX and TorchScript graphs at each batch size, the contract and golden cases.
    It is made only if all of them answer as the model does; with --int8, only if its answers to
    drawn windows and to those of the recordings are within the bar, and, where a recording shows
    what was forecast, the mean error grows by no larger share.
    """
    from wearcast.clients.cli.export_int8 import describe, make_gatherer, to_json  # noqa: PLC0415
    from wearcast.export.int8 import BAR, BATCHES, Comparison, Int8  # noqa: PLC0415
    from wearcast.export.model_folder import export_checkpoint  # noqa: PLC0415

    if not int8 and (recordings or bar is not None):
        raise InputError("int8", "with --evaluate and --bar", "without")
    compared: dict[str, Any] = {}

    def tell(comparison: Comparison) -> None:
        compared["int8"] = to_json(comparison)
        if not as_json:
            click.echo(describe(comparison))

    asked = Int8(BAR if bar is None else bar, make_gatherer(recordings), tell) if int8 else None
    sizes = batches or (BATCHES if int8 else (1, 32))
    exported = export_checkpoint(checkpoint, name, out_dir, sizes, version, int8=asked)
    if as_json:
        result = {
            "folder": str(exported.folder),
            "largest_difference": exported.largest_difference,
            "contract": json.loads(exported.contract.to_json()),
            **compared,
        }
        click.echo(json.dumps(result, indent=2))
    else:
        click.echo(exported.folder)
