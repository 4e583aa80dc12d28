"""Lets an edge service follow a simulated plant for a month, and looks whether it lasts.

    python benchmarks/soak.py --days 30 --write

A real `wearcast edge` reads the plant's file, gaps and garbage included, as fast as it can, and
sends to a real `wearcast serve --store`. Meanwhile its memory and its store's size are sampled.
Afterwards nothing may be lost and nothing be there twice; see soak_checks.py. The exit code is 1
where something does not hold.
"""

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import soak_checks as checks
from soak_checks import Sample

from wearcast.signals.simulation.plant_log import write_plant
from wearcast.signals.simulation.plant_simulation import Plant, simulate_plant

RESULTS = Path(__file__).parent / "results"
WEARCAST = [sys.executable, "-m", "wearcast"]
DAY_US = 86_400_000_000
SAMPLE_S = 0.1
BAR_PER_S = 1_000


@dataclass(frozen=True)
class Soak:
    """Where all of it lies."""

    folder: Path
    table: str
    keep_days: float

    @property
    def plant(self) -> Path:
        """What the logger writes."""
        return self.folder / "plant.csv"

    @property
    def edge(self) -> Path:
        """Store of the service."""
        return self.folder / "edge.sqlite"

    @property
    def central(self) -> Path:
        """Store of the server."""
        return self.folder / "central.sqlite"

    @property
    def alerts(self) -> Path:
        """What the service tells."""
        return self.folder / "alerts.ndjson"

    @property
    def config(self) -> Path:
        """Settings of the service."""
        return self.folder / "edge.toml"

    def write_config(self, server: str) -> None:
        """Write the settings."""
        lines = [
            'asset = "plant"',
            'clock = "readings"',
            "[[sources]]",
            'type = "csv"',
            f"path = {json.dumps(str(self.plant))}",
            "follow = false",
            "[store]",
            f"path = {json.dumps(str(self.edge))}",
            f'table = "{self.table}"',
            f"keep_days = {self.keep_days:g}",
            "[alerts]",
            f"file = {json.dumps(str(self.alerts))}",
            'format = "cloudevents"',
            "[delivery]",
            'type = "grpc"',
            f'address = "{server}"',
        ]
        self.config.write_text("\n".join(lines) + "\n")

    def measure(self, process: int) -> Sample | None:
        """How the service is now; None: it has not begun, or has ended."""
        try:
            status = Path(f"/proc/{process}/status").read_text()
            with closing(sqlite3.connect(f"file:{self.edge}?mode=ro", uri=True)) as store:
                query = "SELECT value FROM state WHERE name = 'progress'"
                ((text,),) = store.execute(query).fetchall()
                query = "SELECT count(*), total(length(parcel)) FROM outbox"
                ((waiting, outbox),) = store.execute(query).fetchall()
                rows = 0
                if self.table == "sqlite":
                    ((rows,),) = store.execute("SELECT count(*) FROM kept_rows").fetchall()
            days = list(self.folder.glob("edge.csv.d/*.csv"))
            rows += sum(path.read_bytes().count(b"\n") - 1 for path in days)
            files = [*self.folder.glob("edge.sqlite*"), *days]
            size = sum(path.stat().st_size for path in files)
        except (OSError, sqlite3.Error, ValueError):  # a file may go while it is looked at
            return None
        progress = json.loads(text)
        resident = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
        if not resident or progress["origin_us"] is None:
            return None
        day = (progress["next_us"] - progress["origin_us"]) / DAY_US
        rss_mb = int(resident[0]) / 1024
        return Sample(day, rss_mb, size / 2**20, rows, waiting, outbox / 2**20)


@contextmanager
def serving(soak: Soak) -> Iterator[str]:
    """A server with a store; its address."""
    command = [*WEARCAST, "serve", "--listen", "127.0.0.1:0", "--json"]
    command += ["--store", str(soak.central)]
    with (soak.folder / "serve.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            sys.exit(f"the server did not start: {(soak.folder / 'serve.log').read_text()}")
        yield json.loads(line)["address"]
    finally:
        process.terminate()
        process.wait()


def run(soak: Soak) -> tuple[list[Sample], float, float, int]:
    """Run the service to its end; samples, seconds to the last row and in all, exit code."""
    samples: list[Sample] = []
    with (
        serving(soak) as address,
        (soak.folder / "edge.log").open("w") as log,
    ):
        soak.write_config(address)
        began_s = rows_s = time.perf_counter()
        command = [*WEARCAST, "edge", "--config", str(soak.config)]
        process = subprocess.Popen(command, stderr=log, stdout=log)
        while process.poll() is None:
            sample = soak.measure(process.pid)
            if sample is not None:
                if not samples or sample.day > samples[-1].day:
                    rows_s = time.perf_counter()
                samples.append(sample)
            time.sleep(SAMPLE_S)
        all_s = time.perf_counter() - began_s
    return samples, rows_s - began_s, all_s, process.returncode


def check(soak: Soak, samples: list[Sample]) -> list[str]:
    """All that does not hold."""
    parts = (
        checks.check_memory(samples),
        checks.check_store(samples, soak.keep_days),
        checks.check_rows(soak.plant, soak.central),
        checks.check_forecasts(soak.plant, soak.central, soak.edge),
        checks.check_alerts(soak.alerts, soak.central),
        checks.check_kept(soak.plant, soak.edge, soak.keep_days),
    )
    return [problem for part in parts for problem in part]


def describe_machine() -> str:
    """Processor, cores and versions in one line."""
    cpuinfo = Path("/proc/cpuinfo")
    names = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in names if line.startswith("model name")]
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "onnxruntime", "wearcast"))
    processor = models[0] if models else platform.machine()
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}"
    return f"{processor}, {os.cpu_count()} cores; {versions}"


def make_table(samples: list[Sample]) -> list[str]:
    """A line a day: how it was when the day had ended."""
    lines = [
        "| day | RSS MB | store MB | rows | waiting parcels | their MB |",
        "|---|---|---|---|---|---|",
    ]
    last: dict[int, Sample] = {}
    for sample in samples:
        last.setdefault(int(sample.day), sample)
    last[int(samples[-1].day)] = samples[-1]
    for day, it in last.items():
        sizes = f"{it.rss_mb:.1f} | {it.store_mb:.2f} | {it.rows}"
        lines.append(f"| {day} | {sizes} | {it.waiting} | {it.outbox_mb:.2f} |")
    return lines


def main() -> None:
    """Run, print, check, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--table", choices=("sqlite", "csv"), default="sqlite")
    parser.add_argument("--keep-days", type=float, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="for all files; default: one that is removed")
    parser.add_argument("--write", action="store_true", help="write results/soak-TABLE.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        soak = Soak((options.folder or Path(made)).resolve(), options.table, options.keep_days)
        simulated = simulate_plant(Plant(days=options.days, seed=options.seed))
        lines = write_plant(soak.plant, simulated)
        samples, rows_s, all_s, code = run(soak)
        if code or not samples:
            sys.exit(f"wearcast edge: exit code {code}: {(soak.folder / 'edge.log').read_text()}")
        problems = check(soak, samples)
        size = sum(path.stat().st_size for path in soak.folder.glob("edge.sqlite*"))
        size += sum(path.stat().st_size for path in soak.folder.glob("edge.csv.d/*"))
    minutes = options.days * 1440
    report = [
        f"# `wearcast edge` for {options.days} simulated days, table {options.table}",
        "",
        f"{describe_machine()}.",
        "",
        *make_table(samples),
        "",
        f"{lines:,} lines of the plant's file, {minutes:,} minutes. Rows were kept and judged",
        f"{minutes / rows_s:,.0f} minutes a second, and all had been sent after {all_s:.1f} s:",
        f"{minutes / all_s:,.0f} minutes a second, the start included (aim: {BAR_PER_S:,}).",
        f"History is kept {options.keep_days:g} days; afterwards the store took",
        f"{size / max(1, samples[-1].rows):.0f} bytes a row, with forecasts and alerts.",
        "",
        *(problems or ["All checks of `benchmarks/soak_checks.py` hold."]),
        "",
        f"Made by `python benchmarks/soak.py --days {options.days} --table {options.table}`.",
    ]
    print("\n".join(report))
    if options.write:
        (RESULTS / f"soak-{options.table}.md").write_text("\n".join(report) + "\n")
    if problems:
        sys.exit(1)


if __name__ == "__main__":
    main()
