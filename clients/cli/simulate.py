"""`wearcast simulate`: writes recordings of a simulated machine or plant."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from wearcast.clients.cli import options
from wearcast.clients.cli.progress import open_progress
from wearcast.clients.cli.simulate_vibration import gear, rotor
from wearcast.signals.errors import InputError
from wearcast.signals.femto import HOP_S, write_snapshot
from wearcast.signals.simulation.bearing import BearingLife, simulate_bearing
from wearcast.signals.simulation.plant_faults import NO_FAULTS, Rates
from wearcast.signals.simulation.plant_log import name_labels, write_plant
from wearcast.signals.simulation.plant_simulation import Plant, simulate_plant


@click.group()
def command() -> None:
    """Write recordings of a simulated machine or plant.

    \b
    Example:
      wearcast simulate bearing --out data --name Bearing1_9
      wearcast simulate flow --out data --name plant
      wearcast simulate rotor --out data --unit A
      wearcast simulate gear --out data --name rig
    """


command.add_command(rotor)
command.add_command(gear)


@command.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="DIR",
    help="Write DIR/NAME/acc_00001.csv and so on.",
)  # fmt: skip
@click.option(
    "--name",
    default="Bearing1_9",
    show_default=True,
    callback=options.check_name,
    help="Name of the bearing.",
)
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


@command.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="DIR",
    help="Write DIR/NAME.csv and DIR/NAME.labels.csv.",
)  # fmt: skip
@click.option(
    "--name",
    default="plant",
    show_default=True,
    callback=options.check_name,
    help="Name of the plant.",
)
@click.option(
    "--start", default=Plant.start, show_default=True, metavar="TIME",
    help="The first stamp, ISO 8601.",
)  # fmt: skip
@click.option(
    "--days", type=click.IntRange(1, 36_525), default=Plant.days, show_default=True,
    help="Length; the stamp that ends the last day is written too.",
)  # fmt: skip
@click.option(
    "--leaks-per-year", type=click.FloatRange(0, 1000), metavar="N",
    help=f"How many leaks a year; without it {Rates.leaks:g}, or none with --clean.",
)  # fmt: skip
@click.option("--clean", is_flag=True, help="No faults of sensors or log.")
@click.option("--seed", type=click.IntRange(min=0), default=Plant.seed, show_default=True)
@options.as_json
def flow(
    *,
    out: Path,
    name: str,
    start: str,
    days: int,
    leaks_per_year: float | None,
    clean: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Write a water district's flow (m3/h) and pressure (bar), one row a minute.

    \b
    Example:
      wearcast simulate flow --out data --name plant --days 366 --seed 1

    NAME.csv has what a logger would write: noise, leaks, stuck and failing sensors, gaps, stamps
    that stand twice or late, words for numbers. NAME.labels.csv says which of it happened when.

    The plant is simulated: its files are for trying things out, and prove nothing about real
    plants. The same seed writes the same files.
    """
    rates = NO_FAULTS if clean else Rates()
    if leaks_per_year is not None:
        rates = replace(rates, leaks=leaks_per_year)
    path = out / f"{name}.csv"
    for file in (path, name_labels(path)):
        if file.exists():
            raise InputError("name", "a plant that is not there yet", file)
    simulated = simulate_plant(Plant(start=start, days=days, seed=seed, rates=rates))
    out.mkdir(parents=True, exist_ok=True)
    lines = write_plant(path, simulated)
    events = Counter(label.kind for label in simulated.labels)
    if as_json:
        facts = {"file": str(path), "labels": str(name_labels(path)), "lines": lines}
        click.echo(json.dumps({**facts, "days": days, "events": events, "simulated": True}))
    else:
        click.echo(f"{path}: {lines} lines of a simulated plant, {days} days")
        known = ", ".join(f"{count} {kind}" for kind, count in sorted(events.items()))
        click.echo(f"{name_labels(path)}: {known or 'nothing goes wrong'}")
