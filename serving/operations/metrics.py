"""Metrics for Prometheus, over HTTP on a port of their own."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from wearcast.signals.errors import InputError

# A scrape that the event loop has no time for is a failed one, which is an alert of its own.
_PATIENCE_S = 5.0


@asynccontextmanager
async def serving_metrics(
    listen: str, registry: CollectorRegistry, collectors: Iterable[Collector]
) -> AsyncIterator[str]:
    """Answer `GET /metrics` while the block runs; gives the address, HOST:PORT.

    collectors: asked on the event loop, beside what the registry has.

    Raises:
        InputError: the address is taken or not of this machine.
    """
    host, _, port = listen.rpartition(":")
    loop = asyncio.get_running_loop()
    # A series more for each, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    ProcessCollector(registry=registry)
    for collector in collectors:
        registry.register(_OnLoop(collector, loop))
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        got = f"{listen}: {error.strerror}"
        raise InputError("metrics_listen", "an address to listen on", got) from error
    try:
        yield f"{host}:{server.server_port}"
    finally:
        # In a thread, as a scrape may be waiting for the event loop.
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


class _OnLoop(Collector):
    """Collects where the numbers change, so that none of them does meanwhile."""

    def __init__(self, collector: Collector, loop: asyncio.AbstractEventLoop) -> None:
        self._collector = collector
        self._loop = loop

    def collect(self) -> Iterable[Metric]:
        return asyncio.run_coroutine_threadsafe(self._collect(), self._loop).result(_PATIENCE_S)

    async def _collect(self) -> list[Metric]:
        return list(self._collector.collect())
