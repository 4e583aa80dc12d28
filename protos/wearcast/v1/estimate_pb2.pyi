import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from wearcast.v1 import samples_pb2 as _samples_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LifeBand(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIFE_BAND_UNSPECIFIED: _ClassVar[LifeBand]
    LIFE_BAND_HEALTHY: _ClassVar[LifeBand]
    LIFE_BAND_WORN: _ClassVar[LifeBand]
    LIFE_BAND_WARNING: _ClassVar[LifeBand]
    LIFE_BAND_ALARM: _ClassVar[LifeBand]

class CrossingState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CROSSING_STATE_UNSPECIFIED: _ClassVar[CrossingState]
    CROSSING_STATE_NO_CROSSING: _ClassVar[CrossingState]
    CROSSING_STATE_AHEAD: _ClassVar[CrossingState]
    CROSSING_STATE_ALREADY_CROSSED: _ClassVar[CrossingState]

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_NOT_APPLICABLE: _ClassVar[Stage]
    STAGE_NORMAL: _ClassVar[Stage]
    STAGE_INTEREST: _ClassVar[Stage]
    STAGE_CAUTION: _ClassVar[Stage]
    STAGE_ALERT: _ClassVar[Stage]
    STAGE_SEVERE: _ClassVar[Stage]
LIFE_BAND_UNSPECIFIED: LifeBand
LIFE_BAND_HEALTHY: LifeBand
LIFE_BAND_WORN: LifeBand
LIFE_BAND_WARNING: LifeBand
LIFE_BAND_ALARM: LifeBand
CROSSING_STATE_UNSPECIFIED: CrossingState
CROSSING_STATE_NO_CROSSING: CrossingState
CROSSING_STATE_AHEAD: CrossingState
CROSSING_STATE_ALREADY_CROSSED: CrossingState
STAGE_UNSPECIFIED: Stage
STAGE_NOT_APPLICABLE: Stage
STAGE_NORMAL: Stage
STAGE_INTEREST: Stage
STAGE_CAUTION: Stage
STAGE_ALERT: Stage
STAGE_SEVERE: Stage

class Estimate(_message.Message):
    __slots__ = ("sequence", "window_end", "quality", "remaining_life", "forecast", "outlier", "fault_diagnosis")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_END_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    REMAINING_LIFE_FIELD_NUMBER: _ClassVar[int]
    FORECAST_FIELD_NUMBER: _ClassVar[int]
    OUTLIER_FIELD_NUMBER: _ClassVar[int]
    FAULT_DIAGNOSIS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    window_end: _timestamp_pb2.Timestamp
    quality: _containers.RepeatedScalarFieldContainer[_samples_pb2.QualityFlag]
    remaining_life: RemainingLife
    forecast: Forecast
    outlier: Outlier
    fault_diagnosis: FaultDiagnosis
    def __init__(self, sequence: _Optional[int] = ..., window_end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., quality: _Optional[_Iterable[_Union[_samples_pb2.QualityFlag, str]]] = ..., remaining_life: _Optional[_Union[RemainingLife, _Mapping]] = ..., forecast: _Optional[_Union[Forecast, _Mapping]] = ..., outlier: _Optional[_Union[Outlier, _Mapping]] = ..., fault_diagnosis: _Optional[_Union[FaultDiagnosis, _Mapping]] = ...) -> None: ...

class RemainingLife(_message.Message):
    __slots__ = ("life_fraction", "age_s", "rul_s", "rul_low_s", "rul_high_s", "interval_probability", "failure_time", "failure_probabilities", "line", "band", "alarm")
    LIFE_FRACTION_FIELD_NUMBER: _ClassVar[int]
    AGE_S_FIELD_NUMBER: _ClassVar[int]
    RUL_S_FIELD_NUMBER: _ClassVar[int]
    RUL_LOW_S_FIELD_NUMBER: _ClassVar[int]
    RUL_HIGH_S_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    FAILURE_TIME_FIELD_NUMBER: _ClassVar[int]
    FAILURE_PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    BAND_FIELD_NUMBER: _ClassVar[int]
    ALARM_FIELD_NUMBER: _ClassVar[int]
    life_fraction: float
    age_s: float
    rul_s: float
    rul_low_s: float
    rul_high_s: float
    interval_probability: float
    failure_time: _timestamp_pb2.Timestamp
    failure_probabilities: _containers.RepeatedCompositeFieldContainer[FailureProbability]
    line: LifeLine
    band: LifeBand
    alarm: bool
    def __init__(self, life_fraction: _Optional[float] = ..., age_s: _Optional[float] = ..., rul_s: _Optional[float] = ..., rul_low_s: _Optional[float] = ..., rul_high_s: _Optional[float] = ..., interval_probability: _Optional[float] = ..., failure_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., failure_probabilities: _Optional[_Iterable[_Union[FailureProbability, _Mapping]]] = ..., line: _Optional[_Union[LifeLine, _Mapping]] = ..., band: _Optional[_Union[LifeBand, str]] = ..., alarm: _Optional[bool] = ...) -> None: ...

class FailureProbability(_message.Message):
    __slots__ = ("horizon_s", "probability")
    HORIZON_S_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    horizon_s: float
    probability: float
    def __init__(self, horizon_s: _Optional[float] = ..., probability: _Optional[float] = ...) -> None: ...

class LifeLine(_message.Message):
    __slots__ = ("points", "value", "slope_per_s", "crossings")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SLOPE_PER_S_FIELD_NUMBER: _ClassVar[int]
    CROSSINGS_FIELD_NUMBER: _ClassVar[int]
    points: int
    value: float
    slope_per_s: float
    crossings: _containers.RepeatedCompositeFieldContainer[LineCrossing]
    def __init__(self, points: _Optional[int] = ..., value: _Optional[float] = ..., slope_per_s: _Optional[float] = ..., crossings: _Optional[_Iterable[_Union[LineCrossing, _Mapping]]] = ...) -> None: ...

class LineCrossing(_message.Message):
    __slots__ = ("level", "state", "remaining_s", "time")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REMAINING_S_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    level: float
    state: CrossingState
    remaining_s: float
    time: _timestamp_pb2.Timestamp
    def __init__(self, level: _Optional[float] = ..., state: _Optional[_Union[CrossingState, str]] = ..., remaining_s: _Optional[float] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Forecast(_message.Message):
    __slots__ = ("points",)
    POINTS_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[ForecastPoint]
    def __init__(self, points: _Optional[_Iterable[_Union[ForecastPoint, _Mapping]]] = ...) -> None: ...

class ForecastPoint(_message.Message):
    __slots__ = ("channel", "unit", "horizon_s", "time", "values")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    HORIZON_S_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    channel: str
    unit: str
    horizon_s: float
    time: _timestamp_pb2.Timestamp
    values: _containers.RepeatedCompositeFieldContainer[QuantileValue]
    def __init__(self, channel: _Optional[str] = ..., unit: _Optional[str] = ..., horizon_s: _Optional[float] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., values: _Optional[_Iterable[_Union[QuantileValue, _Mapping]]] = ...) -> None: ...

class QuantileValue(_message.Message):
    __slots__ = ("quantile", "value")
    QUANTILE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    quantile: float
    value: float
    def __init__(self, quantile: _Optional[float] = ..., value: _Optional[float] = ...) -> None: ...

class Outlier(_message.Message):
    __slots__ = ("stages",)
    STAGES_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedCompositeFieldContainer[DetectorStage]
    def __init__(self, stages: _Optional[_Iterable[_Union[DetectorStage, _Mapping]]] = ...) -> None: ...

class DetectorStage(_message.Message):
    __slots__ = ("detector", "channel", "unit", "stage", "percentile", "value", "cause")
    DETECTOR_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    detector: str
    channel: str
    unit: str
    stage: Stage
    percentile: float
    value: float
    cause: str
    def __init__(self, detector: _Optional[str] = ..., channel: _Optional[str] = ..., unit: _Optional[str] = ..., stage: _Optional[_Union[Stage, str]] = ..., percentile: _Optional[float] = ..., value: _Optional[float] = ..., cause: _Optional[str] = ...) -> None: ...

class FaultDiagnosis(_message.Message):
    __slots__ = ("probabilities", "diagnosis", "unknown", "novelty")
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSIS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    NOVELTY_FIELD_NUMBER: _ClassVar[int]
    probabilities: _containers.RepeatedCompositeFieldContainer[FaultProbability]
    diagnosis: str
    unknown: bool
    novelty: float
    def __init__(self, probabilities: _Optional[_Iterable[_Union[FaultProbability, _Mapping]]] = ..., diagnosis: _Optional[str] = ..., unknown: _Optional[bool] = ..., novelty: _Optional[float] = ...) -> None: ...

class FaultProbability(_message.Message):
    __slots__ = ("fault", "probability")
    FAULT_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    fault: str
    probability: float
    def __init__(self, fault: _Optional[str] = ..., probability: _Optional[float] = ...) -> None: ...
