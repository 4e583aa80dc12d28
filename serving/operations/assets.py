"""The newest answer about each asset that is followed live, as numbers."""

import time
from collections import OrderedDict
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from wearcast.serving.store import SeriesKey
from wearcast.signals.estimate import Answer, Estimate, FaultDiagnosis, Outlier, RemainingLife

_LABELS = ("asset", "model", "version")
_UNKNOWN = "unknown"


class Assets(Collector):
    """Remembers the newest answers about `most` series, those that were answered last.

    A series is one version of a model on one asset. All of it happens on the event loop.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._newest: OrderedDict[SeriesKey, tuple[Answer, float]] = OrderedDict()
        self._dropped = 0

    def see(self, key: SeriesKey, estimate: Estimate) -> None:
        """Have it as the newest of its series."""
        self._newest[key] = (estimate.answer, time.time())
        self._newest.move_to_end(key)
        if len(self._newest) > self._most:
            self._newest.popitem(last=False)
            self._dropped += 1

    def collect(self) -> Iterator[Metric]:
        """Give what Prometheus asks for."""
        answered = _gauge("answer_timestamp_seconds", "When the newest answer was given.")
        life = _gauge("life_fraction", "Of the newest answer; 0 new, 1 failed.")
        rul = _gauge("rul_seconds", "Median of the remaining life.")
        low = _gauge("rul_low_seconds", "Lower end of the interval around it.")
        alarm = _gauge("life_alarm", "1: the remaining life raises an alarm.")
        stage = _gauge("stage", "Highest outlier stage of any detector and channel; 0 to 4.")
        fault = _gauge("fault", "1: this is the diagnosis.", "fault")
        novelty = _gauge("novelty", "How unlike training; 1 and over: unknown.")
        for key, (answer, at_s) in self._newest.items():
            labels = [str(part) for part in key]
            answered.add_metric(labels, at_s)
            if isinstance(answer, RemainingLife):
                life.add_metric(labels, answer.life_fraction)
                rul.add_metric(labels, answer.rul_s)
                low.add_metric(labels, answer.rul_low_s)
                alarm.add_metric(labels, answer.alarm)
            elif isinstance(answer, Outlier):
                stages = [item.stage for item in answer.stages if item.stage is not None]
                if stages:
                    stage.add_metric(labels, max(stages))
            elif isinstance(answer, FaultDiagnosis):
                name = _UNKNOWN if answer.unknown else answer.diagnosis
                fault.add_metric([*labels, name], 1)
                if answer.novelty is not None:
                    novelty.add_metric(labels, answer.novelty)
        yield from (answered, life, rul, low, alarm, stage, fault, novelty)
        yield CounterMetricFamily(
            "wearcast_asset_series_dropped",
            "Series that are not shown any more, as newer ones took their place.",
            value=self._dropped,
        )


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"wearcast_asset_{name}", text, labels=(*_LABELS, *labels))
