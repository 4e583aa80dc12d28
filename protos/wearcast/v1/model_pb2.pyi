from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_KIND_UNSPECIFIED: _ClassVar[ModelKind]
    MODEL_KIND_RUL: _ClassVar[ModelKind]
    MODEL_KIND_FORECAST: _ClassVar[ModelKind]
    MODEL_KIND_OUTLIER: _ClassVar[ModelKind]
    MODEL_KIND_FAULT: _ClassVar[ModelKind]
MODEL_KIND_UNSPECIFIED: ModelKind
MODEL_KIND_RUL: ModelKind
MODEL_KIND_FORECAST: ModelKind
MODEL_KIND_OUTLIER: ModelKind
MODEL_KIND_FAULT: ModelKind

class Model(_message.Message):
    __slots__ = ("name", "version", "kind", "channels", "sample_rate_hz", "window", "hop_s", "sequence", "batch_sizes", "outputs", "contract_json", "every_s", "time_zone", "missing", "labels")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    HOP_S_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZES_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_JSON_FIELD_NUMBER: _ClassVar[int]
    EVERY_S_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    kind: ModelKind
    channels: _containers.RepeatedCompositeFieldContainer[Channel]
    sample_rate_hz: float
    window: int
    hop_s: float
    sequence: int
    batch_sizes: _containers.RepeatedScalarFieldContainer[int]
    outputs: _containers.RepeatedCompositeFieldContainer[Output]
    contract_json: str
    every_s: float
    time_zone: str
    missing: bool
    labels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., kind: _Optional[_Union[ModelKind, str]] = ..., channels: _Optional[_Iterable[_Union[Channel, _Mapping]]] = ..., sample_rate_hz: _Optional[float] = ..., window: _Optional[int] = ..., hop_s: _Optional[float] = ..., sequence: _Optional[int] = ..., batch_sizes: _Optional[_Iterable[int]] = ..., outputs: _Optional[_Iterable[_Union[Output, _Mapping]]] = ..., contract_json: _Optional[str] = ..., every_s: _Optional[float] = ..., time_zone: _Optional[str] = ..., missing: _Optional[bool] = ..., labels: _Optional[_Iterable[str]] = ...) -> None: ...

class Channel(_message.Message):
    __slots__ = ("name", "unit")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    unit: str
    def __init__(self, name: _Optional[str] = ..., unit: _Optional[str] = ...) -> None: ...

class Output(_message.Message):
    __slots__ = ("name", "unit", "shape")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    unit: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., unit: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ...) -> None: ...
