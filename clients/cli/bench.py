"""`wearcast bench`: how fast this machine is, or a server."""

import importlib.util
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import click
import msgspec

from wearcast.clients.cli.bench_serve import serve
from wearcast.clients.edge.store.bench import BATCH, COLUMNS, Cost, Part, measure_part
from wearcast.signals.errors import StoreError

# The system that this replaces, on another machine.
BEFORE_ROWS_PER_S = 2_038
# Asked for, on two cores.
BAR_ROWS_PER_S = 200_000


@click.group()
def command() -> None:
    """Measure how fast this machine is, or a server.

    \b
    Example:
      wearcast bench stores
      wearcast bench serve --model bearing-rul --callers 8
    """


command.add_command(serve)


@command.command()
@click.option(
    "--rows", type=click.IntRange(min=1), default=200_000, show_default=True, help="Rows to keep."
)
@click.option(
    "--repeat", type=click.IntRange(min=1), default=10, show_default=True, help="Runs of each."
)
@click.option(
    "--dir", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR", help="Where to write; without it where temporary files go.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.md",
    help="Write the report there too.",
)  # fmt: skip
@click.option("--part", type=click.Choice([str(part) for part in Part]), hidden=True)
def stores(rows: int, repeat: int, folder: Path | None, out: Path | None, part: str | None) -> None:
    """Measure how fast rows of a plant are kept and read, in SQLite, CSV files and Parquet.

    \b
    Example:
      wearcast bench stores --repeat 3
    """
    if part is not None:  # one measurement, in this process
        with tempfile.TemporaryDirectory(dir=folder) as place:
            cost = measure_part(Part(part), rows, Path(place))
        click.echo(msgspec.json.encode(cost))
        return
    machine = _describe_machine()
    skipped = [] if importlib.util.find_spec("pyarrow") else [Part.PARQUET]
    costs: dict[Part, list[Cost]] = {each: [] for each in Part if each not in skipped}
    for _ in range(repeat):
        for each, those in costs.items():  # in turns: what else runs here falls on all alike
            those.append(_measure(each, rows, folder))
    report = make_report(machine, rows, costs)
    click.echo(report, nl=False)
    if out is not None:
        out.write_text(report)


def make_report(machine: str, rows: int, costs: dict[Part, list[Cost]]) -> str:
    """A table of means, as Markdown."""
    lines = [
        f"# Keeping a plant's table: {rows:,} rows x {len(COLUMNS.names)} columns",
        "",
        f"{machine}.",
        "",
        "| kept in | rows | rows/s, mean (range) | write s | read s | peak MB | MB on disk |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_make_line(part, those) for part, those in costs.items()]
    if Part.PARQUET not in costs:
        lines.append(f"| {Part.PARQUET} | not measured: pyarrow is not installed | | | | | |")
    repeat = len(costs[Part.SQLITE])
    kept = costs[Part.SQLITE]
    rate = statistics.mean(cost.rows / cost.write_s for cost in kept)
    lines += [
        "",
        f"Means of N={repeat}, each in a process of its own, in turns; peak memory is that of the",
        f"whole process. Rows are written {BATCH:,} at a time, each batch flushed to disk before",
        "the next; with a commit a row, as the service writes live, each row is. CSV files, one",
        "a day, are flushed one by one. Parquet is one file, flushed once at its end. Rows are",
        "read a day at a time, Parquet in its own parts, as the same objects.",
        "",
        f"SQLite takes {rate:,.0f} rows/s, {rate / BEFORE_ROWS_PER_S:.0f} times as many as the",
        f"{BEFORE_ROWS_PER_S:,} rows/s of the system that it replaces, on another machine.",
        f"Asked for: over {BAR_ROWS_PER_S:,} on two cores.",
        "",
        "Made by `wearcast bench stores`.",
    ]
    return "\n".join(lines) + "\n"


def _make_line(part: Part, costs: Sequence[Cost]) -> str:
    def mean(find: Callable[[Cost], float]) -> float:
        return statistics.mean(map(find, costs))

    rates = [cost.rows / cost.write_s for cost in costs]
    rate = f"{statistics.mean(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
    write_s, read_s = mean(lambda cost: cost.write_s), mean(lambda cost: cost.read_s)
    peak_mb, size_mb = mean(lambda cost: cost.peak_mb), mean(lambda cost: cost.size_bytes / 1e6)
    cells = [f"{costs[0].rows:,}", rate, f"{write_s:.3f}", f"{read_s:.3f}"]
    return f"| {part} | {' | '.join(cells)} | {peak_mb:.0f} | {size_mb:.1f} |"


def _measure(part: Part, rows: int, folder: Path | None) -> Cost:
    """Run one part in a process of its own."""
    program = "from wearcast.clients.cli.bench import command; command()"
    arguments = ["stores", "--part", str(part), "--rows", str(rows)]
    if folder is not None:
        arguments += ["--dir", str(folder)]
    done = subprocess.run(  # noqa: S603 - this program
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        text = f"store: expected {part} to be measured, got {done.stderr.strip()}"
        raise StoreError(text)
    return msgspec.json.decode(done.stdout, type=Cost)


def _describe_machine() -> str:
    """Processor, cores, load and versions in one line."""
    cpuinfo = Path("/proc/cpuinfo")
    names = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in names if line.startswith("model name")]
    processor = models[0] if models else platform.machine()
    packages = ["pyarrow", "wearcast"] if importlib.util.find_spec("pyarrow") else ["wearcast"]
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{processor}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {versions}"
    )
