"""From the outputs of a graph to the answer that its kind of model gives."""

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import Contract, ForecastPart, OutlierPart
from wearcast.signals.diagnosis import DiagnosisTracker
from wearcast.signals.errors import MismatchError
from wearcast.signals.estimate import (
    Answer,
    DetectorStage,
    FaultDiagnosis,
    Forecast,
    ForecastPoint,
    Outlier,
    RemainingLife,
)
from wearcast.signals.life import LifeTracker

# One window's outputs by name, float32 of the output's shape.
Outputs = Mapping[str, NDArray[np.float32]]


class Reader(Protocol):
    """Reads one asset's outputs, window after window.

    memory: how many earlier answers the next one hangs on.
    """

    @property
    def memory(self) -> int: ...  # noqa: D102

    def restore(self, answer: Answer) -> None:
        """Remember an answer given earlier."""

    def read(self, age_s: float, outputs: Outputs) -> Answer:
        """The answer at an operating time, in seconds."""


def make_reader(contract: Contract) -> Reader:
    """The reader for a contract's kind.

    Raises:
        MismatchError: the kind is none that is known here.
    """
    if contract.rul is not None:
        return _LifeReader(LifeTracker(contract.rul))
    if contract.forecast is not None:
        units = {channel.name: channel.unit for channel in contract.channels}
        return _ForecastReader(contract.forecast, units)
    if contract.outlier is not None:
        return _OutlierReader(contract.outlier)
    if contract.fault is not None:
        return _FaultReader(DiagnosisTracker(contract.fault))
    raise MismatchError("kind", "rul, forecast, outlier or fault", contract.kind)


class _LifeReader:
    def __init__(self, tracker: LifeTracker) -> None:
        self._tracker = tracker
        self.memory = tracker.memory

    def restore(self, answer: Answer) -> None:
        if not isinstance(answer, RemainingLife):
            raise MismatchError("answer", "RemainingLife", type(answer).__name__)
        self._tracker.restore(answer)

    def read(self, age_s: float, outputs: Outputs) -> Answer:
        return self._tracker.update(age_s, float(outputs["life_fraction"]))


class _ForecastReader:
    """Nothing is remembered but where to go on."""

    memory = 1

    def __init__(self, part: ForecastPart, units: Mapping[str, str]) -> None:
        self._part = part
        self._units = units

    def restore(self, answer: Answer) -> None:
        pass

    def read(self, age_s: float, outputs: Outputs) -> Answer:  # noqa: ARG002
        part = self._part
        return Forecast(
            tuple(
                ForecastPoint(
                    channel=target,
                    unit=self._units[target],
                    horizon_s=horizon_s,
                    values=tuple(zip(part.quantiles, row, strict=True)),
                )
                for target in part.targets
                for horizon_s, row in zip(part.horizons_s, outputs[target].tolist(), strict=True)
            )
        )


class _OutlierReader:
    """Nothing is remembered but where to go on."""

    memory = 1

    def __init__(self, part: OutlierPart) -> None:
        self._part = part

    def restore(self, answer: Answer) -> None:
        pass

    def read(self, age_s: float, outputs: Outputs) -> Answer:  # noqa: ARG002
        names = ("value", "percentile", "stage", "cause")
        rows = zip(self._part.points, *(outputs[name].tolist() for name in names), strict=True)
        stages = []
        for point, value, percentile, stage, cause_number in rows:
            applies = stage >= 0
            cause = self._part.causes[int(cause_number) - 1] if cause_number > 0 else ""
            known = applies and cause != "MISSING" and math.isfinite(value)
            stages.append(
                DetectorStage(
                    detector=point.detector,
                    channel=point.channel,
                    unit=point.unit,
                    stage=round(stage) if applies else None,
                    percentile=percentile if applies else None,
                    value=value if known else None,
                    cause=cause,
                )
            )
        return Outlier(tuple(stages))


class _FaultReader:
    def __init__(self, tracker: DiagnosisTracker) -> None:
        self._tracker = tracker
        self.memory = tracker.memory

    def restore(self, answer: Answer) -> None:
        if not isinstance(answer, FaultDiagnosis):
            raise MismatchError("answer", "FaultDiagnosis", type(answer).__name__)
        self._tracker.restore(answer)

    def read(self, age_s: float, outputs: Outputs) -> Answer:  # noqa: ARG002
        novelty = float(outputs["novelty"]) if "novelty" in outputs else None
        return self._tracker.update(outputs["probability"].tolist(), novelty)
