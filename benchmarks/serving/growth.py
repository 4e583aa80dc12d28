"""How cost grows: from 1 to 1,000 live streams, and from 1 to 64 models, as tables and a plot.

    python benchmarks/serving/growth.py --seconds 8 --write

A real `wearcast serve` for each point, under the load of live_load.py. Streams have one bundled
model; models are small ones of one kind, with as many streams whatever their number.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from growth_plot import draw_growth
from live_load import Figure, measure
from lstm_model import SMALL_HIDDEN, write_small_models
from throughput import describe_machine

from wearcast.serving.models import BUNDLED

RESULTS = Path(__file__).parents[1] / "results" / "growth.md"
PICTURE = RESULTS.with_suffix(".png")
MODEL = "flow-outlier"
STREAMS = (1, 3, 10, 30, 100, 300, 1000)
COUNTS = (1, 2, 4, 8, 16, 32, 64)
# Chosen: one for each of the largest number of models.
STREAMS_OF_ALL = 64


def measure_streams(streams: int, seconds: int) -> Figure:
    """One bundled model, a number of streams."""
    with tempfile.TemporaryDirectory() as name:
        models_dir = Path(name) / "models"
        shutil.copytree(BUNDLED / MODEL, models_dir / MODEL)
        return measure(Path(name), models_dir, [MODEL], streams, seconds)


def measure_models(count: int, seconds: int) -> Figure:
    """A number of small models, the same streams spread evenly over them."""
    with tempfile.TemporaryDirectory() as name:
        models_dir = Path(name) / "models"
        models = write_small_models(models_dir, count)
        return measure(Path(name), models_dir, models, STREAMS_OF_ALL, seconds)


def make_table(what: str, figures: Sequence[Figure], count: Callable[[Figure], int]) -> list[str]:
    """A line a figure."""
    lines = [
        f"| {what} | samples | answered | CPU us each | cores | p50 ms | p99 ms | MB | start s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {count(item):,} | {item.samples:,} | {item.answered:,} | {item.cpu_us:,.0f} "
        f"| {item.server_cpu:.3f} | {item.p50_ms:.1f} | {item.p99_ms:.1f} | {item.after_mb:.0f} "
        f"| {item.ready_s:.1f} |"
        for item in figures
    ]
    return lines


def tell_each(figures: Sequence[Figure], count: Callable[[Figure], int]) -> tuple[float, ...]:
    """What one more costs, between the first and the last: cores, MB, seconds to start."""
    first, last = figures[0], figures[-1]
    more = max(count(last) - count(first), 1)
    return (
        (last.server_cpu - first.server_cpu) / more,
        (last.after_mb - first.after_mb) / more,
        (last.ready_s - first.ready_s) / more,
    )


def make_report(
    machine: str, by_streams: Sequence[Figure], by_models: Sequence[Figure], seconds: int
) -> str:
    """Both tables and what one more costs, as Markdown."""
    cores, stream_mb, _ = tell_each(by_streams, count_streams)
    _, model_mb, start_s = tell_each(by_models, count_models)
    return "\n".join(
        [
            "# How cost grows: streams and models",
            "",
            f"{machine}.",
            "",
            f"Live streams of one sample a second each, for {seconds} s, from sample to answer; a",
            "server of its own for each line, on the same cores as the client. CPU is that of the",
            "server, for each answer and in cores, with what it takes when it has nothing to do.",
            "Where few samples came, p99 is the latest of them. Memory is that of the whole server",
            "with its streams. Start: until it answers, with all models checked and measured.",
            "",
            f"![Cost over streams and over models]({PICTURE.name})",
            "",
            "## Streams",
            "",
            f"The bundled model {MODEL}.",
            "",
            *make_table("streams", by_streams, count_streams),
            "",
            f"One stream more, between the first and the last line: {cores * 1e6:,.0f} us of CPU a",
            f"second, {stream_mb * 1e3:,.0f} kB.",
            "",
            "## Models",
            "",
            f"LSTM(4 -> {SMALL_HIDDEN}, 2 layers, window 60, 1 output), each at six batch sizes;",
            f"{STREAMS_OF_ALL} streams, spread evenly over them.",
            "",
            *make_table("models", by_models, count_models),
            "",
            f"One model more, between the first and the last line: {model_mb:.1f} MB, and",
            f"{start_s:.2f} s until the server answers.",
            "",
            "Made by `make bench-serving`.",
            "",
        ]
    )


def count_streams(figure: Figure) -> int:
    """What the first table is over."""
    return figure.streams


def count_models(figure: Figure) -> int:
    """What the second table is over."""
    return figure.models


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--streams", type=int, nargs="+", default=STREAMS)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="of models")
    parser.add_argument("--seconds", type=int, default=8)
    text = f"write {RESULTS.name} and {PICTURE.name}"
    parser.add_argument("--write", action="store_true", help=text)
    options = parser.parse_args()
    machine = describe_machine()
    by_streams = [measure_streams(streams, options.seconds) for streams in sorted(options.streams)]
    by_models = [measure_models(count, options.seconds) for count in sorted(options.counts)]
    report = make_report(machine, by_streams, by_models, options.seconds)
    print(report)
    if options.write:
        RESULTS.write_text(report)
        draw_growth(PICTURE, by_streams, by_models)


if __name__ == "__main__":
    main()
