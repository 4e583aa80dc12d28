"""When an alarm begins and ends, and what an alarm is about: one detector's word on one channel.

Terms, and the numbers of a flood, are those of ANSI/ISA-18.2-2016 (IEC 62682): an alarm flood
begins with more than 10 alarms in 10 minutes and ends below 5. What chatters, and the delays
against it, are scaled to readings a minute apart: three times in an hour, 10 minutes on and off.
(Hollifield and Habibi, The Alarm Management Handbook: three times in a minute.)
"""

import math
from collections.abc import Iterable
from typing import NamedTuple, Self

import msgspec

from wearcast.signals.errors import InputError
from wearcast.signals.plant_table import ALL_CHANNELS
from wearcast.signals.stages import SEVERE

_FEWEST_REPEATS = 2


class Tag(NamedTuple):
    """What an alarm is about; an empty channel is all channels together.

    >>> Tag("system", "flow_rate").text, Tag("multivariate", "").text
    ('flow_rate system', 'all multivariate')
    """

    detector: str
    channel: str

    @property
    def text(self) -> str:
        """Channel and detector, as people write it in settings."""
        return f"{self.channel or ALL_CHANNELS} {self.detector}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The tag of such a text.

        >>> Tag.parse("flow_rate system"), Tag.parse("all multivariate")
        (Tag(detector='system', channel='flow_rate'), Tag(detector='multivariate', channel=''))

        Raises:
            InputError: it is none.
        """
        channel, _, detector = text.strip().rpartition(" ")
        if not channel:
            raise InputError("tag", '"CHANNEL DETECTOR"', repr(text), reason="ALARMS")
        return cls(detector, "" if channel == ALL_CHANNELS else channel)


class AlarmRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an alarm begins and ends.

    from_stage: readings of this stage, 1 to 4, and above are abnormal. on_delay_s, off_delay_s: how
    long readings must be abnormal, or normal again, before it counts; 0: at once. deadband: a stage
    that has begun ends with readings this many stages lower, 1 to from_stage. latching: an alarm
    that returned to normal stays until a person resets it. chatter_count: raised so many times, 2
    or more, within chatter_s, it chatters. flood_count: more alarms than this, 1 or more, raised
    within flood_s are a flood; it ends below half of it.

    Raises:
        InputError: a rule is out of range.
    """

    from_stage: int = 3
    on_delay_s: float = 600.0
    off_delay_s: float = 600.0
    deadband: int = 1
    latching: bool = False
    chatter_count: int = 3
    chatter_s: float = 3600.0
    flood_count: int = 10
    flood_s: float = 600.0

    def __post_init__(self) -> None:
        _check("from_stage", f"1 to {SEVERE}", self.from_stage, 1 <= self.from_stage <= SEVERE)
        for name in ("on_delay_s", "off_delay_s"):
            value = getattr(self, name)
            _check(name, "0 or more seconds", value, 0 <= value < math.inf)
        for name in ("chatter_s", "flood_s"):
            value = getattr(self, name)
            _check(name, "more than 0 seconds", value, 0 < value < math.inf)
        _check(
            "deadband",
            f"1 to from_stage, {self.from_stage}",
            self.deadband,
            1 <= self.deadband <= self.from_stage,
        )
        _check(
            "chatter_count", "2 or more", self.chatter_count, self.chatter_count >= _FEWEST_REPEATS
        )
        _check("flood_count", "1 or more", self.flood_count, self.flood_count >= 1)


def _check(name: str, expected: str, got: object, holds: bool) -> None:  # noqa: FBT001
    if not holds:
        raise InputError(f"alarms.{name}", expected, got, reason="ALARMS")


def check_tags(texts: Iterable[str], known: Iterable[Tag], field: str = "by_tag") -> None:
    """Check that rules are given for tags that there are; `field` is what the user knows them as.

    Raises:
        InputError: one is not known.
    """
    names = {tag.text for tag in known}
    for text in texts:
        expected = f"one of {', '.join(sorted(names))}"
        _check(field, expected, repr(text), text in names)
