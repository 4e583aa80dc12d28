"""From the messages a server sends to plain values."""

from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from wearcast.signals.alerts import Alert, AlertKind
from wearcast.signals.contract import Contract
from wearcast.signals.errors import MismatchError
from wearcast.signals.estimate import (
    Answer,
    Band,
    Crossing,
    CrossingState,
    DetectorStage,
    Estimate,
    FaultDiagnosis,
    Forecast,
    ForecastPoint,
    LifeLine,
    Outlier,
    RemainingLife,
)
from wearcast.signals.stages import SEVERE
from wearcast.v1 import alert_pb2, estimate_pb2, machine_health_pb2, model_pb2, samples_pb2


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know.

    code: the protocol's name, such as LIFE_ALARM; of a newer server's, such as NOTICE_CODE_9. The
    client's own are RECONNECTING and RECONNECTED, which belong to no block.
    """

    code: str
    sequence: int | None
    text: str

    def __str__(self) -> str:
        """For people."""
        return self.text if self.sequence is None else f"block {self.sequence}: {self.text}"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Every estimate whose window ends at or before block `sequence` is stored."""

    sequence: int


def decode_model(message: model_pb2.Model) -> Contract:
    """The contract of a served model.

    Raises:
        ArtefactError: the contract is of a format that this client does not know.
    """
    return Contract.from_json(message.contract_json)


def decode_notice(message: machine_health_pb2.Notice) -> Notice:
    """The notice in a message."""
    code = _name(machine_health_pb2.NoticeCode, message.code, "NOTICE_CODE_")
    return Notice(code, message.sequence, message.text)


def decode_alert(message: alert_pb2.Alert) -> Alert:
    """The alert in a message.

    Raises:
        MismatchError: it is of a kind that this client does not know.
    """
    try:
        kind = AlertKind(_name(alert_pb2.AlertKind, message.kind, "ALERT_KIND_"))
        stage, previous_stage = map(_decode_level, (message.stage, message.previous_stage))
    except ValueError as error:
        raise MismatchError("alert", "one that this client knows", error) from error
    return Alert(
        id=message.id,
        asset=message.asset,
        kind=kind,
        time_us=_decode_time(message.time),
        detector=message.detector,
        channel=message.channel,
        unit=message.unit,
        stage=stage,
        previous_stage=previous_stage,
        value=message.value if message.HasField("value") else None,
        cause=message.cause,
        model=message.model,
        quality=tuple(message.quality),
    )


def _decode_level(stage: int) -> int:
    level = stage - estimate_pb2.STAGE_NORMAL
    if not 0 <= level <= SEVERE:
        raise ValueError(f"stage {stage}")
    return level


def decode_estimates(message: machine_health_pb2.EstimateBatch) -> list[Estimate]:
    """The estimates in a message.

    Raises:
        MismatchError: an answer is none that this client knows.
    """
    return [_decode_estimate(item, message.model) for item in message.estimates]


def _decode_estimate(message: estimate_pb2.Estimate, model: str) -> Estimate:
    try:
        answer = _decode_answer(message)
    except ValueError as error:
        expected = "an answer that this client knows"
        raise MismatchError(f"estimates[{message.sequence}]", expected, error) from error
    return Estimate(
        sequence=message.sequence,
        window_end_us=_decode_time(message.window_end),
        quality=tuple(
            _name(samples_pb2.QualityFlag, flag, "QUALITY_FLAG_") for flag in message.quality
        ),
        answer=answer,
        model=model,
    )


def _decode_answer(message: estimate_pb2.Estimate) -> Answer:
    kind = message.WhichOneof("answer")
    if kind == "remaining_life":
        return _decode_remaining_life(message.remaining_life)
    if kind == "forecast":
        return _decode_forecast(message.forecast)
    if kind == "outlier":
        return Outlier(tuple(_decode_stage(item) for item in message.outlier.stages))
    if kind == "fault_diagnosis":
        return _decode_diagnosis(message.fault_diagnosis)
    raise ValueError(kind or "nothing")


def _decode_forecast(message: estimate_pb2.Forecast) -> Forecast:
    return Forecast(
        tuple(
            ForecastPoint(
                channel=point.channel,
                unit=point.unit,
                horizon_s=point.horizon_s,
                values=tuple((item.quantile, item.value) for item in point.values),
            )
            for point in message.points
        )
    )


def _decode_diagnosis(message: estimate_pb2.FaultDiagnosis) -> FaultDiagnosis:
    return FaultDiagnosis(
        probabilities=tuple((item.fault, item.probability) for item in message.probabilities),
        novelty=message.novelty if message.HasField("novelty") else None,
        diagnosis=message.diagnosis,
        unknown=message.unknown,
    )


def _decode_stage(message: estimate_pb2.DetectorStage) -> DetectorStage:
    applies = message.stage != estimate_pb2.STAGE_NOT_APPLICABLE
    if message.stage not in estimate_pb2.Stage.values() or not message.stage:
        raise ValueError(f"stage {message.stage}")
    return DetectorStage(
        detector=message.detector,
        channel=message.channel,
        unit=message.unit,
        # After "not set" and "not applicable" come the stages in order.
        stage=message.stage - estimate_pb2.STAGE_NORMAL if applies else None,
        percentile=message.percentile if applies else None,
        value=message.value if applies and message.cause != "MISSING" else None,
        cause=message.cause,
    )


def _name(codes: Any, number: int, prefix: str) -> str:  # noqa: ANN401 - generated, untyped
    """Name of a code without the prefix; one that only a newer server knows as PREFIX_NUMBER."""
    if number not in codes.values():
        return f"{prefix}{number}"
    return str(codes.Name(number)).removeprefix(prefix)


def _decode_time(time: Timestamp) -> int:
    return int(time.seconds) * 1_000_000 + int(time.nanos) // 1000


def _decode_remaining_life(message: estimate_pb2.RemainingLife) -> RemainingLife:
    return RemainingLife(
        life_fraction=message.life_fraction,
        age_s=message.age_s,
        rul_s=message.rul_s,
        rul_low_s=message.rul_low_s,
        rul_high_s=message.rul_high_s,
        interval_probability=message.interval_probability,
        failure_probabilities=tuple(
            (item.horizon_s, item.probability) for item in message.failure_probabilities
        ),
        line=_decode_line(message.line),
        band=Band(_name(estimate_pb2.LifeBand, message.band, "LIFE_BAND_")),
        alarm=message.alarm,
    )


def _decode_line(message: estimate_pb2.LifeLine) -> LifeLine:
    if message.points < 2:  # noqa: PLR2004
        return LifeLine(message.points, None, None, ())
    return LifeLine(
        message.points,
        message.value,
        message.slope_per_s,
        tuple(_decode_crossing(item) for item in message.crossings),
    )


def _decode_crossing(message: estimate_pb2.LineCrossing) -> Crossing:
    state = CrossingState(_name(estimate_pb2.CrossingState, message.state, "CROSSING_STATE_"))
    ahead = state is CrossingState.AHEAD
    return Crossing(message.level, state, message.remaining_s if ahead else None)
