"""`wearcast simulate rotor` and `simulate gear`: recordings of vibration with known faults."""

import json
from pathlib import Path

import click

from wearcast.clients.cli import options
from wearcast.clients.cli.progress import open_progress
from wearcast.signals.simulation.gear import FAULTS as GEAR_FAULTS
from wearcast.signals.simulation.gear import draw_rig, list_blocks
from wearcast.signals.simulation.rotor import draw_unit
from wearcast.signals.simulation.vibration_files import write_gear, write_rotor
from wearcast.signals.vibration.rotor_csv import FAULTS as ROTOR_FAULTS


@click.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="DIR",
    help="Write DIR/UNIT/sensor1.csv to sensor4.csv.",
)  # fmt: skip
@click.option(
    "--unit", default="A", show_default=True, callback=options.check_name, help="Name of the pump."
)
@click.option(
    "--seconds", type=click.FloatRange(1, 3600), default=140.0, show_default=True,
    help="Length of each recording.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which pump it is."
)
@options.as_json
def rotor(*, out: Path, unit: str, seconds: float, seed: int, as_json: bool) -> None:
    """Write a pump's vibration: healthy, unbalanced, loose, and both; four sensors.

    \b
    Example:
      wearcast simulate rotor --out data --unit A --seed 1
      wearcast simulate rotor --out data --unit B --seed 2

    Each sensor has a file and a rate of its own, with a column for each fault. Another seed is
    another pump of the same make.

    The pump is simulated: its files are for trying things out, and prove nothing about real
    machines. The same seed writes the same files.
    """
    folder = out / unit
    drawn = draw_unit(seed)
    with open_progress(unit, len(ROTOR_FAULTS)) as advance:
        paths = write_rotor(folder, drawn, seconds=seconds, advance=advance)
    if as_json:
        facts = {"folder": str(folder), "files": len(paths), "faults": ROTOR_FAULTS}
        click.echo(json.dumps({**facts, "seconds": seconds, "simulated": True}))
    else:
        click.echo(f"{folder}: {len(paths)} sensors of a simulated pump, {seconds:g} s each")
        click.echo(f"faults: {', '.join(ROTOR_FAULTS)}")


@click.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="DIR",
    help="Write DIR/NAME/no_fault.csv and so on.",
)  # fmt: skip
@click.option(
    "--name", default="rig", show_default=True, callback=options.check_name, help="Name of the rig."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which rig it is."
)
@options.as_json
def gear(*, out: Path, name: str, seed: int, as_json: bool) -> None:
    """Write a gear rig's vibration: six states of the pinion, three speeds, two loads.

    \b
    Example:
      wearcast simulate gear --out data --name rig --seed 1

    Each state has a file of 150,000 rows at 5 kHz: 8.33, 25 and 40 turns a second, each without
    load and at 80%, 5 s long. Another seed is another rig.

    The rig is simulated: its files are for trying things out, and prove nothing about real
    machines. The same seed writes the same files.
    """
    folder = out / name
    drawn = draw_rig(seed)
    with open_progress(name, len(GEAR_FAULTS)) as advance:
        paths = write_gear(folder, drawn, advance=advance)
    blocks = len(list_blocks(drawn.design))
    if as_json:
        facts = {"folder": str(folder), "files": len(paths), "faults": list(GEAR_FAULTS)}
        click.echo(json.dumps({**facts, "blocks": blocks, "simulated": True}))
    else:
        click.echo(f"{folder}: {len(paths)} files of a simulated gear rig, {blocks} blocks each")
        click.echo(f"faults: {', '.join(GEAR_FAULTS)}")
