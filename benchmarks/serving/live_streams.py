"""Follows many assets live, each with a stream and a sample a second: how late answers come.

    python benchmarks/serving/live_streams.py --streams 1 10 100 1000 --seconds 20 --write

A real `wearcast serve` with a bundled model, and with the LSTM of throughput.py, under the load of
live_load.py.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

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


def make_row(model: str, rounds: Sequence[Figure]) -> str:
    """A line of the table: medians, and the range of the p99."""
    first, p99s = rounds[0], [item.p99_ms for item in rounds]
    grown = [(item.after_mb - item.before_mb) / item.streams for item in rounds]
    cells = [
        model,
        f"{first.streams:,}",
        f"{sum(item.samples for item in rounds):,}",
        f"{sum(item.answered for item in rounds):,}",
        f"{median(item.p50_ms for item in rounds):.1f}",
        f"{median(p99s):.1f} ({min(p99s):.1f} to {max(p99s):.1f})",
        f"{max(item.worst_ms for item in rounds):.1f}",
        f"{median(item.server_cpu for item in rounds):.2f}",
        f"{median(item.client_cpu for item in rounds):.2f}",
        f"{median(grown):.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def make_report(machine: str, rows: Sequence[str], seconds: int, rounds: int) -> str:
    """A table, as Markdown."""
    lines = [
        "# Live streams of one sample a second each",
        "",
        f"{machine}.",
        "",
        f"Monitor streams for {seconds} s, from sample to answer, {rounds} rounds in turns: the",
        "samples, answers and worst of all, else medians (ranges). Server and client are on the",
        "same cores, whose time is shown in cores. Memory is what the server grew by, with the",
        "newest estimates of each asset, which it keeps. `lstm` is the LSTM of serving.md,",
        "`flow-outlier` a bundled model.",
        "",
        "| model | streams | samples | answered | p50 ms | p99 ms | worst | server | client | MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += rows
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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as name:
        loads = [(model, count) for model in options.models for count in options.streams]
        rounds = [
            [
                measure(Path(name), find_models(model), [model], count, options.seconds)
                for model, count in loads
            ]
            for _ in range(options.rounds)
        ]
    rows = [make_row(model, its) for (model, _), *its in zip(loads, *rounds, strict=True)]
    report = make_report(machine, rows, options.seconds, options.rounds)
    print(report)
    if options.write:
        RESULTS.write_text(report)


if __name__ == "__main__":
    main()
