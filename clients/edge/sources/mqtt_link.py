"""One connection to an MQTT broker, driven by the thread that reads it."""

import select
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

_TICK_S = 0.2
_BATCH_MESSAGES = 500


class Link:
    """All but `acknowledge` is called from one thread.

    client: has asked for the connection. filters: what to subscribe to. subscribed: the broker has
    answered. refused: filters that it does not allow us.
    """

    def __init__(self, client: "Client", filters: Sequence[str]) -> None:
        self.subscribed = False
        self.refused: list[str] = []
        self._filters = filters
        self._arrived: list[MQTTMessage] = []
        self._acknowledged: deque[list[int]] = deque()
        self._reason = ""
        self._client = client
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = self._check_subscribed
        self._client.on_disconnect = self._note_reason
        self._client.on_message = lambda _client, _userdata, message: self._arrived.append(message)
        self._woken, self._waker = socket.socketpair()
        self._woken.settimeout(0)
        self._waker.settimeout(0)

    def acknowledge(self, mids: list[int]) -> None:
        """Have the broker forget messages; from any thread, and too late does no harm."""
        self._acknowledged.append(mids)
        with suppress(OSError):  # full, so it is awake; or closed
            self._waker.send(b"1")

    def take_messages(self) -> "list[MQTTMessage]":
        """What has come, after a short wait; sends what waits to be sent.

        Raises:
            OSError: the connection is broken.
        """
        self._arrived = []
        self._wait()
        self._client.loop_misc()
        while self._acknowledged:
            for mid in self._acknowledged.popleft():
                self._client.ack(mid, 1)
        while len(self._arrived) < _BATCH_MESSAGES and self._has_input(0):
            self._client.loop_read()
        if self._client.socket() is None and not self._arrived:
            raise ConnectionError(self._reason or "a closed connection")
        return self._arrived

    def close(self) -> None:
        """Leave the broker; it keeps the session."""
        self._client.disconnect()
        self._woken.close()
        self._waker.close()

    def _wait(self) -> None:
        if self._has_input(_TICK_S):
            with suppress(BlockingIOError):
                self._woken.recv(1 << 12)
        if self._client.want_write():
            self._client.loop_write()

    def _has_input(self, timeout_s: float) -> bool:
        connection: Any = self._client.socket()
        if connection is None:
            return False
        # TLS may have decrypted more than was taken.
        if getattr(connection, "pending", int)():
            return True
        writes = [connection] if timeout_s and self._client.want_write() else []
        reads = [connection, self._woken] if timeout_s else [connection]
        return any(select.select(reads, writes, [], timeout_s))

    def _subscribe(
        self,
        client: "Client",
        _userdata: object,
        _flags: object,
        reason: "ReasonCode",
        _properties: object,
    ) -> None:
        if reason.is_failure:
            self._reason = str(reason)
        else:
            client.subscribe([(name, 1) for name in self._filters])

    def _check_subscribed(
        self,
        _client: object,
        _userdata: object,
        _mid: int,
        reasons: "list[ReasonCode]",
        _properties: object,
    ) -> None:
        self.refused = [
            name for name, reason in zip(self._filters, reasons, strict=True) if reason.is_failure
        ]
        self.subscribed = True

    def _note_reason(
        self,
        _client: object,
        _userdata: object,
        _flags: object,
        reason: "ReasonCode",
        _properties: object,
    ) -> None:
        if not self._reason:
            self._reason = str(reason)
