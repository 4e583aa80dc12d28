"""A real MQTT broker, Mosquitto, in a process of its own. Its session and messages are on disk."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import paho.mqtt.publish
import pytest
from ports import HOST, held_port
from waiting import LONG_S

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/sbin")
needs_mosquitto = pytest.mark.skipif(PROGRAM is None, reason="mosquitto is not installed")


class Mosquitto:
    """Holds its port while the block runs, in which it may start and stop.

    settings: further lines of its configuration.
    """

    def __init__(self, folder: Path, settings: Sequence[str] = ("allow_anonymous true",)) -> None:
        self.host = HOST
        self._held = contextlib.ExitStack()
        self.port = self._held.enter_context(held_port())
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._held:
            self.stop()

    def start(self) -> None:
        assert PROGRAM is not None
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-v", "-c", str(self._config)], stdout=log, stderr=log
            )
        ends = time.monotonic() + LONG_S
        while time.monotonic() < ends and self._process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection((self.host, self.port), LONG_S).close()
                return
            time.sleep(0.01)  # it has no other way to say that it is ready
        raise RuntimeError((self._folder / "log").read_text())

    def stop(self) -> None:
        """SIGTERM: it saves all."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(LONG_S)
            self._process = None

    def kill(self) -> None:
        """As the kernel would; what it has not saved is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(LONG_S)
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
