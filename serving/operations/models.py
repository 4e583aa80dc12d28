"""What the engine has done, by model and version, as it counts it itself."""

from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from wearcast.serving.counts import Statistics, Took
from wearcast.serving.engine import Engine
from wearcast.serving.store import Store

_LABELS = ("model", "version")
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)


class Models(Collector):
    """Gives the engine's counts, and the store's. All of it happens on the event loop.

    A version that is loaded anew begins at 0, as Prometheus expects of what was restarted.
    """

    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine = engine
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Give what Prometheus asks for."""
        requests = CounterMetricFamily(
            "wearcast_model_requests",
            "Requests to models, by outcome.",
            labels=[*_LABELS, "outcome"],
        )
        rows = CounterMetricFamily("wearcast_model_rows", "Rows that were run.", labels=_LABELS)
        waiting = GaugeMetricFamily(
            "wearcast_model_rows_waiting", "Rows that wait for a worker.", labels=_LABELS
        )
        batch = HistogramMetricFamily(
            "wearcast_model_batch_rows", "Rows of a run, padding not counted.", labels=_LABELS
        )
        took = _summary("request", "From a request to its answer, of those that were answered.")
        queue = _summary("queue", "From a request to its first row's run.")
        compute = _summary("compute", "Runs that answered a request.")
        for served in self._engine.served():
            counts = self._engine.statistics(served.key)
            labels = [str(part) for part in served.key]
            for outcome, count in _outcomes(counts).items():
                requests.add_metric([*labels, outcome], count)
            rows.add_metric(labels, counts.rows)
            waiting.add_metric(labels, counts.waiting)
            batch.add_metric(labels, _buckets(counts), counts.rows)
            for family, of in (
                (took, counts.success),
                (queue, counts.queue),
                (compute, counts.compute_infer),
            ):
                family.add_metric(labels, of.count, of.ns / 1e9)
        yield from (requests, rows, waiting, batch, took, queue, compute)
        state = GaugeMetricFamily(
            "wearcast_model_state", "1: where a version stands.", labels=[*_LABELS, "state"]
        )
        for entry in self._engine.index():
            state.add_metric([entry.name, str(entry.version), entry.state], 1)
        yield state
        commits: Took = self._store.commits
        yield SummaryMetricFamily(
            "wearcast_store_commit_seconds",
            "Transactions of the store, each with the answers of all streams that waited.",
            commits.count,
            commits.ns / 1e9,
        )


def _summary(name: str, text: str) -> SummaryMetricFamily:
    return SummaryMetricFamily(f"wearcast_model_{name}_seconds", text, labels=_LABELS)


def _outcomes(counts: Statistics) -> dict[str, int]:
    return {
        "success": counts.success.count,
        "fail": counts.fail.count,
        "cancel": counts.cancel.count,
        "rejected": counts.rejected,
    }


def _buckets(counts: Statistics) -> list[tuple[str, float]]:
    """Runs of at most so many rows each."""
    fitting = [
        (
            f"{float(limit)}",
            float(sum(took.count for size, took in counts.batches.items() if size <= limit)),
        )
        for limit in _BATCHES
    ]
    return [*fitting, ("+Inf", float(counts.runs))]
