"""Alerts: what the plant's people and systems are told of stages and alarms."""

from enum import StrEnum

import msgspec

from wearcast.signals.clock import format_time
from wearcast.signals.estimate import DetectorStage, Estimate


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
    reading. stage: 0 to 4, of an ABNORMAL reading its own, else of the alarm, 0 once it is CLEARED;
    previous_stage: what was told before, 0 if nothing was. value: what was judged, in `unit`; None
    where it is missing. cause: what is wrong with the sensor, if known.
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


def alerts_every(estimate: Estimate, asset: str) -> list[Alert]:
    """One alert of kind ABNORMAL for each reading of stage 1 and above, however long that lasts.

    Raises:
        MismatchError: the estimate is not of a model of kind outlier.
    """
    return [
        make_alert(estimate, asset, reading, AlertKind.ABNORMAL, stage=reading.stage)
        for reading in estimate.outlier.stages
        if reading.stage
    ]


def make_alert(
    estimate: Estimate,
    asset: str,
    reading: DetectorStage,
    kind: AlertKind,
    *,
    stage: int,
    previous_stage: int = 0,
) -> Alert:
    """An alert about one reading of an estimate.

    Its id is asset/model/detector/channel/time/KIND, with "/" and "%" in a name as %2F and %25.
    """
    time = format_time(estimate.window_end_us)
    names = (asset, estimate.model, reading.detector, reading.channel, time, kind)
    return Alert(
        id="/".join(name.replace("%", "%25").replace("/", "%2F") for name in names),
        asset=asset,
        kind=kind,
        time_us=estimate.window_end_us,
        detector=reading.detector,
        channel=reading.channel,
        unit=reading.unit,
        stage=stage,
        previous_stage=previous_stage,
        value=reading.value,
        cause=reading.cause,
        model=estimate.model,
        quality=estimate.quality,
    )
