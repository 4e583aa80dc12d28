"""The parcel in a message of an edge service, checked as far as it stands for itself."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from wearcast.signals.alerts import Alert, AlertKind
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import Estimate, Forecast, ForecastPoint
from wearcast.signals.parcel import Parcel, ParcelKind
from wearcast.signals.plant_table import Columns, PlantRow
from wearcast.v1 import alert_pb2, estimate_pb2, ingest_pb2, samples_pb2

_KEY_LENGTH = 1000
_ASSET_LENGTH = 200
_NANOS = 1_000_000_000
# 9998-12-31T23:59:59Z: what follows from a time stays before the year 10000, where texts end.
_LAST_S = 253_370_764_799
_STAGES = range(-2, 5)
_NOT_JUDGED = -2


def decode_parcel(request: ingest_pb2.IngestRequest) -> Parcel:
    """The parcel in a request.

    Raises:
        InputError: a field is not what it should be.
    """
    asset = _text("asset", request.asset, _ASSET_LENGTH)
    first_us = _time_us("first", request, "first")
    end_us = _time_us("end", request, "end")
    if end_us < first_us:
        raise InputError("end", "a time not before first", request.end.ToJsonString())
    columns = _decode_columns(request) if request.rows else None
    return Parcel(
        key=_text("key", request.key, _KEY_LENGTH),
        asset=asset,
        kind=ParcelKind(_name("kind", ingest_pb2.ParcelKind, request.kind, "PARCEL_KIND_")),
        first_us=first_us,
        end_us=end_us,
        created_us=_time_us("created", request, "created"),
        expected=request.expected,
        complete=request.complete,
        columns=columns,
        rows=tuple(_decode_rows(request.rows, columns)) if columns else (),
        forecasts=tuple(
            _decode_forecast(f"forecasts[{place}]", item)
            for place, item in enumerate(request.forecasts)
        ),
        alerts=tuple(
            _decode_alert(f"alerts[{place}]", item, asset)
            for place, item in enumerate(request.alerts)
        ),
    )


def _decode_columns(request: ingest_pb2.IngestRequest) -> Columns:
    message = request.columns
    if not message.channels:
        raise InputError("columns.channels", "one channel or more", "none")
    columns = Columns(
        tuple((channel.name, channel.unit) for channel in message.channels),
        tuple((point.detector, point.channel) for point in message.points),
    )
    names = columns.names
    if not all(name for name, _ in columns.channels) or len(set(names)) < len(names):
        raise InputError("columns", "names that are unique and not empty", ", ".join(names))
    return columns


def _decode_rows(rows: Sequence[ingest_pb2.PlantRow], columns: Columns) -> Iterable[PlantRow]:
    channels, points = len(columns.channels), len(columns.points)
    for place, row in enumerate(rows):
        field = f"rows[{place}]"
        for name, count in (("readings", channels), ("predictions", channels), ("stages", points)):
            if len(getattr(row, name)) != count:
                got = len(getattr(row, name))
                raise InputError(f"{field}.{name}", f"{count} (as in columns)", got)
        for stage in row.stages:
            if stage not in _STAGES:
                raise InputError(f"{field}.stages", "-2 to 4", stage)
        yield PlantRow(
            _time_us(f"{field}.time", row, "time"),
            tuple(_or_none(f"{field}.readings", value) for value in row.readings),
            tuple(_or_none(f"{field}.predictions", value) for value in row.predictions),
            tuple(None if stage == _NOT_JUDGED else stage for stage in row.stages),
            tuple(row.quality),
        )


def _decode_forecast(field: str, message: ingest_pb2.PlantForecast) -> Estimate:
    estimate = message.estimate
    if estimate.WhichOneof("answer") != "forecast":
        got = estimate.WhichOneof("answer") or "nothing"
        raise InputError(f"{field}.estimate.answer", "forecast", got)
    if not message.model:
        raise InputError(f"{field}.model", "a name", "none")
    flags = samples_pb2.QualityFlag
    points = f"{field}.estimate.forecast.points"
    return Estimate(
        sequence=estimate.sequence,
        window_end_us=_time_us(f"{field}.estimate.window_end", estimate, "window_end"),
        quality=tuple(
            flags.Name(flag).removeprefix("QUALITY_FLAG_")
            if flag in flags.values()
            else f"QUALITY_FLAG_{flag}"
            for flag in estimate.quality
        ),
        answer=Forecast(
            tuple(
                ForecastPoint(
                    point.channel,
                    point.unit,
                    _finite(f"{points}.horizon_s", point.horizon_s),
                    tuple(
                        (
                            _finite(f"{points}.values.quantile", item.quantile),
                            _finite(f"{points}.values.value", item.value),
                        )
                        for item in point.values
                    ),
                )
                for point in estimate.forecast.points
            )
        ),
        model=message.model,
    )


def _decode_alert(field: str, message: alert_pb2.Alert, asset: str) -> Alert:
    if message.asset != asset:
        raise InputError(f"{field}.asset", f"the parcel's, {asset!r}", repr(message.asset))
    has_value = message.HasField("value")
    return Alert(
        id=_text(f"{field}.id", message.id, _KEY_LENGTH),
        asset=asset,
        kind=AlertKind(_name(f"{field}.kind", alert_pb2.AlertKind, message.kind, "ALERT_KIND_")),
        time_us=_time_us(f"{field}.time", message, "time"),
        detector=message.detector,
        channel=message.channel,
        unit=message.unit,
        stage=_stage(f"{field}.stage", message.stage),
        previous_stage=_stage(f"{field}.previous_stage", message.previous_stage),
        value=_finite(f"{field}.value", message.value) if has_value else None,
        cause=message.cause,
        model=message.model,
        quality=tuple(message.quality),
    )


def _text(field: str, text: str, longest: int) -> str:
    if not 1 <= len(text) <= longest or not text.isprintable():
        got = f"{len(text)} characters: {text[:40]!r}"
        raise InputError(field, f"1 to {longest} printable characters", got)
    return text


def _name(field: str, codes: Any, number: int, prefix: str) -> str:  # noqa: ANN401 - generated
    """Name of a code without its prefix."""
    names = [name.removeprefix(prefix) for name in codes.keys()[1:]]
    if number not in codes.values()[1:]:
        raise InputError(field, f"one of {', '.join(names)}", number)
    return str(codes.Name(number)).removeprefix(prefix)


def _stage(field: str, stage: int) -> int:
    if not estimate_pb2.STAGE_NORMAL <= stage <= estimate_pb2.STAGE_SEVERE:
        raise InputError(field, "NORMAL to SEVERE", stage)
    return stage - estimate_pb2.STAGE_NORMAL


def _or_none(field: str, value: float) -> float | None:
    return None if math.isnan(value) else _finite(field, value)


def _finite(field: str, value: float) -> float:
    if not math.isfinite(value):
        raise InputError(field, "a finite number", value)
    return value


def _time_us(field: str, message: Any, name: str) -> int:  # noqa: ANN401 - any message with a time
    if not message.HasField(name):
        raise InputError(field, "a time", "none", reason="TIME")
    stamp: Timestamp = getattr(message, name)
    if not 0 <= stamp.nanos < _NANOS or not 0 <= stamp.seconds <= _LAST_S:
        got = f"{stamp.seconds} s and {stamp.nanos} ns after 1970"
        raise InputError(field, "a time from 1970 to 9998, UTC", got, reason="TIME")
    return int(stamp.seconds * 1_000_000 + stamp.nanos // 1_000)
