"""What sources of live readings give to the edge service."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec


class Reading(msgspec.Struct, frozen=True):
    """One reading of one channel.

    time_us: when it was read, microseconds since 1970-01-01 UTC. value: in the channel's unit; None
    where something came that is no number. quality: flags that the source knows of, such as
    GARBLED.
    """

    time_us: int
    channel: str
    value: float | None
    quality: tuple[str, ...] = ()


def _nothing() -> None:
    """Nobody waits for an acknowledgement."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings that came together.

    position: plain data (for JSON) from which the source goes on behind these readings, stored in
    the same transaction as they; None: it has none. acknowledge: called once they are stored, from
    the thread of the service; it may not block.
    """

    source: str
    readings: list[Reading]
    position: object = None
    acknowledge: Callable[[], None] = field(default=_nothing)


class Source(Protocol):
    """One place where readings come from. Each runs in a thread of its own.

    name: unique among the sources of a service. problem: what is wrong now, in words; empty:
    nothing. caught_up: False while readings of the past may still be waiting (a file that has not
    been read to its end, messages that a broker had kept); the service does not count them as
    missing yet. ended: no further reading will come, ever.
    """

    name: str
    problem: str
    caught_up: bool
    ended: bool

    def run(self, position: object, put: Callable[[Batch], None], stop: threading.Event) -> None:
        """Read until `stop` is set or the input has ended for good.

        position: of the newest batch that was stored; None at the very first. put: blocks while the
        service is behind. What passes (a broker away, a file not there yet) is waited for, with
        growing pauses, and told in `problem` and the log.
        """
