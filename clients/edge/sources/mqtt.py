"""Messages of an MQTT broker.

The broker keeps a session under our client_id: what is published while we are away waits there. A
message is acknowledged once its readings are stored, so what a crash leaves unstored is sent again.
The messages come in order and are acknowledged in order; an acknowledgement is of the connection
that brought the message, and lost with it.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wearcast.clients.edge.readings import Batch, Reading
from wearcast.clients.edge.sources.live import LiveSource, check_channels
from wearcast.clients.edge.sources.mqtt_link import Link
from wearcast.clients.edge.sources.mqtt_topics import TopicReader, TopicSettings

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

_KEEPALIVE_S = 60


class MqttSettings(BaseModel):
    """Topics of an MQTT broker."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["mqtt"]
    name: str = "mqtt"
    """Unique among the sources."""
    host: str = Field(min_length=1)
    """Of the broker."""
    port: int = Field(1883, ge=1, le=65535)
    """Of the broker; with TLS usually 8883."""
    client_id: str = Field(min_length=1)
    """The broker keeps our session under it; no other client may have the same."""
    topics: tuple[TopicSettings, ...] = Field(min_length=1)
    """A message is read by the first that fits its topic."""
    version: Literal["3.1.1", "5"] = "3.1.1"
    """Of the protocol."""
    session_s: int = Field(7 * 86_400, ge=60, le=2**32 - 1)
    """With version 5: how long the broker keeps the session; before, the broker decides."""
    settle_s: float = Field(2.0, gt=0)
    """After such a silence nothing is waiting at the broker any more."""
    time_zone: str = "UTC"
    """Of times without an offset, by its name in the IANA database."""
    username: str = ""
    """Empty: no name is told."""
    password_file: Path | None = None
    """Holds the password and nothing else."""
    tls: bool = False
    """Encrypted; the broker's certificate must be of its host's name."""
    tls_ca: Path | None = None
    """Certificates of who may sign the broker's; not set: those of the system."""
    tls_cert: Path | None = None
    """Our certificate, where the broker wants one."""
    tls_key: Path | None = None
    """Our private key."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert, tls_key: expected both or neither, got one")
        if not self.tls and (self.tls_ca or self.tls_cert):
            raise ValueError("tls: expected true, with tls_ca or tls_cert, got false")
        if self.password_file and not self.username:
            raise ValueError("username: expected one, with password_file, got none")
        return self


class MqttSource(LiveSource):
    """Subscribes with QoS 1, and comes back by itself when the broker was away.

    Raises:
        InputError: a name is mapped to something that is no channel; no such time zone.
    """

    def __init__(
        self, settings: MqttSettings, channels: Sequence[str], now_us: Callable[[], int]
    ) -> None:
        super().__init__(settings.name)
        import paho.mqtt.client  # noqa: F401, PLC0415 - says at once if it is not installed

        for place, topic in enumerate(settings.topics):
            named = [*topic.names.values(), *([topic.channel] if topic.channel else [])]
            named = [topic.names.get(name, name) for name in named]
            check_channels(f"sources.{self.name}.topics.{place}", named, channels)
        self._settings = settings
        self._now_us = now_us
        self._filters = [topic.filter for topic in settings.topics]
        self._readers = [
            (topic, TopicReader(topic, channels, settings.time_zone, now_us))
            for topic in settings.topics
        ]

    def run(self, position: object, put: Callable[[Batch], None], stop: threading.Event) -> None:  # noqa: ARG002
        """See `readings.Source`; the broker knows the position."""
        while not stop.is_set():
            try:
                with closing(Link(_connect(self._settings), self._filters)) as link:
                    self._follow(link, put, stop)
            except OSError as error:
                self.caught_up = False
                place = f"{self._settings.host}:{self._settings.port}"
                self._pause(f"host: expected a broker at {place}, got {error}", stop)

    def _follow(self, link: Link, put: Callable[[Batch], None], stop: threading.Event) -> None:
        """Take messages until the connection breaks, which is an OSError, or the end."""
        begun_us = self._now_us()
        is_timed = any(topic.time for topic, _ in self._readers)
        quiet_since_s, was_subscribed = time.monotonic(), False
        newest_us = 0  # may come before the broker says that we are subscribed
        while not stop.is_set():
            messages = link.take_messages()
            if messages:
                skipped = self.skipped
                readings: list[Reading] = []
                for message in messages:
                    found, has_times = self._read(message)
                    readings += found
                    if has_times:
                        newest_us = max([newest_us, *(reading.time_us for reading in found)])
                mids = [message.mid for message in messages if message.qos]
                put(Batch(self.name, readings, None, partial(link.acknowledge, mids)))
                if link.subscribed and self.skipped == skipped:
                    self._tell_of(link.refused)
            if messages or not link.subscribed:
                quiet_since_s = time.monotonic()
            elif not was_subscribed:
                was_subscribed = True
                self._tell_of(link.refused)
            is_quiet = time.monotonic() - quiet_since_s >= self._settings.settle_s
            # Those that are stamped when they come are never of the past.
            self.caught_up |= link.subscribed and (
                is_quiet or not is_timed or newest_us >= begun_us
            )

    def _tell_of(self, refused: Sequence[str]) -> None:
        """Nothing else is wrong than that the broker refuses some topics."""
        if refused:
            self._tell(f"topics: expected leave to read them, got {', '.join(refused)} refused")
        else:
            self._recover()

    def _read(self, message: "MQTTMessage") -> tuple[list[Reading], bool]:
        """Readings of a message, and whether they say themselves when they were read."""
        from paho.mqtt.client import topic_matches_sub  # noqa: PLC0415

        try:
            for topic, reader in self._readers:
                if topic_matches_sub(topic.filter, message.topic):
                    # The broker hands out what it retained at any time: it may be years old.
                    if message.retain and not topic.time:
                        break
                    return reader.read(message.topic, bytes(message.payload)), bool(topic.time)
        except ValueError as error:
            self._skip(str(error))
        return [], False


def _connect(settings: MqttSettings) -> "Client":
    """A client that has asked the broker in.

    Raises:
        OSError: nobody answers; the certificate, or a file of the settings, is bad.
    """
    from paho.mqtt.client import Client  # noqa: PLC0415
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion  # noqa: PLC0415
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415
    from paho.mqtt.properties import Properties  # noqa: PLC0415

    is_5 = settings.version == "5"
    client = Client(
        CallbackAPIVersion.VERSION2,
        settings.client_id,
        # In version 5 it is said while connecting.
        clean_session=None if is_5 else False,
        protocol=MQTTProtocolVersion.MQTTv5 if is_5 else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    if settings.username:
        file = settings.password_file
        client.username_pw_set(settings.username, file.read_text().rstrip("\r\n") if file else None)
    if settings.tls:
        ca, cert, key = (
            str(path) if path else None
            for path in (settings.tls_ca, settings.tls_cert, settings.tls_key)
        )
        client.tls_set(ca, cert, key)
    if is_5:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = settings.session_s
        client.connect(
            settings.host, settings.port, _KEEPALIVE_S, clean_start=False, properties=properties
        )
    else:
        client.connect(settings.host, settings.port, _KEEPALIVE_S)
    return client
