"""`wearcast export`: turn a checkpoint into a model folder."""

import json
from pathlib import Path

import click


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
    default=(1, 32),
    show_default=True,
    type=click.IntRange(min=1),
    help="Windows in one run of the graph; may be given several times.",
)
@click.option(
    "--version", type=click.IntRange(min=1), help="Number of the version; else the next free one."
)
@click.option("--json", "as_json", is_flag=True, help="Print folder and contract as JSON.")
def command(
    *,
    checkpoint: Path,
    name: str,
    out_dir: Path,
    batches: tuple[int, ...],
    version: int | None,
    as_json: bool,
) -> None:
    """Turn a checkpoint into a model folder, MODELS_DIR/NAME/VERSION.

    \b
    Example:
      wearcast export bearing.pth --name bearing-rul --out models --batch 1 --batch 32

    The folder holds ONNX and TorchScript graphs at each batch size, the contract and golden cases.
    It is made only if all of them answer as the model does.
    """
    from wearcast.export.model_folder import export_checkpoint  # noqa: PLC0415

    exported = export_checkpoint(checkpoint, name, out_dir, batches, version)
    if as_json:
        result = {
            "folder": str(exported.folder),
            "largest_difference": exported.largest_difference,
            "contract": json.loads(exported.contract.to_json()),
        }
        click.echo(json.dumps(result, indent=2))
    else:
        click.echo(exported.folder)
