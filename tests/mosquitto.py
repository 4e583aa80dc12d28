"""A real MQTT broker, Mosquitto, in a process of its own. Its session and messages are on disk."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import paho.mqtt.publish
import pytest

_TIMEOUT_S = 20
PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/sbin")
needs_mosquitto = pytest.mark.skipif(PROGRAM is None, reason="mosquitto is not installed")


class Mosquitto:
    """settings: further lines of its configuration."""

    def __init__(self, folder: Path, settings: Sequence[str] = ("allow_anonymous true",)) -> None:
        self.host = "127.0.0.1"
        with socket.create_server((self.host, 0)) as free:
            self.port = free.getsockname()[1]
        self._folder = folder
        self._config = folder / "mosquitto.conf"
        # As root it would else become the user mosquitto, who may not write here.
        lines = [
            f"listener {self.port} {self.host}",
            "user root",
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
            "max_queued_messages 0",
            *settings,
        ]
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert PROGRAM is not None
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-v", "-c", str(self._config)], stdout=log, stderr=log
            )
        ends = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < ends and self._process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection((self.host, self.port), 1).close()
                return
            time.sleep(0.01)  # it has no other way to say that it is ready
        raise RuntimeError((self._folder / "log").read_text())

    def stop(self) -> None:
        """SIGTERM: it saves all."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_TIMEOUT_S)
            self._process = None

    def kill(self) -> None:
        """As the kernel would; what it has not saved is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_TIMEOUT_S)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def publish(
        self,
        messages: Sequence[tuple[str, str | bytes]],
        *,
        retain: bool = False,
        tls_ca: Path | None = None,
    ) -> None:
        """With QoS 1; returns once the broker has them all."""
        paho.mqtt.publish.multiple(
            [(topic, payload, 1, retain) for topic, payload in messages],
            self.host,
            self.port,
            tls={"ca_certs": str(tls_ca)} if tls_ca else None,
        )

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()
