"""Times `wearcast predict --local` on one bearing: reading alone, inference alone, and the whole.

    python benchmarks/predict_local.py --runs 5 --write

Each measurement is a process of its own, and the three take turns, so that whatever else the
machine does falls on all alike. Reading and inference are timed inside their process, without its
start; the whole is timed from outside, start included. CPU time and peak memory are the whole
process's.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from wearcast.clients.local import predict_local
from wearcast.serving.models import BUNDLED, open_model
from wearcast.signals.femto import iterate_bearing, list_snapshots, read_bearing

ROOT = Path(__file__).parents[1]
ARCHIVES = ROOT / ".." / "shared" / "data" / "femto" / "Learning_set"
RESULTS = ROOT / "benchmarks" / "results" / "predict_local.md"
PARTS = ("reading", "inference", "whole")
# What was asked for of Bearing1_1 on two cores.
BAR_S, BAR_MB = 8.0, 600.0


@dataclass(frozen=True)
class Run:
    """One measurement."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def read_alone(folder: Path) -> float:
    """Seconds to read all blocks, letting go of each."""
    began_s = time.perf_counter()
    for _ in iterate_bearing(folder):
        pass
    return time.perf_counter() - began_s


def infer_alone(folder: Path, models: Path, model: str) -> float:
    """Seconds from blocks in memory to estimates."""
    blocks = list(read_bearing(folder).blocks())
    session = open_model(models, model)
    began_s = time.perf_counter()
    for _ in predict_local(session, blocks):
        pass
    return time.perf_counter() - began_s


def measure(part: str, folder: Path, models: Path, model: str) -> Run:
    """Run one part in a process of its own."""
    with tempfile.TemporaryDirectory() as out:
        if part == "whole":
            program = str(Path(sys.executable).with_name("wearcast"))
            command = [program, "predict", str(folder), "--model", model]
            command += ["--local", str(models), "--out", out]
        else:
            command = [sys.executable, __file__, "--part", part, "--data", str(folder)]
            command += ["--models", str(models), "--model", model]
        began_s = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            printed = process.stdout.read() if process.stdout else ""
            _, status, usage = os.wait4(process.pid, 0)
            wall_s = time.perf_counter() - began_s
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{part}: exit code {process.returncode}: {' '.join(command)}")
    if part != "whole":
        wall_s = json.loads(printed)
    # Linux counts in KiB, macOS in bytes.
    peak_mb = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return Run(wall_s, usage.ru_utime + usage.ru_stime, peak_mb)


def describe_machine() -> str:
    """Processor, cores and versions in one line."""
    cpuinfo = Path("/proc/cpuinfo")
    names = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in names if line.startswith("model name")]
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "onnxruntime", "wearcast"))
    processor = models[0] if models else platform.machine()
    return f"{processor}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}"


def make_report(title: str, runs: dict[str, list[Run]]) -> str:
    """A table of medians, with the range of the wall time."""
    lines = [
        f"# {title}",
        "",
        describe_machine() + ".",
        "",
        "| part | wall s, median (range) | CPU s, median | peak MB, median |",
        "|---|---|---|---|",
    ]
    for part, measured in runs.items():
        walls = [run.wall_s for run in measured]
        cpu_s = statistics.median(run.cpu_s for run in measured)
        peak_mb = statistics.median(run.peak_mb for run in measured)
        median_s = statistics.median(walls)
        spread = f"{median_s:.2f} ({min(walls):.2f} to {max(walls):.2f})"
        lines.append(f"| {part} | {spread} | {cpu_s:.2f} | {peak_mb:.0f} |")
    lines += [
        "",
        f"{len(runs['whole'])} runs of each, in turns. Reading and inference are timed without the",
        "start of their process, the whole with it; CPU and memory are those of whole processes.",
        f"Asked for on Bearing1_1: the whole under {BAR_S:g} s and {BAR_MB:g} MB.",
        "",
        "Made by `python benchmarks/predict_local.py --write`.",
    ]
    return "\n".join(lines) + "\n"


def unpack(folder: Path) -> Path:
    """Bearing1_1 from its archive."""
    archive = ARCHIVES / "Bearing1_1.tar.xz"
    if not archive.exists():
        sys.exit(f"data: expected --data FOLDER or {archive.name} in ../shared/data, got neither")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "Learning_set" / "Bearing1_1"


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="bearing folder; default: Bearing1_1's archive")
    parser.add_argument("--models", type=Path, default=BUNDLED, help="MODELS_DIR")
    parser.add_argument("--model", default="bearing-rul")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    parser.add_argument("--part", choices=PARTS[:2], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "reading":
        print(json.dumps(read_alone(options.data)))
    elif options.part == "inference":
        print(json.dumps(infer_alone(options.data, options.models, options.model)))
    else:
        with tempfile.TemporaryDirectory() as unpacked:
            folder = (options.data or unpack(Path(unpacked))).resolve()
            files = len(list_snapshots(folder))
            runs: dict[str, list[Run]] = {part: [] for part in PARTS}
            for _ in range(options.runs):
                for part in PARTS:
                    runs[part].append(measure(part, folder, options.models, options.model))
        title = f"`wearcast predict --local`, {folder.name}, {files} snapshots, {options.model}"
        report = make_report(title, runs)
        print(report)
        if options.write:
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(report)


if __name__ == "__main__":
    main()
