"""Every call of every service: its request id, how it ended, how long it took."""

import logging
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import grpc.aio
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from wearcast.serving.operations.following import find_code, follow, name_call
from wearcast.serving.operations.logs import REQUEST_ID

_LOG = logging.getLogger(__name__)
REQUEST_ID_KEY = "x-request-id"
_LONGEST_ID = 128
# Chosen: from a batch of one of a small model to a call that waited in a full queue.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Calls(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Must be the first interceptor, so that calls which are refused count too.

    A call has the request id that its metadata names (`x-request-id`), else a new one; its trailing
    metadata says which. log: write a line for each call that ends.
    """

    def __init__(self, registry: CollectorRegistry, *, log: bool) -> None:
        self._log = log
        labels = ("service", "method")
        ended = Counter(
            "wearcast_requests",
            "Calls that have ended, by the status code they ended with.",
            (*labels, "code"),
            registry=registry,
        )
        took = Histogram(
            "wearcast_request_duration_seconds",
            "From the arrival of a call to its answer; streams are not in it.",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        streams = Gauge(
            "wearcast_streams_open", "Streams that are open.", labels, registry=registry
        )
        # Finding a series by its labels costs more than counting in it.
        self._ended = cache(ended.labels)
        self._took = cache(took.labels)
        self._streams = cache(streams.labels)

    async def intercept_service(self, continuation: Any, details: Any) -> Any:  # noqa: ANN401
        """Give the method's handler, followed."""
        labels = name_call(details.method)
        handler = await continuation(details)
        if handler is None:
            self._ended(*labels, "UNIMPLEMENTED").inc()
            return None
        request_id = _find_id(details.invocation_metadata or ())
        is_stream = not handler.unary_unary
        return follow(handler, partial(self._follow, labels, request_id, is_stream=is_stream))

    @contextmanager
    def _follow(
        self,
        labels: tuple[str, str],
        request_id: str,
        context: Any,  # noqa: ANN401
        *,
        is_stream: bool,
    ) -> Iterator[None]:
        REQUEST_ID.set(request_id)  # of this call's own task
        context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
        begun_s = time.perf_counter()
        streams = self._streams(*labels) if is_stream else None
        if streams:
            streams.inc()
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            took_s = time.perf_counter() - begun_s
            code = find_code(context, error)
            self._ended(*labels, code).inc()
            if streams:
                streams.dec()
            else:
                self._took(*labels).observe(took_s)
            if self._log:
                method = "/".join(labels)
                fields = {"method": method, "code": code, "duration_s": round(took_s, 6)}
                _LOG.info("%s ended with %s", method, code, extra=fields)


def _find_id(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    for key, value in metadata:
        if key == REQUEST_ID_KEY and isinstance(value, str) and 0 < len(value) <= _LONGEST_ID:
            return value
    return secrets.token_hex(8)
