"""Follows many assets live, each with a stream and a sample a second: how late answers come.

    python benchmarks/serving/live_streams.py --streams 1 10 100 1000 --seconds 20 --write

A real `wearcast serve` with a bundled model, and with the LSTM of throughput.py, under the load of
live_load.py.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from live_load import Figure, measure
from lstm_model import NAME as LSTM
from lstm_model import find_model as find_lstm
from throughput import describe_machine

from wearcast.serving.models import BUNDLED

RESULTS = Path(__file__).parents[1] / "results" / "live_streams.md"
MODELS = ("flow-outlier", LSTM)
BAR_P99_MS, BAR_MB = 50.0, 1.0


def find_models(model: str) -> Path:
    """MODELS_DIR that has a model."""
    return find_lstm()[0] if model == LSTM else BUNDLED


def make_report(machine: str, figures: Sequence[tuple[str, Figure]], seconds: int) -> str:
    """A table, as Markdown."""
    lines = [
        "# Live streams of one sample a second each",
        "",
        f"{machine}.",
        "",
        f"Monitor streams for {seconds} s, from sample to answer; server and client on the same",
        "cores, whose time is shown in cores. Memory is what the server grew by, with the newest",
        "estimates of each asset, which it keeps. `lstm` is the LSTM of serving.md, `flow-outlier`",
        "a bundled model.",
        "",
        "| model | streams | samples | answered | p50 ms | p99 ms | worst | server | client | MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {model} | {item.streams:,} | {item.samples:,} | {item.answered:,} "
        f"| {item.p50_ms:.1f} | {item.p99_ms:.1f} | {item.worst_ms:.1f} | {item.server_cpu:.2f} "
        f"| {item.client_cpu:.2f} | {(item.after_mb - item.before_mb) / item.streams:.2f} |"
        for model, item in figures
    ]
    lines += [
        "",
        f"Asked for at 1,000 streams: p99 under {BAR_P99_MS:g} ms, under {BAR_MB:g} MB a stream.",
        "",
        "Made by `make bench-serving`.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as name:
        figures = [
            (model, measure(Path(name), find_models(model), [model], streams, options.seconds))
            for model in options.models
            for streams in options.streams
        ]
    report = make_report(machine, figures, options.seconds)
    print(report)
    if options.write:
        RESULTS.write_text(report)


if __name__ == "__main__":
    main()
