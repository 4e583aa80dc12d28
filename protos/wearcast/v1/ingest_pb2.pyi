import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from wearcast.v1 import alert_pb2 as _alert_pb2
from wearcast.v1 import estimate_pb2 as _estimate_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ParcelKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PARCEL_KIND_UNSPECIFIED: _ClassVar[ParcelKind]
    PARCEL_KIND_ROWS: _ClassVar[ParcelKind]
    PARCEL_KIND_DAY: _ClassVar[ParcelKind]
    PARCEL_KIND_FORECASTS: _ClassVar[ParcelKind]
    PARCEL_KIND_ALERTS: _ClassVar[ParcelKind]

class IngestResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INGEST_RESULT_UNSPECIFIED: _ClassVar[IngestResult]
    INGEST_RESULT_STORED: _ClassVar[IngestResult]
    INGEST_RESULT_ALREADY_STORED: _ClassVar[IngestResult]
PARCEL_KIND_UNSPECIFIED: ParcelKind
PARCEL_KIND_ROWS: ParcelKind
PARCEL_KIND_DAY: ParcelKind
PARCEL_KIND_FORECASTS: ParcelKind
PARCEL_KIND_ALERTS: ParcelKind
INGEST_RESULT_UNSPECIFIED: IngestResult
INGEST_RESULT_STORED: IngestResult
INGEST_RESULT_ALREADY_STORED: IngestResult

class IngestRequest(_message.Message):
    __slots__ = ("key", "asset", "kind", "first", "end", "created", "expected", "complete", "columns", "rows", "forecasts", "alerts")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    FORECASTS_FIELD_NUMBER: _ClassVar[int]
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    key: str
    asset: str
    kind: ParcelKind
    first: _timestamp_pb2.Timestamp
    end: _timestamp_pb2.Timestamp
    created: _timestamp_pb2.Timestamp
    expected: int
    complete: bool
    columns: PlantColumns
    rows: _containers.RepeatedCompositeFieldContainer[PlantRow]
    forecasts: _containers.RepeatedCompositeFieldContainer[PlantForecast]
    alerts: _containers.RepeatedCompositeFieldContainer[_alert_pb2.Alert]
    def __init__(self, key: _Optional[str] = ..., asset: _Optional[str] = ..., kind: _Optional[_Union[ParcelKind, str]] = ..., first: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expected: _Optional[int] = ..., complete: _Optional[bool] = ..., columns: _Optional[_Union[PlantColumns, _Mapping]] = ..., rows: _Optional[_Iterable[_Union[PlantRow, _Mapping]]] = ..., forecasts: _Optional[_Iterable[_Union[PlantForecast, _Mapping]]] = ..., alerts: _Optional[_Iterable[_Union[_alert_pb2.Alert, _Mapping]]] = ...) -> None: ...

class PlantColumns(_message.Message):
    __slots__ = ("channels", "points")
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    channels: _containers.RepeatedCompositeFieldContainer[PlantChannel]
    points: _containers.RepeatedCompositeFieldContainer[PlantPoint]
    def __init__(self, channels: _Optional[_Iterable[_Union[PlantChannel, _Mapping]]] = ..., points: _Optional[_Iterable[_Union[PlantPoint, _Mapping]]] = ...) -> None: ...

class PlantChannel(_message.Message):
    __slots__ = ("name", "unit")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    unit: str
    def __init__(self, name: _Optional[str] = ..., unit: _Optional[str] = ...) -> None: ...

class PlantPoint(_message.Message):
    __slots__ = ("detector", "channel")
    DETECTOR_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    detector: str
    channel: str
    def __init__(self, detector: _Optional[str] = ..., channel: _Optional[str] = ...) -> None: ...

class PlantRow(_message.Message):
    __slots__ = ("time", "readings", "predictions", "stages", "quality")
    TIME_FIELD_NUMBER: _ClassVar[int]
    READINGS_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    readings: _containers.RepeatedScalarFieldContainer[float]
    predictions: _containers.RepeatedScalarFieldContainer[float]
    stages: _containers.RepeatedScalarFieldContainer[int]
    quality: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., readings: _Optional[_Iterable[float]] = ..., predictions: _Optional[_Iterable[float]] = ..., stages: _Optional[_Iterable[int]] = ..., quality: _Optional[_Iterable[str]] = ...) -> None: ...

class PlantForecast(_message.Message):
    __slots__ = ("model", "estimate")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    model: str
    estimate: _estimate_pb2.Estimate
    def __init__(self, model: _Optional[str] = ..., estimate: _Optional[_Union[_estimate_pb2.Estimate, _Mapping]] = ...) -> None: ...

class IngestResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: IngestResult
    def __init__(self, result: _Optional[_Union[IngestResult, str]] = ...) -> None: ...
