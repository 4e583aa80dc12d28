"""Tells systemd how the service is: ready, alive, stopping. Without systemd it does nothing.

The protocol is that of sd_notify(3): lines VARIABLE=VALUE in a datagram to $NOTIFY_SOCKET.
"""

import os
import socket


class Notifier:
    """Sends to the socket that systemd names, if it names one."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        if address:
            # A leading @ stands for the abstract namespace.
            self._address = "\0" + address[1:] if address.startswith("@") else address
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._status = ""

    def ready(self) -> None:
        """The service works now."""
        self._send("READY=1")

    def beat(self, status: str) -> None:
        """The service is alive; `status` is the line that `systemctl status` shows."""
        lines = ["WATCHDOG=1"]
        if status != self._status:
            self._status = status
            lines.append("STATUS=" + status.replace("\n", " "))
        self._send("\n".join(lines))

    def stopping(self) -> None:
        """The service is about to end."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if self._socket is not None:
            try:
                self._socket.sendto(text.encode(), self._address)
            except OSError:  # whoever listened has gone; the service goes on
                self._socket.close()
                self._socket = None
