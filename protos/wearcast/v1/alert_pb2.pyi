import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from wearcast.v1 import estimate_pb2 as _estimate_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AlertKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_KIND_UNSPECIFIED: _ClassVar[AlertKind]
    ALERT_KIND_ABNORMAL: _ClassVar[AlertKind]
    ALERT_KIND_RAISED: _ClassVar[AlertKind]
    ALERT_KIND_ESCALATED: _ClassVar[AlertKind]
    ALERT_KIND_DE_ESCALATED: _ClassVar[AlertKind]
    ALERT_KIND_CLEARED: _ClassVar[AlertKind]
ALERT_KIND_UNSPECIFIED: AlertKind
ALERT_KIND_ABNORMAL: AlertKind
ALERT_KIND_RAISED: AlertKind
ALERT_KIND_ESCALATED: AlertKind
ALERT_KIND_DE_ESCALATED: AlertKind
ALERT_KIND_CLEARED: AlertKind

class Alert(_message.Message):
    __slots__ = ("id", "asset", "kind", "time", "detector", "channel", "unit", "stage", "previous_stage", "value", "cause", "model", "quality")
    ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    DETECTOR_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_STAGE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    id: str
    asset: str
    kind: AlertKind
    time: _timestamp_pb2.Timestamp
    detector: str
    channel: str
    unit: str
    stage: _estimate_pb2.Stage
    previous_stage: _estimate_pb2.Stage
    value: float
    cause: str
    model: str
    quality: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., asset: _Optional[str] = ..., kind: _Optional[_Union[AlertKind, str]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., detector: _Optional[str] = ..., channel: _Optional[str] = ..., unit: _Optional[str] = ..., stage: _Optional[_Union[_estimate_pb2.Stage, str]] = ..., previous_stage: _Optional[_Union[_estimate_pb2.Stage, str]] = ..., value: _Optional[float] = ..., cause: _Optional[str] = ..., model: _Optional[str] = ..., quality: _Optional[_Iterable[str]] = ...) -> None: ...

class AlarmRules(_message.Message):
    __slots__ = ("from_stage", "on_delay_s", "off_delay_s", "deadband")
    FROM_STAGE_FIELD_NUMBER: _ClassVar[int]
    ON_DELAY_S_FIELD_NUMBER: _ClassVar[int]
    OFF_DELAY_S_FIELD_NUMBER: _ClassVar[int]
    DEADBAND_FIELD_NUMBER: _ClassVar[int]
    from_stage: int
    on_delay_s: float
    off_delay_s: float
    deadband: int
    def __init__(self, from_stage: _Optional[int] = ..., on_delay_s: _Optional[float] = ..., off_delay_s: _Optional[float] = ..., deadband: _Optional[int] = ...) -> None: ...

class TagAlarmRules(_message.Message):
    __slots__ = ("detector", "channel", "rules")
    DETECTOR_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    detector: str
    channel: str
    rules: AlarmRules
    def __init__(self, detector: _Optional[str] = ..., channel: _Optional[str] = ..., rules: _Optional[_Union[AlarmRules, _Mapping]] = ...) -> None: ...
