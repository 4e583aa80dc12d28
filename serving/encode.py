"""Answers and contracts as messages of the protocol."""

from google.protobuf.timestamp_pb2 import Timestamp

from wearcast.signals.contract import Contract
from wearcast.signals.estimate import Crossing, CrossingState, Estimate, LifeLine, RemainingLife
from wearcast.v1 import estimate_pb2, model_pb2, samples_pb2

# 9999-12-31T23:59:59.999999Z: a Timestamp goes no further.
_LAST_US = 253_402_300_799_999_999


def to_timestamp(time_us: float) -> Timestamp | None:
    """A time as Timestamp; None after the year 9999, which leaves the field unset."""
    if not time_us <= _LAST_US:
        return None
    stamp = Timestamp()
    stamp.FromMicroseconds(round(time_us))
    return stamp


def encode_estimate(estimate: Estimate) -> estimate_pb2.Estimate:
    """An estimate as message."""
    return estimate_pb2.Estimate(
        sequence=estimate.sequence,
        window_end=to_timestamp(estimate.window_end_us),
        quality=[
            samples_pb2.QualityFlag.Value(f"QUALITY_FLAG_{flag}") for flag in estimate.quality
        ],
        remaining_life=_encode_life(estimate.remaining_life, estimate.window_end_us),
    )


def _encode_life(life: RemainingLife, now_us: int) -> estimate_pb2.RemainingLife:
    return estimate_pb2.RemainingLife(
        life_fraction=life.life_fraction,
        age_s=life.age_s,
        rul_s=life.rul_s,
        rul_low_s=life.rul_low_s,
        rul_high_s=life.rul_high_s,
        interval_probability=life.interval_probability,
        failure_time=to_timestamp(now_us + life.rul_s * 1e6),
        failure_probabilities=[
            estimate_pb2.FailureProbability(horizon_s=horizon_s, probability=probability)
            for horizon_s, probability in life.failure_probabilities
        ],
        line=_encode_line(life.line, now_us),
        band=estimate_pb2.LifeBand.Value(f"LIFE_BAND_{life.band.name}"),
        alarm=life.alarm,
    )


def _encode_line(line: LifeLine, now_us: int) -> estimate_pb2.LifeLine:
    return estimate_pb2.LifeLine(
        points=line.points,
        value=line.value,
        slope_per_s=line.slope_per_s,
        crossings=[_encode_crossing(crossing, now_us) for crossing in line.crossings],
    )


def _encode_crossing(crossing: Crossing, now_us: int) -> estimate_pb2.LineCrossing:
    message = estimate_pb2.LineCrossing(
        level=crossing.level,
        state=estimate_pb2.CrossingState.Value(f"CROSSING_STATE_{crossing.state.name}"),
    )
    if crossing.state is CrossingState.AHEAD and crossing.remaining_s is not None:
        message.remaining_s = crossing.remaining_s
        stamp = to_timestamp(now_us + crossing.remaining_s * 1e6)
        if stamp is not None:
            message.time.CopyFrom(stamp)
    return message


def encode_model(contract: Contract, contract_json: str) -> model_pb2.Model:
    """A model's contract as message."""
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
        contract_json=contract_json,
    )
