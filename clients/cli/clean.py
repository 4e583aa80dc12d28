"""`wearcast clean`: bring a plant's file to even steps of time, and say what was changed."""

import json
import math
from pathlib import Path
from typing import Literal

import click
import msgspec

from wearcast.clients.cli import options
from wearcast.clients.cli.durations import DURATION
from wearcast.signals.cleaning import clean, fit_bounds
from wearcast.signals.cleaning.plant_file import check_suffix, read_plant_file, write_rows
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE", help="What to write: a name in .csv, .parquet or .pq.",
)  # fmt: skip
@click.option(
    "--column", "columns", multiple=True, metavar="NAME",
    help="A column to keep, once for each; without it every column of numbers.",
)  # fmt: skip
@click.option(
    "--time", metavar="NAME",
    help="The column of times; without it one of a usual name, else the first with dates.",
)  # fmt: skip
@click.option(
    "--time-zone", default="UTC", show_default=True, metavar="ZONE",
    help="Of times without an offset, such as Asia/Seoul; days begin by its clock.",
)  # fmt: skip
@click.option(
    "--step", "step_s", type=DURATION, metavar="DURATION",
    help="Time between rows, such as 10min: means, if it is longer than the file's own step. "
    "Without it the file's own.",
)  # fmt: skip
@click.option(
    "--gap-limit", type=click.IntRange(min=0), default=60, show_default=True, metavar="ROWS",
    help="The longest gap that is filled; 0: fill nothing.",
)  # fmt: skip
@click.option(
    "--duplicates", type=click.Choice(["mean", "first", "last"]), default="mean",
    show_default=True, help="Which reading counts where several rows have one time.",
)  # fmt: skip
@click.option(
    "--drop-outliers", "share", type=click.FloatRange(0, 1, min_open=True), metavar="SHARE",
    help="Set missing what lies 1.5 IQR beyond the quartiles of the first SHARE of the rows, such "
    "as 0.7.",
)  # fmt: skip
@options.as_json
def command(
    *,
    file: Path,
    out: Path,
    columns: tuple[str, ...],
    time: str | None,
    time_zone: str,
    step_s: float | None,
    gap_limit: int,
    duplicates: Literal["mean", "first", "last"],
    share: float | None,
    as_json: bool,
) -> None:
    """Bring a plant's file (CSV or Parquet) to even steps of time.

    \b
    Example:
      wearcast clean plant.csv --out clean.parquet --time-zone Asia/Seoul --step 1min

    Rows are sorted, duplicates merged, missing rows inserted, empty ends cut off. Gaps of 3 rows or
    fewer take the reading before them, longer ones a line, and those over --gap-limit stay empty.
    The column `quality` of the result names what was FILLED and what is MISSING.

    Prints what was changed.
    """
    check_suffix(out)
    if out.resolve() == file.resolve():
        raise InputError("out", "another file than the one that is read", out)
    if not out.parent.is_dir():
        raise InputError("out", "a file in a folder that is there", out)
    raw = read_plant_file(file, columns or None, time=time, time_zone=time_zone)
    bounds = None
    if share is not None:
        bounds = _fit(clean(raw, step_s=step_s, gap_limit=0, duplicates=duplicates).rows, share)
    cleaned = clean(raw, step_s=step_s, gap_limit=gap_limit, duplicates=duplicates, bounds=bounds)
    del raw  # a year of many columns is large
    write_rows(out, cleaned.rows, cleaned.filled)
    if as_json:
        facts = {"out": str(out), "bounds": bounds, "report": msgspec.to_builtins(cleaned.report)}
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    click.echo(cleaned.report)
    for name, (low, high) in (bounds or {}).items():
        click.echo(f"bounds of {name}: {low:g} to {high:g}")
    click.echo(f"{out}: {len(cleaned.rows):,} rows")


def _fit(rows: Rows, share: float) -> dict[str, tuple[float, float]]:
    """Bounds by the first share of the rows, of the channels that have any."""
    bounds = fit_bounds(rows.values[: max(1, round(len(rows) * share))])
    return {
        name: (low, high)
        for name, (low, high) in zip(rows.channels, bounds, strict=True)
        if math.isfinite(high - low)
    }
