"""Traces of a real server at a real receiver of OTLP, which reads the protocol's own messages."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from infer_requests import raw
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from running import running_server
from tiny import wearing_block
from tiny_slow import window_of
from waiting import LONG_S, wait_until
from wire import OpenStream, failure

from wearcast.inference import open_inference_pb2 as inference
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = (("traceparent", f"00-{TRACE}-{PARENT}-01"), ("x-request-id", "order 7"))
NOT_SAMPLED = (("traceparent", f"00-{TRACE}-{PARENT}-00"),)
INFER = "inference.GRPCInferenceService/ModelInfer"


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.resources: list[dict[str, Any]] = []
        self.spans: list[Span] = []

    def Export(self, request, context):  # noqa: N802, ARG002
        for part in request.resource_spans:
            self.resources.append(attributes_of(part.resource))
            self.spans += [span for scope in part.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    def __enter__(self) -> Self:
        self._server = grpc.server(ThreadPoolExecutor(1))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self.url = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._server.stop(None).wait()

    def take(self, count: int) -> list[Span]:
        """Wait for spans, in the order in which their calls began."""
        wait_until(lambda: len(self.spans) >= count)
        spans, self.spans = sorted(self.spans, key=lambda span: span.start_time_unix_nano), []
        return spans


def attributes_of(message: Any) -> dict[str, Any]:
    def value_of(value: Any) -> Any:
        kind = value.WhichOneof("value")
        if kind == "array_value":
            return [value_of(item) for item in value.array_value.values]
        return getattr(value, kind)

    return {item.key: value_of(item.value) for item in message.attributes}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    with Collector() as collector:
        yield collector


@pytest.fixture
def server(tiny_models, collector):
    with running_server(tiny_models, "--traces-endpoint", collector.url) as server:
        yield server


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server.address) as channel:
        yield channel


def infer(channel, metadata=(), *, model="tiny", rows=1, **parameters):
    request = raw(model, blocks=window_of(0.5).repeat(rows, axis=0))
    for name, value in parameters.items():
        request.parameters[name].uint64_param = value
    return GRPCInferenceServiceStub(channel).ModelInfer(request, metadata=metadata, timeout=LONG_S)


def test_a_call_goes_on_with_its_clients_trace(channel, collector):
    infer(channel, SAMPLED, rows=6)
    (span,) = collector.take(1)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert (span.name, span.kind) == (INFER, Span.SPAN_KIND_SERVER)
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert span.end_time_unix_nano - span.start_time_unix_nano > 0
    attributes = attributes_of(span)
    took_s = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
    assert 0 < attributes.pop("wearcast.queue_s") < took_s
    assert attributes.pop("wearcast.compute_s") > 0
    assert attributes.pop("wearcast.batch_rows") in {1, 2, 4}  # as the policy was measured
    assert attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": INFER,
        "rpc.response.status_code": "OK",
        "wearcast.request_id": "order 7",
        "wearcast.models": ["tiny/1"],
        "wearcast.rows": 6,
    }
    (resource,) = collector.resources
    assert resource["service.name"] == "wearcast"


def test_a_call_without_a_trace_begins_one_and_one_that_is_not_sampled_has_none(channel, collector):
    infer(channel, NOT_SAMPLED)
    infer(channel, (("traceparent", "nonsense"),))
    (span,) = collector.take(1)
    assert span.trace_id.hex() not in {TRACE, ""}
    assert span.parent_span_id == b""


def test_a_stream_has_one_span_with_all_that_it_was_answered(channel, collector):
    stream = OpenStream(channel, "Predict", metadata=SAMPLED)
    stream.send(*(wearing_block(number, 9) for number in range(8)))
    stream.finish()
    request = raw("tiny", blocks=window_of(0.5))
    stub = GRPCInferenceServiceStub(channel)
    assert len(list(stub.ModelStreamInfer(iter([request] * 5), timeout=LONG_S))) == 5
    spans = collector.take(2)
    assert [(span.name, attributes_of(span)["wearcast.rows"]) for span in spans] == [
        ("wearcast.v1.MachineHealthService/Predict", 6),
        ("inference.GRPCInferenceService/ModelStreamInfer", 5),
    ]
    assert spans[0].trace_id.hex() == TRACE


def test_only_what_the_server_is_to_blame_for_is_an_error(channel, collector):
    for wrong in ({"model": "nobody"}, {"timeout": 1}):
        with pytest.raises(grpc.RpcError) as raised:
            infer(channel, **wrong)
        assert failure(raised.value).code.name in {"NOT_FOUND", "DEADLINE_EXCEEDED"}
    unknown, late = collector.take(2)
    assert attributes_of(unknown)["rpc.response.status_code"] == "NOT_FOUND"
    assert "wearcast.models" not in attributes_of(unknown)
    assert unknown.status.code == Status.STATUS_CODE_UNSET
    assert attributes_of(late)["rpc.response.status_code"] == "DEADLINE_EXCEEDED"
    assert attributes_of(late)["error.type"] == "DEADLINE_EXCEEDED"
    assert late.status.code == Status.STATUS_CODE_ERROR


def test_probes_have_no_spans_and_the_end_of_the_server_sends_what_waits(tiny_models, monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "plant")
    monkeypatch.setenv("OTEL_BSP_EXPORT_TIMEOUT", "200000")
    with Collector() as collector:
        with running_server(tiny_models, "--traces-endpoint", collector.url) as server:
            with grpc.insecure_channel(server.address) as channel:
                HealthStub(channel).Check(HealthCheckRequest())
                GRPCInferenceServiceStub(channel).ServerLive(inference.ServerLiveRequest())
                infer(channel)
            assert server.terminate() == 0
        assert [span.name for span in collector.spans] == [INFER]
        assert collector.resources[0]["service.name"] == "plant"


def test_a_collector_that_is_away_keeps_nobody_waiting(tiny_models, tmp_path):
    with Collector() as gone:
        pass
    log = tmp_path / "log"
    with running_server(tiny_models, "--traces-endpoint", gone.url, log=log) as server:
        with grpc.insecure_channel(server.address) as channel:
            infer(channel)
        assert server.terminate() == 0
    assert "Traceback" not in log.read_text()


def test_the_extra_that_is_lacking_is_named(tiny_models):
    program = (
        "import sys; sys.modules['opentelemetry'] = None; "
        "from wearcast.clients.cli.main import main; main()"
    )
    flags = ("--listen", "127.0.0.1:0", "--traces-endpoint", "http://127.0.0.1:4317")
    command = [sys.executable, "-c", program, "serve", str(tiny_models), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONG_S)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(": pip install 'wearcast[otel]'\n")


def test_nothing_of_it_is_loaded_where_it_is_off():
    program = (
        "import sys, wearcast.serving.server; "
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
