"""Reads a real server's metrics by the library's own parser."""

from running import RunningServer

from wearcast.clients.scrape import Scrape, scrape

METRICS = ("--metrics-listen", "127.0.0.1:0")


def look(server: RunningServer) -> Scrape:
    return scrape(server.metrics)


def numbers(found: Scrape, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """The samples of a name, by the values of some labels."""
    return {
        tuple(sample.labels[label] for label in labels): sample.value for sample in found.find(name)
    }
