"""Readings as lines of JSON on standard input.

    {"time": "2024-05-01T09:39:00Z", "channels": {"flow_rate": 40.2, "pressure": null}}

Without a time, the line counts as read now.
"""

import os
import select
import threading
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
from pydantic import BaseModel, ConfigDict

from wearcast.clients.edge.readings import Batch, Reading
from wearcast.clients.edge.sources.live import LiveSource
from wearcast.clients.edge.sources.times import TimeReader
from wearcast.clients.edge.sources.values import read_number

_TICK_S = 0.2
_CHUNK_BYTES = 1 << 16
_LONGEST_LINE = 1 << 20


class StdinSettings(BaseModel):
    """Lines of JSON on standard input."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["stdin"]
    name: str = "stdin"
    """Unique among the sources."""
    time_zone: str = "UTC"
    """Of times without an offset, by its name in the IANA database."""


class _Line(msgspec.Struct):
    channels: dict[str, object]
    time: str | int | float | None = None


class StdinSource(LiveSource):
    """Reads lines from a file descriptor until its end.

    Raises:
        InputError: there is no such time zone.
    """

    def __init__(
        self,
        settings: StdinSettings,
        channels: Sequence[str],
        now_us: Callable[[], int],
        descriptor: int = 0,
    ) -> None:
        super().__init__(settings.name)
        self._channels = frozenset(channels)
        self._now_us = now_us
        self._times = TimeReader(settings.time_zone)
        self._descriptor = descriptor

    def run(self, position: object, put: Callable[[Batch], None], stop: threading.Event) -> None:  # noqa: ARG002
        """See `readings.Source`; what was read can't be read again, so there is no position."""
        rest = b""
        while not (stop.is_set() or self.ended):
            if not select.select([self._descriptor], [], [], _TICK_S)[0]:
                self.caught_up = True
                continue
            chunk = os.read(self._descriptor, _CHUNK_BYTES)
            *lines, rest = (rest + (chunk or b"\n")).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines.append(rest)
                rest = b""
            readings = [reading for line in lines if line.strip() for reading in self._read(line)]
            if readings:
                put(Batch(self.name, readings))
            self.ended = not chunk
        self.caught_up = self.caught_up or self.ended

    def _read(self, line: bytes) -> list[Reading]:
        try:
            said = msgspec.json.decode(line, type=_Line)
            time_us = self._read_time(said.time)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            self._skip(f"line: expected an object with channels, got {line[:80]!r}: {error}")
            return []
        self._recover()
        return [
            Reading(time_us, channel, *read_number(value))
            for channel, value in said.channels.items()
            if channel in self._channels
        ]

    def _read_time(self, time: str | float | None) -> int:
        if time is None:
            return self._now_us()
        return self._times.read(time) if isinstance(time, str) else self._times.read_number(time)
