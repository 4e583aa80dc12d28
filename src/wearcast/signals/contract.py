"""The contract of an exported model: all that a server or client must know beside the graph.

It travels as JSON in the metadata of each ONNX file under the key `CONTRACT_KEY`.
"""

from itertools import pairwise
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from wearcast.signals.clock import find_zone
from wearcast.signals.errors import ArtefactError, InputError

CONTRACT_KEY = "wearcast.contract"
FORMAT = 2
Positive = Annotated[float, Meta(gt=0)]


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One channel of the input."""

    name: str
    unit: str


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One output of the graph; `shape` is one row's, without the batch dimension.

    `tolerance` is absolute, in the output's unit: how far another runtime or machine may be from
    the golden outputs.
    """

    name: str
    unit: str
    shape: tuple[int, ...] = ()
    tolerance: Positive = 1e-4


LIFE_FRACTION = Output(name="life_fraction", unit="1")


class RulCalibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What turns life fractions into a distribution of remaining seconds.

    See `wearcast.signals.life` for the formulas. prior_log_mean, prior_log_sd: of the natural
    logarithm of a whole life in seconds. line_points: life fractions that the line is fitted to.
    fraction_intercept, fraction_slope: how the line follows the true life fraction on bearings held
    out; fraction_sd: how far it errs once corrected for them; fraction_weight: how much it counts
    beside the prior (0: not at all). levels: where the quantiles 0, 1/n, ..., 1 of
    the true remaining life fell among the computed ones on bearings held out; empty: as computed.
    """

    prior_log_mean: float
    prior_log_sd: Positive
    line_points: Annotated[int, Meta(ge=2)] = 60
    fraction_intercept: float = 0.0
    fraction_slope: Positive = 1.0
    fraction_sd: Positive = 1.0
    fraction_weight: Annotated[float, Meta(ge=0)] = 0.0
    levels: tuple[float, ...] = ()
    thresholds: tuple[float, ...] = (0.4, 0.7, 0.9, 1.0)
    horizons_s: tuple[float, ...] = (600.0, 1800.0, 3600.0)
    interval_probability: float = 0.8

    def __post_init__(self) -> None:
        _check(
            "thresholds",
            "four rising numbers in (0, 1]",
            self.thresholds,
            len(self.thresholds) == 4  # noqa: PLR2004 where WORN, WARNING, ALARM and failure begin
            and _rises((0.0, *self.thresholds))
            and self.thresholds[-1] <= 1,
        )
        _check(
            "levels",
            "none, or numbers that rise from 0 to 1",
            self.levels,
            not self.levels
            or (
                ((self.levels[0], self.levels[-1]) == (0, 1))
                and all(earlier <= later for earlier, later in pairwise(self.levels))
            ),
        )
        _check(
            "horizons_s",
            "rising numbers above 0",
            self.horizons_s,
            _rises((0.0, *self.horizons_s)),
        )
        _check(
            "interval_probability",
            "a number between 0 and 1",
            self.interval_probability,
            0 < self.interval_probability < 1,
        )


class ForecastPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a forecast holds: for each target one output (horizons, quantiles), in its own unit.

    targets: names of channels. horizons_s: seconds from the window's last sample to the time that a
    value is for. mean_s: each value is the mean of the readings over so many seconds that end
    there; as long as a hop: the reading itself. quantiles: probabilities that the reading stays at
    or below the value.
    """

    targets: Annotated[tuple[str, ...], Meta(min_length=1)]
    horizons_s: Annotated[tuple[float, ...], Meta(min_length=1)]
    quantiles: Annotated[tuple[float, ...], Meta(min_length=1)]
    mean_s: Positive

    def __post_init__(self) -> None:
        _check(
            "horizons_s",
            "rising numbers above 0",
            self.horizons_s,
            _rises((0.0, *self.horizons_s)),
            "forecast",
        )
        _check(
            "quantiles",
            "rising numbers between 0 and 1",
            self.quantiles,
            _rises((0.0, *self.quantiles, 1.0)),
            "forecast",
        )


class OutlierPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one detector says of one channel; an empty `channel` is all of them together.

    `unit` is that of the value that is judged.
    """

    detector: str
    channel: str
    unit: str


class OutlierPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an outlier model judges; each of its outputs has one number for each point.

    Outputs: `value`; `percentile`, 0 to 100, high is unusual; `stage`, 0 to 4, or -1 where the
    detector does not apply; `cause`, 0 for none, or the place in `causes`, counted from 1.
    thresholds: percentiles where the stages 1 to 4 begin.
    """

    points: Annotated[tuple[OutlierPoint, ...], Meta(min_length=1)]
    thresholds: tuple[float, float, float, float] = (90.0, 95.0, 98.0, 99.0)
    causes: tuple[str, ...] = ("MISSING", "STUCK", "RANGE", "JUMP")

    def __post_init__(self) -> None:
        _check(
            "thresholds",
            "rising numbers between 0 and 100",
            self.thresholds,
            _rises((0.0, *self.thresholds, 100.0)),
            "outlier",
        )


class FaultPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which faults a model tells apart; its output `probability` has one number for each, in order.

    A second output, `novelty`, is there where the model knows its limits: how unlike anything in
    training the input is, 1 and over: unknown. shaft_hz: revolutions a second that the model was
    trained at; None: not known. orders: frequencies to look at, by name, in multiples of the
    shaft's. steady: answers whose mean the stable diagnosis stands on. lead: how far ahead of the
    diagnosis that stands the mean of another must be.
    """

    faults: Annotated[tuple[str, ...], Meta(min_length=2)]
    shaft_hz: Positive | None = None
    orders: dict[str, Positive] = {}
    steady: Annotated[int, Meta(ge=1)] = 5
    lead: Annotated[float, Meta(ge=0, lt=1)] = 0.1

    def __post_init__(self) -> None:
        distinct = "" not in self.faults and len(set(self.faults)) == len(self.faults)
        _check("faults", "names, each once", self.faults, distinct, "fault")


class Int8Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That layers of the graph are rounded to 8 bits, and what it costs.

    layers: how many. deviation: for each output how far an answer was at most from that of the
    graph at whole precision, in its unit, over so many `windows`. bar: what was allowed, as a share
    of the range of the answers.
    """

    layers: Annotated[int, Meta(ge=1)]
    deviation: dict[str, float]
    windows: Annotated[int, Meta(ge=1)]
    bar: Positive


def _rises(numbers: tuple[float, ...]) -> bool:
    return all(earlier < later for earlier, later in pairwise(numbers))


def _check(field: str, expected: str, got: object, holds: bool, part: str = "rul") -> None:  # noqa: FBT001
    if not holds:
        # A ValueError, which msgspec turns into its own error and adds the place in the JSON to.
        raise ValueError(f"{part}.{field}: expected {expected}, got {got}")


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model takes and gives.

    Input of the graph: float32 `(batch, sequence, len(channels), window)` in the channels' units.
    A block is one snapshot of `window` samples at `sample_rate_hz`; blocks start `hop_s` apart.
    Outputs are float32 `(batch, *shape)`.

    time_zone: where hours and weekdays count, the graph has a second input, float32 `(batch,)`: the
    minutes since Monday, 0:00, of that zone at the window's last sample. every_s: an answer is due
    only where the window's end, plus a hop, is a whole multiple of it by that zone's clock; None:
    with every block. missing: readings may be missing (NaN). partial: answers come from the first
    block on, and blocks before it count as missing. int8: None where the graph is at whole
    precision.
    """

    name: str
    version: int
    kind: str
    channels: tuple[Channel, ...]
    sample_rate_hz: float
    window: int
    hop_s: float
    sequence: int
    batch_sizes: tuple[int, ...]
    outputs: tuple[Output, ...]
    weights_sha256: str
    time_zone: str | None = None
    every_s: Positive | None = None
    missing: bool = False
    partial: bool = False
    rul: RulCalibration | None = None
    forecast: ForecastPart | None = None
    outlier: OutlierPart | None = None
    fault: FaultPart | None = None
    int8: Int8Part | None = None
    training: dict[str, Any] = {}
    format: int = FORMAT

    def to_json(self) -> str:
        """The contract as JSON text."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "Contract":
        """The contract in a JSON text.

        Raises:
            ArtefactError: not JSON; a key missing, unknown or of another type; another format.
        """
        try:
            contract = msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError as error:
            raise ArtefactError("contract", "valid JSON with every key", error) from error
        if contract.format != FORMAT:
            raise ArtefactError("contract.format", FORMAT, contract.format)
        return contract


def check_parts(contract: Contract) -> None:
    """Check that kind, part, outputs and channels of a contract belong together.

    Raises:
        ArtefactError: they don't, or the kind is none that is known here.
    """
    parts = {
        "rul": contract.rul,
        "forecast": contract.forecast,
        "outlier": contract.outlier,
        "fault": contract.fault,
    }
    part = parts.get(contract.kind)
    if part is None:
        expected = f"one of {', '.join(parts)}, with the part of that name"
        raise ArtefactError("contract.kind", expected, contract.kind)
    wanted, used = _list_wanted(part, len(contract.outputs))
    got = [(output.name, output.shape) for output in contract.outputs]
    if got != wanted:
        raise ArtefactError("contract.outputs", wanted, got)
    unknown = used - {channel.name for channel in contract.channels}
    if unknown:
        raise ArtefactError(f"contract.{contract.kind}", "names of channels", min(unknown))
    if contract.every_s is not None and not (contract.every_s / contract.hop_s).is_integer():
        expected = f"whole hops of {contract.hop_s:g} s"
        raise ArtefactError("contract.every_s", expected, contract.every_s)
    if contract.partial and not contract.missing:
        raise ArtefactError("contract.partial", "only where readings may be missing", "without")
    if contract.time_zone is not None:
        try:
            find_zone(contract.time_zone)
        except InputError as error:
            expected = "a zone of the IANA database"
            raise ArtefactError("contract.time_zone", expected, contract.time_zone) from error


def _list_wanted(
    part: RulCalibration | ForecastPart | OutlierPart | FaultPart, outputs: int
) -> tuple[list[tuple[str, tuple[int, ...]]], set[str]]:
    """Names and shapes of the outputs that a part asks for, and the channels it speaks of."""
    if isinstance(part, ForecastPart):
        shape = (len(part.horizons_s), len(part.quantiles))
        return [(target, shape) for target in part.targets], set(part.targets)
    if isinstance(part, OutlierPart):
        names = ("value", "percentile", "stage", "cause")
        channels = {point.channel for point in part.points} - {""}
        return [(name, (len(part.points),)) for name in names], channels
    if isinstance(part, FaultPart):
        both: list[tuple[str, tuple[int, ...]]] = [("probability", (len(part.faults),))]
        return both + [("novelty", ())] * (outputs > 1), set()
    return [(LIFE_FRACTION.name, LIFE_FRACTION.shape)], set()
