"""Every call of every service: its request id, how it ended, how long it took."""

import logging
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from wearcast.serving.operations.logs import REQUEST_ID, REQUEST_ID_KEY
from wearcast.serving.operations.naming import find_code, name_call

_LOG = logging.getLogger(__name__)
_LONGEST_ID = 128
# Chosen: from a batch of one of a small model to a call that waited in a full queue.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_IS_TOLD: ContextVar[bool] = ContextVar("is_told", default=False)


class Calls:
    """Counts calls, those that are refused too, and how long they take.

    A call has the request id that its metadata names (`x-request-id`), else a new one. Its trailing
    metadata says which if it named one, is a stream or fails, or if there is a line in the log.
    log: write a line for each call that ends.
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

    def count_unknown(self, method: str) -> None:
        """A call of a method that is not there."""
        self._ended(*name_call(method), "UNIMPLEMENTED").inc()

    def begin(self, metadata: Iterable[tuple[str, str | bytes]]) -> None:
        """A call has come: from here on the log has its request id."""
        # Both of this call's own task.
        given = next((value for key, value in metadata if key == REQUEST_ID_KEY), None)
        is_good = isinstance(given, str) and 0 < len(given) <= _LONGEST_ID
        REQUEST_ID.set(str(given) if is_good else secrets.token_hex(8))
        _IS_TOLD.set(self._log or given is not None)

    @contextmanager
    def follow(self, method: str, context: Any, *, is_stream: bool = False) -> Iterator[None]:  # noqa: ANN401
        """Follow a call, which has begun, while the block runs."""
        labels = name_call(method)
        if is_stream or _IS_TOLD.get():  # it costs as much as a tenth of a small call
            context.set_trailing_metadata(((REQUEST_ID_KEY, REQUEST_ID.get()),))
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
                path = "/".join(labels)
                fields = {"method": path, "code": code, "duration_s": round(took_s, 6)}
                _LOG.info("%s ended with %s", path, code, extra=fields)
