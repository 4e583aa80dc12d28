"""The server process: asyncio in front, models in a pool behind, health and reflection beside."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from wearcast.serving.central import Central
from wearcast.serving.errors import StatusInterceptor
from wearcast.serving.ingest import IngestServicer
from wearcast.serving.models import open_models
from wearcast.serving.pool import ModelKey, Pool
from wearcast.serving.servicer import Servicer
from wearcast.serving.session import Session
from wearcast.serving.settings import Settings
from wearcast.serving.store import Store
from wearcast.signals.errors import InputError
from wearcast.v1 import ingest_pb2, machine_health_pb2
from wearcast.v1.ingest_pb2_grpc import add_IngestServiceServicer_to_server
from wearcast.v1.machine_health_pb2_grpc import add_MachineHealthServiceServicer_to_server

_LOG = logging.getLogger(__name__)
SERVICE = machine_health_pb2.DESCRIPTOR.services_by_name["MachineHealthService"].full_name
INGEST_SERVICE = ingest_pb2.DESCRIPTOR.services_by_name["IngestService"].full_name

_ABOVE_LIMIT_BYTES = 2**20

Ready = Callable[[str, list[ModelKey]], None]


def run_server(settings: Settings, ready: Ready) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    `ready` is called once with the address, HOST:PORT, and what is served.

    Raises:
        ArtefactError, NotFoundError: the models can't be served.
        InputError: the store is no such file, the address is taken, a TLS file can't be read.
    """
    sessions = open_models(settings.models_dir)
    store = Store(settings.store)
    pool = Pool(sessions, workers=settings.workers, waiting=settings.waiting)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings, sessions, pool, store, ready))
    finally:
        pool.close()
        store.close()


async def _serve(
    settings: Settings,
    sessions: dict[ModelKey, Session],
    pool: Pool,
    store: Store,
    ready: Ready,
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = grpc.aio.server(
        interceptors=[StatusInterceptor(SERVICE), StatusInterceptor(INGEST_SERVICE)],
        options=_channel_options(settings),
    )
    servicer = Servicer(sessions, pool, store, max_message_bytes=settings.max_message_bytes)
    add_MachineHealthServiceServicer_to_server(servicer, server)
    ingest = IngestServicer(Central(store), max_message_bytes=settings.max_message_bytes)
    add_IngestServiceServicer_to_server(ingest, server)
    checker = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    for name in (SERVICE, INGEST_SERVICE):
        await checker.set(name, health_pb2.HealthCheckResponse.SERVING)
    names = (SERVICE, INGEST_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    address = _bind(server, settings)
    await server.start()
    _LOG.info("serving on %s", address)
    ready(address, list(sessions))
    await stop.wait()
    _LOG.info("draining, at most %g s", settings.drain_s)
    await checker.enter_graceful_shutdown()
    servicer.live.drain()
    await server.stop(settings.drain_s)
    _LOG.info("stopped")


def _bind(server: grpc.aio.Server, settings: Settings) -> str:
    """Listen on the address; give it with the port that was taken."""
    host, _ = settings.address
    try:
        if settings.tls_cert and settings.tls_key:
            pair = (settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())
            credentials = grpc.ssl_server_credentials([pair])
            port = server.add_secure_port(settings.listen, credentials)
        else:
            port = server.add_insecure_port(settings.listen)
    except OSError as error:
        expected = "readable files"
        raise InputError("tls_cert, tls_key", expected, f"{error.filename}: {error}") from error
    except RuntimeError as error:
        got = f"{settings.listen}, which is taken or not of this machine"
        if settings.tls_cert:
            got += ", or a certificate and key that don't fit"
        raise InputError("listen", "an address to listen on", got) from error
    return f"{host}:{port}"


def _channel_options(settings: Settings) -> list[tuple[str, int]]:
    return [
        # Room above our own limit, so that most of what is too large gets our own error.
        ("grpc.max_receive_message_length", settings.max_message_bytes + _ABOVE_LIMIT_BYTES),
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
