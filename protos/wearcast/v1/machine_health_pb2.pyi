from wearcast.v1 import alert_pb2 as _alert_pb2
from wearcast.v1 import estimate_pb2 as _estimate_pb2
from wearcast.v1 import model_pb2 as _model_pb2
from wearcast.v1 import samples_pb2 as _samples_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NoticeCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_CODE_UNSPECIFIED: _ClassVar[NoticeCode]
    NOTICE_CODE_LIFE_ALARM: _ClassVar[NoticeCode]
    NOTICE_CODE_GAP: _ClassVar[NoticeCode]
    NOTICE_CODE_CLOCK_JUMP: _ClassVar[NoticeCode]
    NOTICE_CODE_DRAINING: _ClassVar[NoticeCode]
NOTICE_CODE_UNSPECIFIED: NoticeCode
NOTICE_CODE_LIFE_ALARM: NoticeCode
NOTICE_CODE_GAP: NoticeCode
NOTICE_CODE_CLOCK_JUMP: NoticeCode
NOTICE_CODE_DRAINING: NoticeCode

class MonitorRequest(_message.Message):
    __slots__ = ("start", "blocks")
    START_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    start: MonitorStart
    blocks: _samples_pb2.BlockBatch
    def __init__(self, start: _Optional[_Union[MonitorStart, _Mapping]] = ..., blocks: _Optional[_Union[_samples_pb2.BlockBatch, _Mapping]] = ...) -> None: ...

class MonitorStart(_message.Message):
    __slots__ = ("asset", "model", "version", "age_at_start_s", "received_sequence", "further_models", "acknowledged_sequence", "alarms", "alarms_by_tag", "label")
    ASSET_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AGE_AT_START_S_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FURTHER_MODELS_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ALARMS_FIELD_NUMBER: _ClassVar[int]
    ALARMS_BY_TAG_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    asset: str
    model: str
    version: int
    age_at_start_s: float
    received_sequence: int
    further_models: _containers.RepeatedCompositeFieldContainer[FurtherModel]
    acknowledged_sequence: int
    alarms: _alert_pb2.AlarmRules
    alarms_by_tag: _containers.RepeatedCompositeFieldContainer[_alert_pb2.TagAlarmRules]
    label: str
    def __init__(self, asset: _Optional[str] = ..., model: _Optional[str] = ..., version: _Optional[int] = ..., age_at_start_s: _Optional[float] = ..., received_sequence: _Optional[int] = ..., further_models: _Optional[_Iterable[_Union[FurtherModel, _Mapping]]] = ..., acknowledged_sequence: _Optional[int] = ..., alarms: _Optional[_Union[_alert_pb2.AlarmRules, _Mapping]] = ..., alarms_by_tag: _Optional[_Iterable[_Union[_alert_pb2.TagAlarmRules, _Mapping]]] = ..., label: _Optional[str] = ...) -> None: ...

class FurtherModel(_message.Message):
    __slots__ = ("model", "version", "received_sequence", "label")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: int
    received_sequence: int
    label: str
    def __init__(self, model: _Optional[str] = ..., version: _Optional[int] = ..., received_sequence: _Optional[int] = ..., label: _Optional[str] = ...) -> None: ...

class MonitorResponse(_message.Message):
    __slots__ = ("started", "estimates", "acknowledgement", "notice", "alert", "acknowledged_sequence")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    ESTIMATES_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    started: MonitorStarted
    estimates: EstimateBatch
    acknowledgement: Acknowledgement
    notice: Notice
    alert: _alert_pb2.Alert
    acknowledged_sequence: int
    def __init__(self, started: _Optional[_Union[MonitorStarted, _Mapping]] = ..., estimates: _Optional[_Union[EstimateBatch, _Mapping]] = ..., acknowledgement: _Optional[_Union[Acknowledgement, _Mapping]] = ..., notice: _Optional[_Union[Notice, _Mapping]] = ..., alert: _Optional[_Union[_alert_pb2.Alert, _Mapping]] = ..., acknowledged_sequence: _Optional[int] = ...) -> None: ...

class MonitorStarted(_message.Message):
    __slots__ = ("version", "next_sequence", "acknowledged_sequence")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    version: int
    next_sequence: int
    acknowledged_sequence: int
    def __init__(self, version: _Optional[int] = ..., next_sequence: _Optional[int] = ..., acknowledged_sequence: _Optional[int] = ...) -> None: ...

class EstimateBatch(_message.Message):
    __slots__ = ("estimates", "model", "version")
    ESTIMATES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    estimates: _containers.RepeatedCompositeFieldContainer[_estimate_pb2.Estimate]
    model: str
    version: int
    def __init__(self, estimates: _Optional[_Iterable[_Union[_estimate_pb2.Estimate, _Mapping]]] = ..., model: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class Acknowledgement(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("code", "sequence", "text")
    CODE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    code: NoticeCode
    sequence: int
    text: str
    def __init__(self, code: _Optional[_Union[NoticeCode, str]] = ..., sequence: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class PredictRequest(_message.Message):
    __slots__ = ("start", "blocks")
    START_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    start: PredictStart
    blocks: _samples_pb2.BlockBatch
    def __init__(self, start: _Optional[_Union[PredictStart, _Mapping]] = ..., blocks: _Optional[_Union[_samples_pb2.BlockBatch, _Mapping]] = ...) -> None: ...

class PredictStart(_message.Message):
    __slots__ = ("model", "version", "age_at_start_s", "label")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AGE_AT_START_S_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: int
    age_at_start_s: float
    label: str
    def __init__(self, model: _Optional[str] = ..., version: _Optional[int] = ..., age_at_start_s: _Optional[float] = ..., label: _Optional[str] = ...) -> None: ...

class PredictResponse(_message.Message):
    __slots__ = ("estimates",)
    ESTIMATES_FIELD_NUMBER: _ClassVar[int]
    estimates: EstimateBatch
    def __init__(self, estimates: _Optional[_Union[EstimateBatch, _Mapping]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[_model_pb2.Model]
    def __init__(self, models: _Optional[_Iterable[_Union[_model_pb2.Model, _Mapping]]] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name", "version", "label")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    label: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., label: _Optional[str] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: _model_pb2.Model
    def __init__(self, model: _Optional[_Union[_model_pb2.Model, _Mapping]] = ...) -> None: ...
