"""What an outlier model is made of: its channels, its detectors and the order of what they say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from wearcast.signals.contract import OutlierPart, OutlierPoint
from wearcast.signals.stages import DAY_MIN, SLOT_MIN, Side
from wearcast.training.config import Count, Positive

SYSTEM = "system"
ACTUAL = "actual"
PREDICTED = "predicted"
NIGHT = "night"
MULTIVARIATE = "multivariate"
# What the system detector finds, in the order in which it looks.
CAUSES = ("MISSING", "STUCK", "RANGE", "JUMP")
# A distance is counted in standard deviations of what is normal.
DISTANCE_UNIT = "sd"


@dataclass(frozen=True)
class OutlierConfig:
    """Channels and sizes of a model; what is fitted stands in its weights.

    sides: for each channel which readings are unusual. flows: the channels that have a least flow
    at night. step_s: from one row to the next. sequence: rows of a window. history: the oldest of
    them, which tell the newest; it comes sequence - history rows after them. smoothing: newest rows
    whose mean the multivariate detector judges. clock: whether the time of the week is an input.
    night_start_min, night_slots: where the night begins, minutes since 0:00, and its ten-minute
    slots; 0 slots: no such detector.
    """

    channels: Annotated[tuple[str, ...], Meta(min_length=1)]
    sides: tuple[Side, ...]
    flows: tuple[str, ...] = ()
    step_s: Positive = 60.0
    sequence: Count = 120
    history: Count = 60
    smoothing: Count = 10
    clock: bool = True
    night_start_min: Annotated[int, Meta(ge=0, lt=DAY_MIN)] = 1320
    night_slots: Annotated[int, Meta(ge=0, le=DAY_MIN // SLOT_MIN)] = 42

    def __post_init__(self) -> None:
        _check("sides", f"{len(self.channels)}, one a channel", len(self.sides) == self.size)
        _check("flows", "some of the channels", set(self.flows) <= set(self.channels))
        _check("history", "fewer than the sequence", self.history < self.sequence)
        _check("smoothing", "at most the sequence", self.smoothing <= self.sequence)
        _check("night_slots", "0 without a clock", self.clock or not self.night_slots)
        _check("sequence", f"{self.night_rows} or more", self.sequence >= self.night_rows)

    @property
    def size(self) -> int:
        """Number of channels."""
        return len(self.channels)

    @property
    def has_night(self) -> bool:
        """Whether there is a night detector that can ever apply: slots, flows, short steps."""
        return bool(self.night_slots and self.flows) and self.step_s <= SLOT_MIN * 60

    @property
    def night_rows(self) -> int:
        """Rows that hold the newest complete slot, wherever the newest row is in the next one."""
        return int(2 * SLOT_MIN * 60 / self.step_s) if self.has_night else 1

    @property
    def has_multivariate(self) -> bool:
        """Whether there are channels that could move together."""
        return self.size > 1

    @property
    def detectors(self) -> tuple[str, ...]:
        """The detectors that judge each channel alone."""
        return (SYSTEM, ACTUAL, PREDICTED, *([NIGHT] if self.night_slots else []))


def outlier_part(config: OutlierConfig, units: Mapping[str, str]) -> OutlierPart:
    """What the model judges, in the order of its outputs: channel by channel, then all together."""
    points = [
        OutlierPoint(detector, channel, units[channel])
        for channel in config.channels
        for detector in config.detectors
    ]
    if config.has_multivariate:
        points.append(OutlierPoint(MULTIVARIATE, "", DISTANCE_UNIT))
    return OutlierPart(points=tuple(points), causes=CAUSES)


def _check(field: str, expected: str, holds: bool) -> None:  # noqa: FBT001
    if not holds:
        raise ValueError(f"{field}: expected {expected}")
