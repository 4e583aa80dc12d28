"""The server process: asyncio in front, the engine behind, health and reflection beside."""

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from prometheus_client import CollectorRegistry

from wearcast.inference import open_inference_pb2
from wearcast.inference.open_inference_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from wearcast.serving.central import Central
from wearcast.serving.engine import Engine, ModelKey
from wearcast.serving.handlers import Handlers, Trace
from wearcast.serving.ingest import IngestServicer
from wearcast.serving.open_inference.servicer import OpenInferenceServicer
from wearcast.serving.operations.assets import Assets
from wearcast.serving.operations.calls import Calls
from wearcast.serving.operations.metrics import serving_metrics
from wearcast.serving.operations.models import Models
from wearcast.serving.scheduling import interrupting_nobody
from wearcast.serving.security.audit import Audit
from wearcast.serving.security.gate import Gate
from wearcast.serving.security.tls import make_credentials
from wearcast.serving.security.tokens import watch_tokens
from wearcast.serving.servicer import Servicer
from wearcast.serving.settings import Settings
from wearcast.serving.store import Store
from wearcast.signals.errors import InputError
from wearcast.signals.owner import owned
from wearcast.v1 import ingest_pb2, machine_health_pb2
from wearcast.v1.ingest_pb2_grpc import add_IngestServiceServicer_to_server
from wearcast.v1.machine_health_pb2_grpc import add_MachineHealthServiceServicer_to_server

_LOG = logging.getLogger(__name__)
SERVICE = machine_health_pb2.DESCRIPTOR.services_by_name["MachineHealthService"].full_name
INGEST_SERVICE = ingest_pb2.DESCRIPTOR.services_by_name["IngestService"].full_name
OPEN_SERVICE = open_inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
SERVICES = (SERVICE, INGEST_SERVICE, OPEN_SERVICE)

_ABOVE_LIMIT_BYTES = 2**20
_SHORT_CALLS = 128
# Chosen: no client needs so long to greet; gRPC itself would wait 2 minutes.
_HANDSHAKE_MS = 20_000
# Chosen: enough for calls that are on their way, and nobody notices it. In steps, as a machine that
# stands still for so long would hear nothing in one.
_HEARD_S = 0.2
_HEARD_STEPS = 10

# Chosen: objects of some hundred calls.
_COLLECT_AFTER = 10_000

Ready = Callable[[str, list[ModelKey], str | None], None]


def run_server(settings: Settings, ready: Ready) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    `ready` is called once with the address, HOST:PORT, what is served, and the metrics' address if
    there are any.

    Raises:
        ArtefactError, NotFoundError: the models can't be served.
        InputError: the store is no such file or another server's, the address is taken, a file of
            TLS or tokens can't be used.
        StoreError: the store's folder can't be written.
    """
    keep = nullcontext() if settings.store is None else owned(settings.store, "store")
    with keep, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, ready))


async def _serve(settings: Settings, ready: Ready) -> None:
    engine = Engine(
        settings.models_dir,
        workers=settings.workers,
        waiting=settings.waiting,
        watch_s=settings.watch_s,
    )
    async with _tracing(settings) as trace, engine:
        store = Store(settings.store)
        try:
            await _answer(settings, engine, store, trace, ready)
        finally:
            store.close()


@asynccontextmanager
async def _tracing(settings: Settings) -> AsyncIterator[Trace | None]:
    """What traces a call; None unless the settings say where to."""
    if settings.traces_endpoint is None:
        yield None
        return
    from wearcast.serving.operations.traces import Traces  # noqa: PLC0415 - needs wearcast[otel]

    traces = Traces(settings.traces_endpoint)
    try:
        yield traces.trace
    finally:
        await asyncio.to_thread(traces.close)


async def _answer(
    settings: Settings, engine: Engine, store: Store, trace: Trace | None, ready: Ready
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    registry = CollectorRegistry()
    audit = Audit()
    gate = _make_gate(settings, audit)
    handlers = Handlers(Calls(registry, log=settings.log_calls), trace, gate, SERVICES)
    with interrupting_nobody():
        server = grpc.aio.server(handlers=[handlers], options=_channel_options(settings))
    assets = Assets(settings.metrics_assets)
    servicer = Servicer(engine, store, assets, max_message_bytes=settings.max_message_bytes)
    add_MachineHealthServiceServicer_to_server(servicer, handlers)
    ingest = IngestServicer(Central(store), max_message_bytes=settings.max_message_bytes)
    add_IngestServiceServicer_to_server(ingest, handlers)
    open_inference = OpenInferenceServicer(engine, max_message_bytes=settings.max_message_bytes)
    add_GRPCInferenceServiceServicer_to_server(open_inference, handlers)
    checker = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checker, handlers)
    for name in SERVICES:
        await checker.set(name, health_pb2.HealthCheckResponse.SERVING)
    if settings.reflection:
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflector = reflection.aio.ReflectionServicer(names)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflector, handlers)
    address = _bind(server, settings)
    async with AsyncExitStack() as stack:
        metrics = None
        if settings.metrics_listen is not None:
            shown = (Models(engine, store), assets)
            serving = serving_metrics(settings.metrics_listen, registry, shown)
            metrics = await stack.enter_async_context(serving)
            _LOG.info("metrics on http://%s/metrics", metrics)
        _spare_collector()
        await server.start()
        _LOG.info("serving on %s", address)
        ready(address, [served.key for served in engine.served()], metrics)
        await stop.wait()
        _LOG.info("draining, at most %g s", settings.drain_s)
        await checker.enter_graceful_shutdown()
        gate.drain()
        servicer.live.drain()
        open_inference.streams.drain()
        # gRPC cancels calls that it has but has not handed over yet; here they are heard before.
        heard_s = min(_HEARD_S, settings.drain_s)
        for _ in range(_HEARD_STEPS):
            await asyncio.sleep(heard_s / _HEARD_STEPS)
        await server.stop(settings.drain_s - heard_s)
        audit.close()
        _LOG.info("stopped")


def _spare_collector() -> None:
    """Let the garbage collector pass over what is here to stay, and look less often.

    By its defaults it looks every few calls, and would take a tenth of the time of a small one.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def _make_gate(settings: Settings, audit: Audit) -> Gate:
    return Gate(
        None if settings.tokens is None else watch_tokens(settings.tokens),
        audit,
        max_streams=settings.max_streams,
        max_streams_per_connection=settings.max_streams_per_connection,
    )


def _bind(server: grpc.aio.Server, settings: Settings) -> str:
    """Listen on the address; give it with the port that was taken."""
    host, _ = settings.address
    credentials = None
    if settings.tls_cert and settings.tls_key:
        pair = (settings.tls_cert, settings.tls_key)
        credentials = make_credentials(*pair, settings.tls_client_ca)
    try:
        if credentials is None:
            port = server.add_insecure_port(settings.listen)
        else:
            port = server.add_secure_port(settings.listen, credentials)
    except RuntimeError as error:
        got = f"{settings.listen}, which is taken or not of this machine"
        raise InputError("listen", "an address to listen on", got) from error
    return f"{host}:{port}"


def _channel_options(settings: Settings) -> list[tuple[str, int]]:
    return [
        # Room above our own limit, so that most of what is too large gets our own error.
        ("grpc.max_receive_message_length", settings.max_message_bytes + _ABOVE_LIMIT_BYTES),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        # A peer that connects and says nothing gives its place back.
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
        # Streams above their limit hear of it from us; here too much of all kinds has to wait.
        ("grpc.max_concurrent_streams", settings.max_streams_per_connection + _SHORT_CALLS),
        # Two servers on one port would each get half of the streams.
        ("grpc.so_reuseport", 0),
        # A peer that vanished is noticed within 80 s, also on a stream that is silent for long.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ]


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    with contextlib.suppress(ImportError):  # there is none for Windows
        import uvloop  # noqa: PLC0415

        factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
        return factory
    return asyncio.new_event_loop
