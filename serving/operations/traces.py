"""Traces: a span for each call, sent to a collector by OTLP. Needs what `wearcast[otel]` installs.

Names of attributes are those of OpenTelemetry's semantic conventions for gRPC
(https://opentelemetry.io/docs/specs/semconv/rpc/grpc/), and `wearcast.` before ours.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_BSP_EXPORT_TIMEOUT
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from wearcast.serving.operations.logs import REQUEST_ID
from wearcast.serving.operations.naming import find_code, name_call
from wearcast.serving.request import WORK, Work
from wearcast.serving.security.roles import role_of

# A client's own mistakes are no errors of the server; the conventions list these.
_ERRORS = frozenset(
    ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
)
_CONTEXT_KEYS = ("traceparent", "tracestate")
# Chosen: a server that goes away does not wait longer for a collector that is away.
_FLUSH_MS = 2000


class Traces:
    """A span for each call.

    It goes on with the trace that its metadata `traceparent` names. Probes, which need no role,
    have no spans. endpoint: http://HOST:PORT of a collector, or https://; the variables OTEL_* of
    OpenTelemetry's SDK say the rest, such as the sampler, headers and certificates.
    """

    def __init__(self, endpoint: str) -> None:
        resource = Resource.create(
            {"service.name": "wearcast", "service.version": version("wearcast")}
        )
        self._provider = TracerProvider(resource=resource.merge(OTELResourceDetector().detect()))
        self._exporter = OTLPSpanExporter(endpoint)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("wearcast.serving", version("wearcast"))
        self._propagator = TraceContextTextMapPropagator()

    def close(self) -> None:
        """Send what has not been sent; blocks, for a while at most."""
        # The SDK would go on trying for as long as one export may take.
        limit = threading.Timer(_find_flush_ms() / 1000, self._exporter.shutdown)
        limit.start()
        self._provider.shutdown()
        limit.cancel()

    @contextmanager
    def trace(self, method: str, context: Any) -> Iterator[None]:  # noqa: ANN401
        """Trace a call, which has its request id, while the block runs."""
        if role_of(method) is None:
            yield
            return
        name = "/".join(name_call(method))
        metadata = context.invocation_metadata() or ()
        carrier = {key: value for key, value in metadata if key in _CONTEXT_KEYS}
        span = self._tracer.start_span(
            name,
            self._propagator.extract(carrier),
            SpanKind.SERVER,
            {"rpc.system.name": "grpc", "rpc.method": name},
        )
        if not span.is_recording():
            yield
            return
        work = Work()
        WORK.set(work)  # of this call's own task, and of those that it begins
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            _describe(span, find_code(context, error), work)
            span.end()


def _find_flush_ms() -> int:
    """The SDK reads this variable too, and does not use it."""
    try:
        return int(os.environ[OTEL_BSP_EXPORT_TIMEOUT])
    except (KeyError, ValueError):
        return _FLUSH_MS


def _describe(span: Span, code: str, work: Work) -> None:
    span.set_attribute("rpc.response.status_code", code)
    if code in _ERRORS:
        span.set_attribute("error.type", code)
        span.set_status(StatusCode.ERROR)
    span.set_attribute("wearcast.request_id", REQUEST_ID.get())
    if work.models:
        span.set_attributes(
            {
                "wearcast.models": [f"{name}/{number}" for name, number in sorted(work.models)],
                "wearcast.rows": work.rows,
                "wearcast.batch_rows": work.batch_rows,
                "wearcast.queue_s": work.queue_ns / 1e9,
                "wearcast.compute_s": work.infer_ns / 1e9,
            }
        )
