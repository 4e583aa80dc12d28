"""Several models over the blocks of one asset, so that one stream feeds them all.

panel = Panel([forecast_contract, outlier_contract])
for place, window in panel.push(block): ...
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import Channel, Contract
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.series import Block, Series, Window


def join_contracts(contracts: Sequence[Contract]) -> Contract:
    """What blocks must be like for several models at once.

    The first contract with the channels of all: its own, then those that the others add; with the
    longest window, and readings that may be missing only if all allow it.

    Raises:
        InputError: one model twice.
        MismatchError: blocks of one can't be blocks of another.
    """
    first = contracts[0]
    channels: dict[str, Channel] = {}
    names = [f"{contract.name}/{contract.version}" for contract in contracts]
    for name, contract in zip(names, contracts, strict=True):
        if names.count(name) > 1:
            raise InputError("models", "each model once", f"{name} twice", reason="MODELS")
        for field in ("sample_rate_hz", "window", "hop_s"):
            expected, got = getattr(first, field), getattr(contract, field)
            if got != expected:
                raise MismatchError(
                    f"models: {name}: {field}", f"{expected:g} as {names[0]}", got, reason="MODELS"
                )
        for channel in contract.channels:
            known = channels.setdefault(channel.name, channel)
            if known != channel:
                raise MismatchError(
                    f"models: {name}: {channel.name}", known.unit, channel.unit, reason="MODELS"
                )
    return msgspec.structs.replace(
        first,
        channels=tuple(channels.values()),
        sequence=max(contract.sequence for contract in contracts),
        missing=all(contract.missing for contract in contracts),
    )


class Panel:
    """The series of several models, fed with the same blocks.

    contract: what the blocks must be like. series: one a model, in the order of the contracts; they
    may be resumed before the first block, each from its own answers.
    """

    def __init__(self, contracts: Sequence[Contract], *, age_at_start_s: float = 0.0) -> None:
        self.contract = join_contracts(contracts)
        self.series = [Series(item, age_at_start_s=age_at_start_s) for item in contracts]
        names = [channel.name for channel in self.contract.channels]
        self._rows = [_find_rows(names, contract) for contract in contracts]
        self._needs: list[int] = []
        # The one that needs every block, and so sees every fault in their order.
        self._slowest = 0

    @property
    def next_sequence(self) -> int:
        """The first block that any of them needs."""
        return min(series.next_sequence for series in self.series)

    def push(self, block: Block) -> list[tuple[int, Window]]:
        """Take the next block; give the windows that end with it, with their series' places.

        Raises:
            MismatchError, InputError: as `Series.push`.
        """
        if not self._needs:
            self._needs = [series.next_sequence for series in self.series]
            self._slowest = self._needs.index(min(self._needs))
        self._check_channels(block)
        ready = []
        for place, (series, rows) in enumerate(zip(self.series, self._rows, strict=True)):
            # What another model still needed, this one has had before the stream broke.
            if block.sequence < self._needs[place] and place != self._slowest:
                continue
            window = series.push(block if rows is None else _pick(block, rows))
            if window is not None:
                ready.append((place, window))
        return ready

    def _check_channels(self, block: Block) -> None:
        channels = self.contract.channels
        if block.values.ndim != 2 or len(block.values) != len(channels):  # noqa: PLR2004
            names = ", ".join(channel.name for channel in channels)
            expected = f"{len(channels)} ({names})"
            raise MismatchError("channels", expected, block.values.shape[0], reason="CHANNELS")


def _find_rows(names: list[str], contract: Contract) -> NDArray[np.int64] | None:
    """Places of a model's channels among all; None where they are all, in order."""
    wanted = [channel.name for channel in contract.channels]
    return None if wanted == names else np.array([names.index(name) for name in wanted])


def _pick(block: Block, rows: NDArray[np.int64]) -> Block:
    return Block(
        block.sequence,
        block.start_us,
        block.sample_rate_hz,
        block.values[rows],
        block.after_gap,
        block.filled,
    )
