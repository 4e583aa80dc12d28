"""Nodes of an OPC UA server, by a subscription.

A server tells changes alone, so a value that has not changed for `repeat_s` counts as read again as
long as the server answers. What changes while the connection is down is lost.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wearcast.clients.edge.readings import Batch, Reading
from wearcast.clients.edge.sources.live import LiveSource, check_channels
from wearcast.clients.edge.sources.values import Value, read_number
from wearcast.signals.errors import InputError

_TICK_S = 0.2
_WATCHDOG_S = 4.0
_QUEUE = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class OpcuaSettings(BaseModel):
    """An OPC UA server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["opcua"]
    name: str = "opcua"
    """Unique among the sources."""
    url: str = Field(pattern=r"^opc\.tcp://")
    """Such as opc.tcp://plc:4840."""
    nodes: dict[str, str] = Field(min_length=1)
    """Channel of each node id, such as ns=2;s=Pump7.Flow."""
    publish_s: float = Field(1.0, gt=0)
    """How often the server sends what has changed."""
    repeat_s: float = Field(10.0, gt=0)
    """After so long without a change a value counts as read again."""
    timeout_s: float = Field(4.0, gt=0)
    """How long the server may take to answer."""
    username: str = ""
    """Empty: anonymous."""
    password_file: Path | None = None
    """Holds the password and nothing else."""
    security: Literal["None", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"] = (
        "None"
    )
    """Policy by which messages are signed and encrypted."""
    cert: Path | None = None
    """Our certificate, .der or .pem; with a security policy."""
    key: Path | None = None
    """Our private key, .pem."""
    server_cert: Path | None = None
    """The server's certificate; not set: the one that it shows is taken."""
    application_uri: str = ""
    """As in our certificate, where the server compares them."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.security != "None") != (self.cert is not None and self.key is not None):
            raise ValueError("cert, key: expected both with a security policy, and none without")
        if self.password_file and not self.username:
            raise ValueError("username: expected one, with password_file, got none")
        return self


class OpcuaSource(LiveSource):
    """Follows nodes; a bad status makes a reading without a value, with the status as quality.

    Raises:
        InputError: a node is mapped to something that is no channel; a node id is none.
    """

    def __init__(
        self, settings: OpcuaSettings, channels: Sequence[str], now_us: Callable[[], int]
    ) -> None:
        super().__init__(settings.name)
        from asyncua import ua  # noqa: PLC0415

        field = f"sources.{self.name}.nodes"
        check_channels(field, settings.nodes.values(), channels)
        self._channels: dict[Any, str] = {}
        for text, channel in settings.nodes.items():
            try:
                self._channels[ua.NodeId.from_string(text)] = channel
            except ua.UaError as error:
                raise InputError(field, "node ids such as ns=2;s=Flow", repr(text)) from error
        self._settings = settings
        self._now_us = now_us

    def run(self, position: object, put: Callable[[Batch], None], stop: threading.Event) -> None:  # noqa: ARG002
        """See `readings.Source`; the server keeps nothing for us, so there is no position."""
        from asyncua.ua import UaError  # noqa: PLC0415

        while not stop.is_set():
            try:
                asyncio.run(self._follow(put, stop))
            except (OSError, UaError, ValueError) as error:  # a key that is none is a ValueError
                got = str(error) or type(error).__name__
                self._pause(f"url: expected a server at {self._settings.url}, got {got}", stop)

    async def _follow(self, put: Callable[[Batch], None], stop: threading.Event) -> None:
        client = await self._make_client()
        lost: list[Exception] = []

        async def note_lost(error: Exception) -> None:
            lost.append(error)

        client.connection_lost_callback = note_lost
        await client.connect()
        try:
            news = _News(self._channels, self._now_us, self._settings.repeat_s)
            await self._subscribe(client, news)
            self.caught_up = True  # nothing of the past waits in the server
            while not stop.is_set():
                await asyncio.sleep(_TICK_S)
                if lost:
                    raise ConnectionError(str(lost[0]) or "a closed connection")
                readings = news.take()
                if readings:
                    # The connection must live on while the service is behind.
                    await asyncio.to_thread(put, Batch(self.name, readings))
        finally:
            with suppress(Exception):  # what is broken can't be closed well
                await client.disconnect()

    async def _make_client(self) -> Any:  # noqa: ANN401
        from asyncua import Client  # noqa: PLC0415
        from asyncua.crypto import security_policies  # noqa: PLC0415

        settings = self._settings
        client = Client(settings.url, settings.timeout_s, watchdog_intervall=_WATCHDOG_S)
        if settings.application_uri:
            client.application_uri = settings.application_uri
        if settings.username:
            client.set_user(settings.username)
            if settings.password_file:
                client.set_password(settings.password_file.read_text().rstrip("\r\n"))
        if settings.cert and settings.key:
            policy = getattr(security_policies, f"SecurityPolicy{settings.security}")
            server = settings.server_cert and str(settings.server_cert)
            await client.set_security(
                policy, settings.cert, settings.key, server_certificate=server
            )
        return client

    async def _subscribe(self, client: Any, news: "_News") -> None:  # noqa: ANN401
        from asyncua import ua  # noqa: PLC0415

        subscription = await client.create_subscription(self._settings.publish_s * 1000, news)
        ids = [*self._channels]
        handles = await subscription.subscribe_data_change(
            [client.get_node(node) for node in ids], queuesize=_QUEUE
        )
        refused = [
            f"{node.to_string()} ({handle.name})"
            for node, handle in zip(ids, handles, strict=True)
            if isinstance(handle, ua.StatusCode)
        ]
        if refused:
            self._tell(f"nodes: expected them on the server, got {', '.join(refused)}")
        else:
            self._recover()


class _News:
    """What the server tells; asyncua calls `datachange_notification`."""

    def __init__(
        self, channels: dict[Any, str], now_us: Callable[[], int], repeat_s: float
    ) -> None:
        self._channels = channels
        self._now_us = now_us
        self._repeat_s = repeat_s
        self._readings: list[Reading] = []
        self._newest: dict[str, tuple[Value, float]] = {}

    def datachange_notification(self, node: Any, value: object, data: Any) -> None:  # noqa: ANN401
        """Keep a value for the next batch."""
        channel = self._channels[node.nodeid]
        told = data.monitored_item.Value
        status = told.StatusCode
        read: Value = (None, ()) if status.is_bad() else read_number(value)
        if not status.is_good():
            read = (read[0], (status.name,))
        stamp = told.SourceTimestamp or told.ServerTimestamp
        # The first is what has been so for long, perhaps for days.
        if stamp is None or channel not in self._newest:
            time_us = self._now_us()
        else:
            time_us = ((stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)) - _EPOCH) // _US
        self._readings.append(Reading(time_us, channel, *read))
        self._newest[channel] = read, time.monotonic()

    def take(self) -> list[Reading]:
        """What has come since the last call, and what counts as read again."""
        now_s = time.monotonic()
        for channel, (read, since_s) in self._newest.items():
            if now_s - since_s >= self._repeat_s:
                self._readings.append(Reading(self._now_us(), channel, *read))
                self._newest[channel] = read, now_s
        readings, self._readings = self._readings, []
        return readings
