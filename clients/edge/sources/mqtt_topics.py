"""What stands in the messages of an MQTT topic: which channel, which value, when."""

from collections.abc import Callable, Sequence
from typing import Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wearcast.clients.edge.readings import Reading
from wearcast.clients.edge.sources.times import TimeReader
from wearcast.clients.edge.sources.values import read_number, read_text

_ANY, _CHANNEL = "_", "channel"


class TopicSettings(BaseModel):
    """Topics whose messages look alike. The channel is in one of three places.

    `levels`: in the topic; `channel`: here; `channels`: in the message, with a value each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    filter: str = Field(min_length=1)
    """What is subscribed to, such as plant/pump-7/+."""
    levels: str = ""
    """Which level of the topic is the channel, such as _/_/channel."""
    channel: str = ""
    """The channel of all these messages."""
    channels: str = ""
    """In JSON: where the object of channels and values is; a single point: the whole message."""
    payload: Literal["value", "json"] = "value"
    """A bare number, or JSON."""
    value: str = "value"
    """In JSON: where the value is, such as data.value."""
    time: str = ""
    """In JSON: where the time is; empty: messages are stamped when they come."""
    names: dict[str, str] = {}
    """Channel of each name that stands in topics or messages; without one: the name itself."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        places = [place for place in ("levels", "channel", "channels") if getattr(self, place)]
        if len(places) != 1:
            got = ", ".join(places) or "none"
            raise ValueError(f"levels, channel, channels: expected one of them, got {got}")
        levels, parts = self.levels.split("/"), self.filter.split("/")
        if self.levels and (sorted({*levels} - {_ANY}) != [_CHANNEL] or levels.count(_CHANNEL) > 1):
            raise ValueError(f"levels: expected _ and one channel, got {self.levels!r}")
        if self.levels and len(levels) != len(parts) and parts[-1] != "#":
            raise ValueError(f"levels: expected {len(parts)}, as in filter, got {len(levels)}")
        if self.payload == "value" and (self.channels or self.time):
            raise ValueError("payload: expected json, with channels or time, got value")
        return self


class TopicReader:
    """Reads messages of such topics."""

    def __init__(
        self,
        settings: TopicSettings,
        channels: Sequence[str],
        time_zone: str,
        now_us: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._channels = frozenset(channels)
        self._now_us = now_us
        self._times = TimeReader(time_zone)
        levels = settings.levels.split("/")
        self._level = levels.index(_CHANNEL) if settings.levels else -1

    def read(self, topic: str, payload: bytes) -> list[Reading]:
        """Readings in a message; none where it is of no channel of ours.

        Raises:
            ValueError: it is not what the settings say.
        """
        settings = self._settings
        if settings.payload == "value":
            text = payload.decode("utf-8", "replace")
            return self._make(self._now_us(), self._find_name(topic), *read_text(text))
        try:
            message = msgspec.json.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"{topic}: expected JSON, got {payload[:80]!r}") from error
        time_us = self._read_time(message) if settings.time else self._now_us()
        if not settings.channels:
            value = read_number(_find(message, settings.value))
            return self._make(time_us, self._find_name(topic), *value)
        values = message if settings.channels == "." else _find(message, settings.channels)
        if not isinstance(values, dict):
            raise ValueError(  # noqa: TRY004 - a bad message, not a bad call
                f"{settings.channels}: expected an object, got {payload[:80]!r}"
            )
        return [
            reading
            for name, value in values.items()
            for reading in self._make(time_us, name, *read_number(value))
        ]

    def _find_name(self, topic: str) -> str:
        parts = topic.split("/")
        if self._level >= len(parts):  # of a filter that ends with #
            return ""
        return parts[self._level] if self._level >= 0 else self._settings.channel

    def _make(
        self, time_us: int, name: str, value: float | None, quality: tuple[str, ...]
    ) -> list[Reading]:
        channel = self._settings.names.get(name, name)
        return [Reading(time_us, channel, value, quality)] if channel in self._channels else []

    def _read_time(self, message: object) -> int:
        time = _find(message, self._settings.time)
        if isinstance(time, str):
            return self._times.read(time)
        if isinstance(time, int | float) and not isinstance(time, bool):
            return self._times.read_number(time)
        raise ValueError(f"{self._settings.time}: expected a time, got {time!r}")


def _find(message: object, path: str) -> object:
    """What stands at a path such as data.value."""
    found = message
    for name in path.split("."):
        if not isinstance(found, dict) or name not in found:
            raise ValueError(f"{path}: expected it in the message, got {str(message)[:80]!r}")
        found = found[name]
    return found
