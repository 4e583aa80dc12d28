"""`wearcast simulate`: writes recordings of a simulated machine."""

import json
from pathlib import Path
from typing import Literal

import click

from wearcast.clients.cli import options
from wearcast.clients.cli.progress import open_progress
from wearcast.signals.errors import InputError
from wearcast.signals.femto import HOP_S, write_snapshot
from wearcast.signals.simulation import BearingLife, simulate_bearing


@click.group()
def command() -> None:
    """Write recordings of a simulated machine.

    \b
    Example:
      wearcast simulate bearing --out data --name Bearing1_9
    """


@command.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="DIR",
    help="Write DIR/NAME/acc_00001.csv and so on.",
)  # fmt: skip
@click.option("--name", default="Bearing1_9", show_default=True, help="Name of the bearing.")
@click.option(
    "--condition", type=click.IntRange(1, 3), default=BearingLife.condition, show_default=True,
    help="1: 1800 rpm, 2: 1650 rpm, 3: 1500 rpm.",
)  # fmt: skip
@click.option(
    "--life-s", type=click.FloatRange(min=HOP_S), default=BearingLife.life_s, show_default=True,
    metavar="SECONDS", help="Time from new to failure; one snapshot each 10 s.",
)  # fmt: skip
@click.option(
    "--defect", type=click.Choice(["outer", "inner"]), default=BearingLife.defect,
    show_default=True, help="The race that is damaged.",
)  # fmt: skip
@click.option(
    "--stop-at", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True,
    metavar="FRACTION", help="Life fraction at which the recording ends; 1: at the failure.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=BearingLife.seed, show_default=True)
@options.as_json
def bearing(
    *,
    out: Path,
    name: str,
    condition: int,
    life_s: float,
    defect: Literal["outer", "inner"],
    stop_at: float,
    seed: int,
    as_json: bool,
) -> None:
    """Write a bearing's life in the layout of PRONOSTIA: one file with 0.1 s each 10 s.

    \b
    Example:
      wearcast simulate bearing --out data --name Bearing1_9 --life-s 3600 --seed 1

    The bearing is simulated: its files are for trying things out, and prove nothing about real
    machines. The same seed writes the same files.
    """
    folder = out / name
    life = BearingLife(condition=condition, life_s=life_s, defect=defect, seed=seed)
    written = write_bearing(folder, life, stop_at=stop_at)
    if as_json:
        facts = {"folder": str(folder), "snapshots": written, "life_s": life_s, "simulated": True}
        click.echo(json.dumps(facts))
    else:
        click.echo(f"{folder}: {written} snapshots of a simulated bearing, life {life_s:g} s")


def write_bearing(folder: Path, life: BearingLife, *, stop_at: float = 1.0) -> int:
    """Write a simulated life as acc_00001.csv and so on; gives the number of snapshots.

    Raises:
        InputError: the folder holds snapshots already, or `stop_at` leaves none.
    """
    if folder.is_dir() and any(folder.glob("acc_*.csv")):
        raise InputError("name", "a bearing that is not there yet", folder)
    blocks = simulate_bearing(life, stop_at=stop_at)
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    with open_progress(folder.name, round(life.snapshots * stop_at)) as advance:
        for block in blocks:
            path = folder / f"acc_{block.sequence + 1:05d}.csv"
            write_snapshot(path, block.start_us, block.values)
            written += 1
            advance()
    return written
