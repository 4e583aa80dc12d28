"""The table that a plant keeps: a row a step, with readings, forecasts of them, stages and quality.

Its columns: `time`, each CHANNEL, each CHANNEL_predict, a stage of each detector, `quality`.
"""

from collections.abc import Sequence

import msgspec

from wearcast.signals.contract import Contract
from wearcast.signals.panel import join_contracts

ALL_CHANNELS = "all"


class Columns(msgspec.Struct, frozen=True):
    """What a row holds.

    channels: pairs (name, unit). points: pairs (detector, channel) that have a stage; an empty
    channel stands for all of them together.
    """

    channels: tuple[tuple[str, str], ...]
    points: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order.

        >>> Columns((("flow_rate", "m3/h"),), (("actual", "flow_rate"), ("multivariate", ""))).names
        ... # doctest: +NORMALIZE_WHITESPACE
        ['time', 'flow_rate', 'flow_rate_predict', 'flow_rate_actual_stage',
         'all_multivariate_stage', 'quality']
        """
        channels = [name for name, _ in self.channels]
        stages = [f"{channel or ALL_CHANNELS}_{name}_stage" for name, channel in self.points]
        return ["time", *channels, *(f"{name}_predict" for name in channels), *stages, "quality"]


class PlantRow(msgspec.Struct, frozen=True):
    """One row: what was read in the step that begins at `time_us`, and what is said of it.

    time_us: microseconds since 1970-01-01 UTC. readings, predictions: one a channel, in its unit;
    None where there is none. predictions were made a day before. stages: one a point, 0 to 4; -1:
    the detector does not apply; None: not judged (yet). quality: flags; none: nothing is wrong.
    """

    time_us: int
    readings: tuple[float | None, ...]
    predictions: tuple[float | None, ...]
    stages: tuple[int | None, ...]
    quality: tuple[str, ...] = ()


def make_columns(contracts: Sequence[Contract]) -> Columns:
    """The columns for the rows of a plant that these models watch."""
    joined = join_contracts(contracts)
    return Columns(
        tuple((channel.name, channel.unit) for channel in joined.channels),
        tuple(
            (point.detector, point.channel)
            for contract in contracts
            if contract.outlier is not None
            for point in contract.outlier.points
        ),
    )
