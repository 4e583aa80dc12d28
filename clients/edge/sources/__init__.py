"""Where live readings come from: files, standard input, serial lines, MQTT brokers, OPC UA."""

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field

from wearcast.clients.edge.readings import Source
from wearcast.clients.edge.sources.csv_tail import CsvSettings, CsvSource
from wearcast.clients.edge.sources.mqtt import MqttSettings, MqttSource
from wearcast.clients.edge.sources.opcua import OpcuaSettings, OpcuaSource
from wearcast.clients.edge.sources.serial_line import SerialSettings, SerialSource
from wearcast.clients.edge.sources.stdin import StdinSettings, StdinSource

SourceSettings = Annotated[
    CsvSettings | MqttSettings | OpcuaSettings | SerialSettings | StdinSettings,
    Field(discriminator="type"),
]
"""Settings of one source; `type` says of which kind."""


def open_source(
    settings: SourceSettings, channels: Sequence[str], now_us: Callable[[], int]
) -> Source:
    """The source of these settings; it reads once it is run.

    channels: names of the channels that the service keeps; others are left aside. now_us: the
    clock, microseconds since 1970-01-01 UTC, for readings that come without a time.

    Raises:
        InputError: a setting does not fit the channels.
        ModuleNotFoundError: what this kind of source needs is not installed.
    """
    match settings:
        case CsvSettings():
            return CsvSource(settings, channels, now_us)
        case MqttSettings():
            return MqttSource(settings, channels, now_us)
        case OpcuaSettings():
            return OpcuaSource(settings, channels, now_us)
        case SerialSettings():
            return SerialSource(settings, channels, now_us)
        case StdinSettings():
            return StdinSource(settings, channels, now_us)
