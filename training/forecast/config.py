"""What every forecaster is made of, whatever its architecture."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from msgspec import Meta

from wearcast.training.config import Count, NotNegative, Positive

Calendar = Literal["none", "day", "week"]
Variant = Literal["direct", "recursive"]
Share = Annotated[float, Meta(gt=0, lt=1)]
# As many times a recursive network is unrolled in the graph at the most.
MOST_ITERATIONS = 64
_HOUR_ROWS = 60
_LEAST_WINDOWS = 1024


@dataclass(frozen=True)
class ForecastConfig:
    """Sizes and times; a row is one step of time.

    channels: of the input. targets: places of those that are forecast. sequence: rows of a window.
    step_min: minutes between rows. horizons: rows from a window's last to the last of those whose
    mean is the value. mean: how many rows that is. calendar: whether the usual course of a day or
    week is taken off the readings and put back on the forecast. recursive: the network says the
    rows up to the first horizon, and goes on from there with its own answers.
    """

    channels: Count
    targets: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(min_length=1)]
    sequence: Count
    horizons: Annotated[tuple[Count, ...], Meta(min_length=1)]
    mean: Count = 1
    step_min: Positive = 1.0
    quantiles: Annotated[tuple[Share, ...], Meta(min_length=1)] = (0.1, 0.5, 0.9)
    calendar: Calendar = "none"
    recursive: bool = False

    def __post_init__(self) -> None:
        _check("targets", f"places below {self.channels}", max(self.targets) < self.channels)
        rising = list(self.horizons) == sorted(set(self.horizons))
        _check("horizons", "rising numbers", rising)
        _check("quantiles", "rising, 0.5 among them", _rise_around_half(self.quantiles))
        if self.recursive:
            first = self.horizons[0]
            whole = all(horizon % first == 0 for horizon in self.horizons)
            _check("horizons", f"whole multiples of {first} rows if recursive", whole)
            few = self.horizons[-1] // first <= MOST_ITERATIONS
            _check("horizons", f"at most {MOST_ITERATIONS} times the first if recursive", few)
            _check("mean", "at most the sequence if recursive", self.mean <= self.sequence)

    @property
    def middle(self) -> int:
        """Place of the median among the quantiles."""
        return self.quantiles.index(0.5)

    @property
    def ahead(self) -> int:
        """Numbers that the network says of a channel: horizons, or rows of the next window."""
        return min(self.horizons[0], self.sequence) if self.recursive else len(self.horizons)

    @property
    def answered(self) -> tuple[int, ...]:
        """Channels that the network says something of: a recursive one needs all again."""
        return tuple(range(self.channels)) if self.recursive else self.targets

    @property
    def levels(self) -> int:
        """Quantiles that a network may say: a recursive one goes on with its medians alone."""
        return 1 if self.recursive else len(self.quantiles)


@dataclass(frozen=True)
class Fitting:
    """How a network is fitted by gradient.

    An epoch takes `windows` of them in random order, `batch` a step. After `patience` epochs
    without a better validation loss it ends.
    """

    epochs: Count = 30
    patience: Count = 4
    windows: Count = 8192
    batch: Count = 64
    learning_rate: Positive = 1e-3
    weight_decay: NotNegative = 0.0
    clip_norm: Positive = 1.0

    def for_sequence(self, sequence: int) -> "Fitting":
        """The same, with fewer windows an epoch the longer they are than an hour of minutes."""
        windows = max(self.windows * _HOUR_ROWS // max(sequence, _HOUR_ROWS), _LEAST_WINDOWS)
        return replace(self, windows=min(windows, self.windows))


def _rise_around_half(quantiles: tuple[float, ...]) -> bool:
    return list(quantiles) == sorted(set(quantiles)) and 0.5 in quantiles  # noqa: PLR2004


def _check(field: str, expected: str, holds: bool) -> None:  # noqa: FBT001
    if not holds:
        # A ValueError, which the registry of architectures turns into its own error.
        raise ValueError(f"{field}: expected {expected}")
