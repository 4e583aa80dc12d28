"""Cuts a recording of vibration into the blocks that a model takes."""

import math
from collections.abc import Iterator

import numpy as np

from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.series import Block
from wearcast.signals.vibration.vibration import Vibration


def cut_blocks(vibration: Vibration, contract: Contract, start_us: int = 0) -> Iterator[Block]:
    """The blocks of a recording, in the contract's order of channels, numbered from 0.

    Blocks start a hop apart; samples after the last whole one are not used. start_us: time of the
    first sample; such recordings seldom have a date, so it is 1970 where none is given.

    Raises:
        MismatchError: a channel of the contract is missing or has another unit, or the sample rate
            is not the contract's.
        InputError: the recording is too short for a single answer.
    """
    rows = _find_channels(vibration, contract)
    if not math.isclose(vibration.sample_rate_hz, contract.sample_rate_hz, rel_tol=1e-6):
        raise MismatchError(
            "sample_rate_hz",
            f"{contract.sample_rate_hz:g}",
            f"{vibration.sample_rate_hz:g} in {vibration.name} (resample it: predict --resample)",
            reason="RATE",
        )
    hop = contract.hop_s * contract.sample_rate_hz
    samples = vibration.values.shape[1]
    count = int((samples - contract.window) / hop + 1e-9) + 1 if samples >= contract.window else 0
    needed = 1 if contract.partial else contract.sequence
    if count < needed:
        expected = f"{math.ceil((needed - 1) * hop - 1e-9) + contract.window} or more"
        raise InputError(f"{vibration.name}: samples", expected, samples, reason="LENGTH")
    values = vibration.values[rows]
    return (
        Block(
            sequence=number,
            start_us=start_us + round(number * contract.hop_s * 1e6),
            sample_rate_hz=contract.sample_rate_hz,
            values=np.ascontiguousarray(values[:, first : first + contract.window]),
        )
        for number, first in ((number, round(number * hop)) for number in range(count))
    )


def _find_channels(vibration: Vibration, contract: Contract) -> list[int]:
    """Places of the contract's channels in the recording."""
    names = [channel.name for channel in contract.channels]
    missing = [name for name in names if name not in vibration.channels]
    if missing:
        raise MismatchError(
            f"{vibration.name}: channels",
            ", ".join(names),
            f"{', '.join(vibration.channels)}; missing sensor {', '.join(missing)}",
            reason="CHANNELS",
        )
    rows = [vibration.channels.index(name) for name in names]
    for channel, row in zip(contract.channels, rows, strict=True):
        unit = vibration.units[row]
        if unit != channel.unit:
            field = f"{vibration.name}: unit of {channel.name}"
            raise MismatchError(field, repr(channel.unit), repr(unit), reason="UNIT")
    return rows
