"""Answers and contracts as messages of the protocol.

Parts are fields by name until the whole is made: a message in a message would be copied each time.
"""

from collections.abc import Sequence
from typing import Any

from wearcast.serving.engine import Served
from wearcast.signals.estimate import (
    Crossing,
    CrossingState,
    Estimate,
    FaultDiagnosis,
    Forecast,
    LifeLine,
    Outlier,
    Quality,
    RemainingLife,
)
from wearcast.v1 import estimate_pb2, model_pb2, samples_pb2

Fields = dict[str, Any]

_FLAGS: dict[str, Any] = {
    flag: samples_pb2.QualityFlag.Value(f"QUALITY_FLAG_{flag}") for flag in Quality
}
_STAGES = {
    None: estimate_pb2.STAGE_NOT_APPLICABLE,
    0: estimate_pb2.STAGE_NORMAL,
    1: estimate_pb2.STAGE_INTEREST,
    2: estimate_pb2.STAGE_CAUTION,
    3: estimate_pb2.STAGE_ALERT,
    4: estimate_pb2.STAGE_SEVERE,
}
# 9999-12-31T23:59:59.999999Z: a Timestamp goes no further.
_LAST_US = 253_402_300_799_999_999


def to_timestamp(time_us: float) -> Fields | None:
    """A time as fields of a Timestamp; None after the year 9999, which leaves it unset."""
    if not time_us <= _LAST_US:
        return None
    seconds, micros = divmod(round(time_us), 1_000_000)
    return {"seconds": seconds, "nanos": micros * 1_000}


def encode_estimates(estimates: Sequence[Estimate], version: int) -> Fields:
    """Estimates of one model and version, one or more, as fields of an EstimateBatch."""
    return {
        "estimates": [_encode_estimate(estimate) for estimate in estimates],
        "model": estimates[0].model,
        "version": version,
    }


def encode_estimate(estimate: Estimate) -> estimate_pb2.Estimate:
    """An estimate as message."""
    return estimate_pb2.Estimate(**_encode_estimate(estimate))


def _encode_estimate(estimate: Estimate) -> Fields:
    now_us = estimate.window_end_us
    fields: Fields = {
        "sequence": estimate.sequence,
        "window_end": to_timestamp(now_us),
        "quality": [_FLAGS[flag] for flag in estimate.quality],
    }
    if isinstance(estimate.answer, RemainingLife):
        fields["remaining_life"] = _encode_life(estimate.answer, now_us)
    elif isinstance(estimate.answer, Forecast):
        fields["forecast"] = _encode_forecast(estimate.answer, now_us)
    elif isinstance(estimate.answer, Outlier):
        fields["outlier"] = _encode_outlier(estimate.answer)
    else:
        fields["fault_diagnosis"] = _encode_diagnosis(estimate.answer)
    return fields


def _encode_forecast(forecast: Forecast, now_us: int) -> Fields:
    points = [
        {
            "channel": point.channel,
            "unit": point.unit,
            "horizon_s": point.horizon_s,
            "time": to_timestamp(now_us + point.horizon_s * 1e6),
            "values": [{"quantile": quantile, "value": value} for quantile, value in point.values],
        }
        for point in forecast.points
    ]
    return {"points": points}


def _encode_outlier(outlier: Outlier) -> Fields:
    stages = [
        {
            "detector": item.detector,
            "channel": item.channel,
            "unit": item.unit,
            "stage": _STAGES[item.stage],
            "percentile": item.percentile,
            "value": item.value,
            "cause": item.cause,
        }
        for item in outlier.stages
    ]
    return {"stages": stages}


def _encode_diagnosis(answer: FaultDiagnosis) -> Fields:
    return {
        "probabilities": [
            {"fault": fault, "probability": probability}
            for fault, probability in answer.probabilities
        ],
        "novelty": answer.novelty,
        "diagnosis": answer.diagnosis,
        "unknown": answer.unknown,
    }


def _encode_life(life: RemainingLife, now_us: int) -> Fields:
    return {
        "life_fraction": life.life_fraction,
        "age_s": life.age_s,
        "rul_s": life.rul_s,
        "rul_low_s": life.rul_low_s,
        "rul_high_s": life.rul_high_s,
        "interval_probability": life.interval_probability,
        "failure_time": to_timestamp(now_us + life.rul_s * 1e6),
        "failure_probabilities": [
            {"horizon_s": horizon_s, "probability": probability}
            for horizon_s, probability in life.failure_probabilities
        ],
        "line": _encode_line(life.line, now_us),
        "band": estimate_pb2.LifeBand.Value(f"LIFE_BAND_{life.band.name}"),
        "alarm": life.alarm,
    }


def _encode_line(line: LifeLine, now_us: int) -> Fields:
    return {
        "points": line.points,
        "value": line.value,
        "slope_per_s": line.slope_per_s,
        "crossings": [_encode_crossing(crossing, now_us) for crossing in line.crossings],
    }


def _encode_crossing(crossing: Crossing, now_us: int) -> Fields:
    fields: Fields = {
        "level": crossing.level,
        "state": estimate_pb2.CrossingState.Value(f"CROSSING_STATE_{crossing.state.name}"),
    }
    if crossing.state is CrossingState.AHEAD and crossing.remaining_s is not None:
        fields["remaining_s"] = crossing.remaining_s
        fields["time"] = to_timestamp(now_us + crossing.remaining_s * 1e6)
    return fields


def encode_model(served: Served) -> model_pb2.Model:
    """A model's contract, and what it is called here, as message."""
    contract = served.contract
    return model_pb2.Model(
        name=contract.name,
        version=contract.version,
        kind=model_pb2.ModelKind.Value(f"MODEL_KIND_{contract.kind.upper()}"),
        channels=[
            model_pb2.Channel(name=channel.name, unit=channel.unit) for channel in contract.channels
        ],
        sample_rate_hz=contract.sample_rate_hz,
        window=contract.window,
        hop_s=contract.hop_s,
        sequence=contract.sequence,
        batch_sizes=sorted(contract.batch_sizes),
        outputs=[
            model_pb2.Output(name=output.name, unit=output.unit, shape=output.shape)
            for output in contract.outputs
        ],
        contract_json=served.contract_json,
        every_s=contract.every_s,
        time_zone=contract.time_zone,
        missing=contract.missing,
        labels=served.labels,
    )
