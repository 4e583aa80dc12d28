"""What is remembered of alarms, as plain data that goes to JSON and back, and how people see it.

States are those of ANSI/ISA-18.2-2016 (IEC 62682). Two of them do not occur here: suppressed by
design (H) and out of service (I).
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from wearcast.signals.alarm_rules import Tag
from wearcast.signals.stages import SEVERE


class State(StrEnum):
    """Where an alarm stands; in brackets the letter of ISA-18.2."""

    NORMAL = "NORMAL"  # A
    UNACKNOWLEDGED = "UNACKNOWLEDGED"  # B
    ACKNOWLEDGED = "ACKNOWLEDGED"  # C
    RETURNED_UNACKNOWLEDGED = "RETURNED_UNACKNOWLEDGED"  # D
    LATCHED_UNACKNOWLEDGED = "LATCHED_UNACKNOWLEDGED"  # E
    LATCHED_ACKNOWLEDGED = "LATCHED_ACKNOWLEDGED"  # F
    SHELVED = "SHELVED"  # G


class TagState(msgspec.Struct):
    """All that is remembered of one tag.

    levels: whether the stages 1 to 4 are on; against_us: for how long readings have said otherwise,
    None: they do not. newest_us, stage: of the newest reading. told: stage of the alarm as it was
    told, 0 none. since_us: when its state began. raised: how many times; recent_us: when, as far
    back as chatter counts. alerts: how many were made.
    """

    detector: str
    channel: str
    levels: list[bool] = msgspec.field(default_factory=lambda: [False] * SEVERE)
    against_us: list[int | None] = msgspec.field(default_factory=lambda: [None] * SEVERE)
    newest_us: int | None = None
    stage: int | None = None
    told: int = 0
    acknowledged: bool = True
    latched: bool = False
    shelved_until_us: int | None = None
    since_us: int | None = None
    raised: int = 0
    recent_us: list[int] = msgspec.field(default_factory=list)
    alerts: int = 0


class AlarmsState(msgspec.Struct):
    """All that is remembered: tags, when alarms were raised lately, and whether that is a flood."""

    tags: list[TagState] = msgspec.field(default_factory=list)
    raised_us: list[int] = msgspec.field(default_factory=list)
    flood: bool = False


@dataclass(frozen=True, slots=True)
class TagView:
    """One alarm as people see it.

    stage: of the newest reading; alarm_stage: of the alarm, 0: none. since_us: when the state
    began; None: always. until_us: end of shelving. raised: how many times.
    """

    tag: Tag
    state: State
    stage: int | None
    alarm_stage: int
    since_us: int | None
    until_us: int | None
    raised: int
    chattering: bool


def find_state(known: TagState, level: int) -> State:
    """Where an alarm stands whose stage is `level`, 0: none."""
    if known.shelved_until_us is not None:
        return State.SHELVED
    if level > 0:
        return State.ACKNOWLEDGED if known.acknowledged else State.UNACKNOWLEDGED
    if known.latched:
        return State.LATCHED_ACKNOWLEDGED if known.acknowledged else State.LATCHED_UNACKNOWLEDGED
    return State.NORMAL if known.acknowledged else State.RETURNED_UNACKNOWLEDGED
