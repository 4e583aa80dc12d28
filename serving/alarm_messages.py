"""Rules of alarms from messages, and alerts as messages."""

from collections.abc import Sequence
from typing import NamedTuple

from wearcast.serving.encode import to_timestamp
from wearcast.signals.alarm_rules import AlarmRules, Tag, check_tags
from wearcast.signals.alerts import Alert
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError, MismatchError
from wearcast.v1 import alert_pb2, estimate_pb2, machine_health_pb2

_STAGES = (
    estimate_pb2.STAGE_NORMAL,
    estimate_pb2.STAGE_INTEREST,
    estimate_pb2.STAGE_CAUTION,
    estimate_pb2.STAGE_ALERT,
    estimate_pb2.STAGE_SEVERE,
)


class AskedRules(NamedTuple):
    """Rules for all tags, and for single ones by their text."""

    rules: AlarmRules
    by_tag: dict[str, AlarmRules]


def decode_alarms(
    start: machine_health_pb2.MonitorStart, contracts: Sequence[Contract]
) -> AskedRules | None:
    """The rules that a client asks for; None: it wants no alarms.

    Raises:
        InputError: a rule is out of range, or for a tag that no model of the stream has.
        MismatchError: no model of the stream is of kind outlier.
    """
    if not start.HasField("alarms"):
        if start.alarms_by_tag:
            raise InputError("start.alarms_by_tag", "alarms too", "none", reason="ALARMS")
        return None
    points = [
        Tag(point.detector, point.channel)
        for contract in contracts
        if contract.outlier is not None
        for point in contract.outlier.points
    ]
    if not points:
        names = ", ".join(contract.name for contract in contracts)
        raise MismatchError("start.alarms", "a model of kind outlier", names, reason="ALARMS")
    by_tag = {
        Tag(item.detector, item.channel).text: _decode_rules(item.rules)
        for item in start.alarms_by_tag
    }
    check_tags(by_tag, points)
    return AskedRules(_decode_rules(start.alarms), by_tag)


def _decode_rules(message: alert_pb2.AlarmRules) -> AlarmRules:
    return AlarmRules(**{field.name: value for field, value in message.ListFields()})


def encode_alert(alert: Alert) -> alert_pb2.Alert:
    """An alert as message."""
    return alert_pb2.Alert(
        id=alert.id,
        asset=alert.asset,
        kind=alert_pb2.AlertKind.Value(f"ALERT_KIND_{alert.kind.name}"),
        time=to_timestamp(alert.time_us),
        detector=alert.detector,
        channel=alert.channel,
        unit=alert.unit,
        stage=_STAGES[alert.stage],
        previous_stage=_STAGES[alert.previous_stage],
        value=alert.value,
        cause=alert.cause,
        model=alert.model,
        quality=alert.quality,
    )
