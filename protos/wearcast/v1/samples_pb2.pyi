import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SampleFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SAMPLE_FORMAT_UNSPECIFIED: _ClassVar[SampleFormat]
    SAMPLE_FORMAT_FLOAT32_LE: _ClassVar[SampleFormat]

class QualityFlag(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUALITY_FLAG_UNSPECIFIED: _ClassVar[QualityFlag]
    QUALITY_FLAG_AFTER_GAP: _ClassVar[QualityFlag]
    QUALITY_FLAG_CLOCK_JUMP: _ClassVar[QualityFlag]
    QUALITY_FLAG_CONSTANT: _ClassVar[QualityFlag]
    QUALITY_FLAG_FILLED: _ClassVar[QualityFlag]
    QUALITY_FLAG_MISSING: _ClassVar[QualityFlag]
    QUALITY_FLAG_CLIPPED: _ClassVar[QualityFlag]
SAMPLE_FORMAT_UNSPECIFIED: SampleFormat
SAMPLE_FORMAT_FLOAT32_LE: SampleFormat
QUALITY_FLAG_UNSPECIFIED: QualityFlag
QUALITY_FLAG_AFTER_GAP: QualityFlag
QUALITY_FLAG_CLOCK_JUMP: QualityFlag
QUALITY_FLAG_CONSTANT: QualityFlag
QUALITY_FLAG_FILLED: QualityFlag
QUALITY_FLAG_MISSING: QualityFlag
QUALITY_FLAG_CLIPPED: QualityFlag

class Block(_message.Message):
    __slots__ = ("sequence", "start_time", "sample_rate_hz", "channels", "format", "data", "after_gap", "quality")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    AFTER_GAP_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    start_time: _timestamp_pb2.Timestamp
    sample_rate_hz: float
    channels: int
    format: SampleFormat
    data: bytes
    after_gap: bool
    quality: _containers.RepeatedScalarFieldContainer[QualityFlag]
    def __init__(self, sequence: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sample_rate_hz: _Optional[float] = ..., channels: _Optional[int] = ..., format: _Optional[_Union[SampleFormat, str]] = ..., data: _Optional[bytes] = ..., after_gap: _Optional[bool] = ..., quality: _Optional[_Iterable[_Union[QualityFlag, str]]] = ...) -> None: ...

class BlockBatch(_message.Message):
    __slots__ = ("blocks",)
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    blocks: _containers.RepeatedCompositeFieldContainer[Block]
    def __init__(self, blocks: _Optional[_Iterable[_Union[Block, _Mapping]]] = ...) -> None: ...
