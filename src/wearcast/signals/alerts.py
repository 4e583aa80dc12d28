"""Alerts: what the plant's people and systems are told of stages and alarms."""

from enum import StrEnum

import msgspec


class AlertKind(StrEnum):
    """What happened."""

    ABNORMAL = "ABNORMAL"
    RAISED = "RAISED"
    ESCALATED = "ESCALATED"
    DE_ESCALATED = "DE_ESCALATED"
    CLEARED = "CLEARED"


class Alert(msgspec.Struct, frozen=True):
    """One alert about one detector's word on one channel (empty: all channels together).

    id: unique among all alerts of all assets, and the same if it is made again. time_us: of the
    reading. stage: 0 to 4; previous_stage: what was told before, 0 if nothing was. value: what was
    judged, in `unit`; None where it is missing. cause: what is wrong with the sensor, if known.
    """

    id: str
    asset: str
    kind: AlertKind
    time_us: int
    detector: str
    channel: str
    unit: str
    stage: int
    previous_stage: int
    value: float | None
    cause: str = ""
    model: str = ""
    quality: tuple[str, ...] = ()
