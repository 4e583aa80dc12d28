"""Parcels as messages of IngestService."""

import math
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp

from wearcast.signals.alerts import Alert
from wearcast.signals.estimate import Estimate
from wearcast.signals.parcel import Parcel
from wearcast.signals.plant_table import Columns, PlantRow
from wearcast.v1 import alert_pb2, estimate_pb2, ingest_pb2, samples_pb2

_NOT_JUDGED = -2
_FLAG = "QUALITY_FLAG_"


def encode_parcel(parcel: Parcel) -> ingest_pb2.IngestRequest:
    """The message of a parcel.

    Raises:
        MismatchError: a forecast is something else.
        TypeError, ValueError: the protocol can't say it.
    """
    return ingest_pb2.IngestRequest(
        key=parcel.key,
        asset=parcel.asset,
        kind=ingest_pb2.ParcelKind.Value(f"PARCEL_KIND_{parcel.kind}"),
        first=_to_timestamp(parcel.first_us),
        end=_to_timestamp(parcel.end_us),
        created=_to_timestamp(parcel.created_us),
        expected=parcel.expected,
        complete=parcel.complete,
        columns=_encode_columns(parcel.columns) if parcel.columns else None,
        rows=[_encode_row(row) for row in parcel.rows],
        forecasts=[_encode_forecast(estimate) for estimate in parcel.forecasts],
        alerts=[_encode_alert(alert) for alert in parcel.alerts],
    )


def _encode_columns(columns: Columns) -> ingest_pb2.PlantColumns:
    return ingest_pb2.PlantColumns(
        channels=[ingest_pb2.PlantChannel(name=name, unit=unit) for name, unit in columns.channels],
        points=[
            ingest_pb2.PlantPoint(detector=detector, channel=channel)
            for detector, channel in columns.points
        ],
    )


def _encode_row(row: PlantRow) -> ingest_pb2.PlantRow:
    return ingest_pb2.PlantRow(
        time=_to_timestamp(row.time_us),
        readings=[_or_nan(value) for value in row.readings],
        predictions=[_or_nan(value) for value in row.predictions],
        stages=[_NOT_JUDGED if stage is None else stage for stage in row.stages],
        quality=row.quality,
    )


def _encode_forecast(estimate: Estimate) -> ingest_pb2.PlantForecast:
    points = [
        estimate_pb2.ForecastPoint(
            channel=point.channel,
            unit=point.unit,
            horizon_s=point.horizon_s,
            time=_to_timestamp(estimate.window_end_us + round(point.horizon_s * 1e6)),
            values=[
                estimate_pb2.QuantileValue(quantile=quantile, value=value)
                for quantile, value in point.values
            ],
        )
        for point in estimate.forecast.points
    ]
    return ingest_pb2.PlantForecast(
        model=estimate.model,
        estimate=estimate_pb2.Estimate(
            sequence=estimate.sequence,
            window_end=_to_timestamp(estimate.window_end_us),
            quality=[_encode_flag(flag) for flag in estimate.quality],
            forecast=estimate_pb2.Forecast(points=points),
        ),
    )


def _encode_alert(alert: Alert) -> alert_pb2.Alert:
    return alert_pb2.Alert(
        id=alert.id,
        asset=alert.asset,
        kind=alert_pb2.AlertKind.Value(f"ALERT_KIND_{alert.kind}"),
        time=_to_timestamp(alert.time_us),
        detector=alert.detector,
        channel=alert.channel,
        unit=alert.unit,
        stage=_encode_stage(alert.stage),
        previous_stage=_encode_stage(alert.previous_stage),
        value=alert.value,
        cause=alert.cause,
        model=alert.model,
        quality=alert.quality,
    )


def _encode_flag(flag: str) -> samples_pb2.QualityFlag:
    """Number of a flag; one that only a newer server knows is named by its number."""
    known = not flag.startswith(_FLAG)
    number = (
        samples_pb2.QualityFlag.Value(f"{_FLAG}{flag}") if known else int(flag.removeprefix(_FLAG))
    )
    return cast("samples_pb2.QualityFlag", number)


def _encode_stage(stage: int) -> estimate_pb2.Stage:
    """After "not set" and "not applicable" come the stages in order."""
    return cast("estimate_pb2.Stage", estimate_pb2.STAGE_NORMAL + stage)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _to_timestamp(time_us: int) -> Timestamp:
    seconds, microseconds = divmod(time_us, 1_000_000)
    return Timestamp(seconds=seconds, nanos=microseconds * 1000)
