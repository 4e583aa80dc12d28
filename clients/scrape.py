"""What a server shows of itself: one look at its metrics."""

import http.client
import time
from collections.abc import Iterator
from dataclasses import dataclass

from wearcast.signals.errors import UnreachableError

_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Sample:
    """One number and what it is about."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True)
class Scrape:
    """All numbers of one moment; at_s: monotonic time, wall_s: seconds since 1970."""

    samples: tuple[Sample, ...]
    at_s: float
    wall_s: float

    def find(self, name: str, **labels: str) -> Iterator[Sample]:
        """The samples of a name that have these labels, among others."""
        for sample in self.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                yield sample

    def total(self, name: str, **labels: str) -> float:
        """Their sum; 0 where there is none."""
        return sum(sample.value for sample in self.find(name, **labels))

    def rise(self, before: "Scrape", name: str, **labels: str) -> float:
        """How much a counter has grown since; what began anew has grown from 0."""
        now, then = self.total(name, **labels), before.total(name, **labels)
        return now - then if now >= then else now


def scrape(address: str) -> Scrape:
    """Ask a server for its metrics. address: HOST:PORT, its `metrics_listen`.

    Raises:
        UnreachableError: nobody answers there, or with something else.
    """
    from prometheus_client.parser import (  # noqa: PLC0415 - in the extra `serve`
        text_string_to_metric_families,
    )

    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        text = response.read().decode()
        families = list(text_string_to_metric_families(text))
    except (OSError, http.client.HTTPException, ValueError) as error:
        text = f"metrics {address}: {error}; is there a server with --metrics-listen?"
        raise UnreachableError(text) from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise UnreachableError(f"metrics {address}: HTTP {response.status} {response.reason}")
    samples = tuple(
        Sample(sample.name, dict(sample.labels), float(sample.value))
        for family in families
        for sample in family.samples
    )
    return Scrape(samples, time.monotonic(), time.time())
