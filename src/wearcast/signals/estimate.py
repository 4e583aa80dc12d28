"""Answers as plain values: what serving computes, the store keeps and clients write to files."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import msgspec

from wearcast.signals.errors import MismatchError


class Quality(StrEnum):
    """What is known about the input of an answer; the names are those of the protocol."""

    AFTER_GAP = "AFTER_GAP"
    CLOCK_JUMP = "CLOCK_JUMP"
    CONSTANT = "CONSTANT"
    CLIPPED = "CLIPPED"
    FILLED = "FILLED"
    MISSING = "MISSING"


class Band(StrEnum):
    """Where an asset stands between new and failed."""

    HEALTHY = "HEALTHY"
    WORN = "WORN"
    WARNING = "WARNING"
    ALARM = "ALARM"


class CrossingState(StrEnum):
    """Whether and when a line reaches a level."""

    NO_CROSSING = "NO_CROSSING"
    AHEAD = "AHEAD"
    ALREADY_CROSSED = "ALREADY_CROSSED"


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where the line through life fractions reaches a level; `remaining_s` only with AHEAD."""

    level: float
    state: CrossingState
    remaining_s: float | None = None


@dataclass(frozen=True, slots=True)
class LifeLine:
    """A robust straight line through recent life fractions, seen from the newest one.

    It is corrected for what the model gets wrong on average, see `wearcast.signals.life`; so its
    value can lie outside 0 to 1.

    `value` is the line's life fraction now, `slope_per_s` its slope a second. Below 2 points there
    is no line: value and slope are None and there are no crossings.
    """

    points: int
    value: float | None
    slope_per_s: float | None
    crossings: tuple[Crossing, ...]


class RemainingLife(msgspec.Struct, frozen=True, tag=True):
    """How much life is left; see `wearcast.signals.life` for how it is found.

    life_fraction: 0 new, 1 failed, high is bad. age_s: operating time. rul_s: median of the
    remaining seconds, between rul_low_s and rul_high_s with probability interval_probability.
    failure_probabilities: pairs (seconds from now, probability of failing by then).
    """

    life_fraction: float
    age_s: float
    rul_s: float
    rul_low_s: float
    rul_high_s: float
    interval_probability: float
    failure_probabilities: tuple[tuple[float, float], ...]
    line: LifeLine
    band: Band
    alarm: bool


class ForecastPoint(msgspec.Struct, frozen=True):
    """One channel's future reading, `horizon_s` after the window's last sample.

    values: pairs (quantile, reading in the unit), both rising.
    """

    channel: str
    unit: str
    horizon_s: float
    values: tuple[tuple[float, float], ...]


class Forecast(msgspec.Struct, frozen=True, tag=True):
    """What sensors will read: one point for each channel and horizon."""

    points: tuple[ForecastPoint, ...]


class DetectorStage(msgspec.Struct, frozen=True):
    """One detector's word on one channel, or with an empty `channel` on all of them together.

    stage: 0 normal, 1 interest, 2 caution, 3 alert, 4 severe; None: the detector does not apply to
    this channel or time. percentile: 0 to 100, high is unusual. value: what was judged, in the
    unit; None where it is missing. cause: what is wrong with the sensor; empty: nothing known.
    """

    detector: str
    channel: str
    unit: str
    stage: int | None
    percentile: float | None
    value: float | None
    cause: str = ""


class Outlier(msgspec.Struct, frozen=True, tag=True):
    """How unusual readings are, by detector and channel."""

    stages: tuple[DetectorStage, ...]


class FaultDiagnosis(msgspec.Struct, frozen=True, tag=True):
    """Which fault a machine has.

    probabilities: pairs (fault, probability of this window alone); they sum to 1. novelty: how
    unlike anything in training this window is, 1 and over: unknown; None: the model can't tell.
    diagnosis: the fault, stable over time, see `wearcast.signals.diagnosis`; empty where unknown.
    """

    probabilities: tuple[tuple[str, float], ...]
    novelty: float | None
    diagnosis: str
    unknown: bool


Answer = RemainingLife | Forecast | Outlier | FaultDiagnosis
Kind = TypeVar("Kind", RemainingLife, Forecast, Outlier, FaultDiagnosis)


@dataclass(frozen=True, slots=True)
class Estimate:
    """One answer about one window: number of its last block, time of its last sample.

    model: name of the model that answers. quality: names of `Quality`, and of flags that only a
    newer server knows.
    """

    sequence: int
    window_end_us: int
    quality: tuple[str, ...]
    answer: Answer
    model: str = ""

    @property
    def remaining_life(self) -> RemainingLife:
        """The answer of a model of kind rul.

        Raises:
            MismatchError: it is of another kind.
        """
        return self._of(RemainingLife)

    @property
    def forecast(self) -> Forecast:
        """The answer of a model of kind forecast.

        Raises:
            MismatchError: it is of another kind.
        """
        return self._of(Forecast)

    @property
    def outlier(self) -> Outlier:
        """The answer of a model of kind outlier.

        Raises:
            MismatchError: it is of another kind.
        """
        return self._of(Outlier)

    @property
    def fault_diagnosis(self) -> FaultDiagnosis:
        """The answer of a model of kind fault.

        Raises:
            MismatchError: it is of another kind.
        """
        return self._of(FaultDiagnosis)

    def _of(self, kind: type[Kind]) -> Kind:
        if not isinstance(self.answer, kind):
            raise MismatchError("answer", kind.__name__, type(self.answer).__name__)
        return self.answer
