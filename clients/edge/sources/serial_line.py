"""Lines of text from a serial port.

A device sends a line a reading: `40.2,5.13`, or `flow=40.2;p=5.13`. Noise on the line makes no
error but GARBLED readings. The first line after opening is left out: it may have begun before, and
half a number is a number too.
"""

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wearcast.clients.edge.readings import Batch, Reading
from wearcast.clients.edge.sources.live import LiveSource, check_channels
from wearcast.clients.edge.sources.times import TimeReader
from wearcast.clients.edge.sources.values import GARBLED, Value, read_text

_TICK_S = 0.2
_LONGEST_LINE = 1 << 12
_TIME, _NOT_READ = "time", "_"
_BETWEEN_PAIRS = re.compile(r"[;,\s]+")
_UNDECODABLE = b"\xff"
_ENDS = re.compile(rb"[\r\n]+")


class SerialSettings(BaseModel):
    """A serial port, 9600 8N1 unless told otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["serial"]
    name: str = "serial"
    """Unique among the sources."""
    port: str = Field(min_length=1)
    """Such as /dev/ttyUSB0, or better a name that stays, below /dev/serial/by-id/."""
    baud: int = Field(9600, ge=50)
    """Bits a second."""
    data_bits: Literal[5, 6, 7, 8] = 8
    """Of a character."""
    parity: Literal["N", "E", "O"] = "N"
    """None, even or odd."""
    stop_bits: Literal[1, 2] = 1
    """Behind a character."""
    format: Literal["csv", "pairs"] = "csv"
    """Fields in a fixed order, or NAME=VALUE parted by blanks, commas or semicolons."""
    fields: tuple[str, ...] = ()
    """With csv, what stands where: a channel, `time`, or `_` for what is not read."""
    delimiter: str = Field(",", min_length=1)
    """With csv, what parts fields."""
    names: dict[str, str] = {}
    """With pairs, the channel of each name, or `time`; empty: names are those of channels."""
    time_zone: str = "UTC"
    """Of times without an offset, by its name in the IANA database."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.format == "csv") != bool(self.fields):
            raise ValueError("fields: expected some with csv, and none with pairs")
        read = [field for field in self.fields if field != _NOT_READ]
        if len({*read}) < len(read):
            raise ValueError(f"fields: expected each once, got {', '.join(self.fields)}")
        return self


class SerialSource(LiveSource):
    """Reads lines; a port that is unplugged is opened again once it is back.

    Raises:
        InputError: a field or name is no channel; no such time zone.
    """

    def __init__(
        self, settings: SerialSettings, channels: Sequence[str], now_us: Callable[[], int]
    ) -> None:
        super().__init__(settings.name)
        import serial  # noqa: F401, PLC0415 - says at once if it is not installed

        known = [*channels, _TIME, _NOT_READ]
        check_channels(f"sources.{self.name}.fields", settings.fields, known)
        check_channels(f"sources.{self.name}.names", settings.names.values(), known)
        self._settings = settings
        self._now_us = now_us
        self._times = TimeReader(settings.time_zone)
        self._names = {_TIME: _TIME} | (settings.names or {name: name for name in channels})
        fields = settings.fields or settings.names.values() or channels
        self._channels = [field for field in fields if field not in {_TIME, _NOT_READ}]

    def run(self, position: object, put: Callable[[Batch], None], stop: threading.Event) -> None:  # noqa: ARG002
        """See `readings.Source`; what was sent can't be read again, so there is no position."""
        import termios  # noqa: PLC0415 - not on every system

        while not stop.is_set():
            try:
                with self._open() as port:
                    self._recover()
                    self.caught_up = True  # nothing of the past waits in a line
                    self._follow(port, put, stop)
            except (OSError, termios.error) as error:
                place = self._settings.port
                self._pause(f"port: expected a device at {place}, got {error}", stop)

    def _open(self) -> Any:  # noqa: ANN401
        import serial  # noqa: PLC0415

        settings = self._settings
        try:
            return serial.Serial(
                settings.port,
                settings.baud,
                settings.data_bits,
                settings.parity,
                settings.stop_bits,
                timeout=_TICK_S,
                exclusive=True,
            )
        except ValueError as error:  # a rate that the device has not
            raise OSError(str(error)) from error

    def _follow(self, port: Any, put: Callable[[Batch], None], stop: threading.Event) -> None:  # noqa: ANN401
        rest, is_first = b"", True
        while not stop.is_set():
            rest += port.read(max(1, port.in_waiting))
            *lines, rest = _ENDS.split(rest)
            if len(rest) > _LONGEST_LINE:
                lines.append(rest)
                # So that no end of it passes for a line.
                rest = _UNDECODABLE
            readings = [
                reading
                for line in lines[is_first:]
                if line.strip(b"\0 ")
                for reading in self._read(line)
            ]
            is_first = is_first and not lines
            if readings:
                put(Batch(self.name, readings))

    def _read(self, line: bytes) -> list[Reading]:
        now_us = self._now_us()
        try:
            values, time = self._split(line.decode().strip("\0 "))
            time_us = self._times.read(time) if time else now_us
        except ValueError:  # and so is an undecodable line
            return [Reading(now_us, channel, *GARBLED) for channel in self._channels]
        return [Reading(time_us, channel, *value) for channel, value in values]

    def _split(self, line: str) -> tuple[list[tuple[str, Value]], str]:
        """Values by channel, and the text of the time; empty: there is none."""
        if self._settings.format == "csv":
            texts = line.split(self._settings.delimiter)
            found = [*zip(self._settings.fields, texts, strict=True)]
        else:
            parts = [part.partition("=") for part in _BETWEEN_PAIRS.split(line) if part]
            if not all(sign for _, sign, _ in parts):
                raise ValueError("not all are pairs")
            found = [(self._names.get(name, _NOT_READ), text) for name, _, text in parts]
        values = [(name, read_text(text)) for name, text in found if name in self._channels]
        return values, next((text.strip() for name, text in found if name == _TIME), "")
