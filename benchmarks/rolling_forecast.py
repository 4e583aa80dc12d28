"""Times a rolling forecast of 22,032 steps, all windows in one pass, and compares it one by one.

    python benchmarks/rolling_forecast.py --write

The model is that of the system that is replaced: an LSTM of 50 and 50 for each channel, 60 minutes
in, the next minute out; fitted here to a simulated plant. Its exported graphs run in ONNX Runtime,
as served, on one thread. Preparing the windows counts too; training and export do not.
"""

import argparse
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from wearcast.export.model_folder import export_checkpoint
from wearcast.serving.session import open_session
from wearcast.signals.simulation.plant_simulation import Plant, simulate_plant
from wearcast.training.checkpoint import save_checkpoint
from wearcast.training.forecast.train import ForecastSettings, train_forecast

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "rolling_forecast.md"
TARGETS = ("flow_rate", "pressure")
STEPS = 22_032
WINDOW = 60
# What it took before, and what was asked for.
BEFORE_S, BAR_S, BAR_DIFFERENCE = 7_190.0, 7.0, 1e-5


def describe_machine() -> str:
    """Processor, cores and versions in one line."""
    cpuinfo = Path("/proc/cpuinfo")
    names = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in names if line.startswith("model name")]
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "onnxruntime", "torch"))
    processor = models[0] if models else platform.machine()
    return f"{processor}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}"


def measure(batch: int, epochs: int, runs: int) -> str:
    """Fit, export, run all windows together and one by one; the report."""
    rows = simulate_plant(Plant(days=40)).measured
    settings = ForecastSettings(
        window=WINDOW, horizons_s=(60.0,), mean_s=60.0, every_s=None, epochs=epochs
    )
    trained = train_forecast(rows, "lstm", targets=TARGETS, settings=settings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rolling.pth"
        save_checkpoint(path, trained.checkpoint)
        exported = export_checkpoint(path, "rolling", Path(folder) / "models", [1, batch])
        session = open_session(exported.folder)
        readings = rows.values[-STEPS - WINDOW : -1].astype(np.float32)
        seconds, cpu = [], []
        for _ in range(runs):
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            # (n, channels, rows) -> (n, rows, channels, 1)
            windows = sliding_window_view(readings, WINDOW, axis=0).transpose(0, 2, 1)[..., None]
            together = session.run(windows)
            seconds.append(time.perf_counter() - began_s)
            cpu.append(time.process_time() - began_cpu_s)
        began_s = time.perf_counter()
        singly = [session.run(windows[row : row + 1]) for row in range(len(windows))]
        singly_s = time.perf_counter() - began_s
    each = ", ".join(f"{item:.2f}" for item in seconds)
    gain = BEFORE_S / max(seconds)
    spread = max(float(np.ptp(answers)) for answers in together.values())
    assert spread > 0, "expected answers that differ from window to window, got one"
    lines = [
        f"# Rolling forecast of {len(windows):,} steps, both channels",
        "",
        describe_machine() + ".",
        "",
        f"| batches of {batch}: s, each of {runs} runs | CPU s | one by one, s | before, s |",
        "|---|---|---|---|",
        f"| {each} | {min(cpu):.2f} at best | {singly_s:.2f} | {BEFORE_S:,.0f} |",
        "",
        "| channel | largest difference | the same, of the channel's range |",
        "|---|---|---|",
    ]
    for place, name in enumerate(TARGETS):
        alone = np.concatenate([answer[name] for answer in singly])
        difference = float(np.abs(together[name] - alone).max())
        present = rows.values[:, place][np.isfinite(rows.values[:, place])]
        share = difference / float(np.ptp(present))
        lines.append(f"| {name} | {difference:.1e} | {share:.1e} |")
    lines += [
        "",
        f"All windows were compared. Asked for: under {BAR_S:g} s, and a difference of at most",
        f"{BAR_DIFFERENCE:g}. At worst {gain:,.0f} times faster than before; the time before is",
        "that of the old program on its own machine. One thread; the plant is simulated.",
        "",
        "Made by `python benchmarks/rolling_forecast.py --write`.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    report = measure(options.batch, options.epochs, options.runs)
    print(report)
    if options.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(report)


if __name__ == "__main__":
    main()
