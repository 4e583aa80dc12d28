"""Golden cases of a model folder: inputs made from a seed, and the outputs they must give."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import Contract
from wearcast.signals.errors import ArtefactError

_MAX_ROWS = 1000
_MAX_SEED = 2**32 - 1
_WEEK_MIN = 10_080
# Of the readings, where some may be missing.
_MISSING_SHARE = 0.05


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recipe for a few windows and what the model answers to them.

    center, scale: for each channel a typical reading and spread, in its unit. `outputs` holds for
    each output of the contract `rows` entries of its shape. They must be reproduced within the
    output's tolerance, never bitwise.
    """

    seed: int
    rows: int
    center: tuple[float, ...]
    scale: tuple[float, ...]
    outputs: dict[str, list[Any]]

    def to_json(self) -> str:
        """The golden cases as JSON text."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "Golden":
        """The golden cases in a JSON text.

        Raises:
            ArtefactError: not JSON; a key missing, unknown or of another type; out of bounds.
        """
        try:
            golden = msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError as error:
            raise ArtefactError("golden.json", "valid JSON with every key", error) from error
        if not 1 <= golden.rows <= _MAX_ROWS:
            raise ArtefactError("golden.rows", f"1 to {_MAX_ROWS}", golden.rows)
        if not 0 <= golden.seed <= _MAX_SEED:
            raise ArtefactError("golden.seed", f"0 to {_MAX_SEED}", golden.seed)
        return golden


def golden_input(
    contract: Contract, golden: Golden
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """The golden cases: windows float32 (rows, sequence, channels, window), and their times.

    Row k is `center + scale * noise * (k + 1) / rows` with standard normal noise, in the channels'
    units, so that the rows differ in strength. Where readings may be missing, one in twenty is. The
    times are whole minutes of the week, float32 (rows,), where the contract has a time zone.
    `RandomState` is used because numpy froze its stream for good (NEP 19), unlike that of
    `default_rng`.

    Raises:
        ArtefactError: there is not one center and scale a channel.
    """
    channels = len(contract.channels)
    for field, numbers in (("center", golden.center), ("scale", golden.scale)):
        if len(numbers) != channels:
            raise ArtefactError(f"golden.{field}", f"{channels} numbers", len(numbers))
    shape = (golden.rows, contract.sequence, channels, contract.window)
    random = np.random.RandomState(golden.seed)
    noise = random.standard_normal(shape)
    strengths = np.arange(1, golden.rows + 1) / golden.rows
    scale = np.asarray(golden.scale)[:, None] * strengths[:, None, None, None]
    windows = (np.asarray(golden.center)[:, None] + noise * scale).astype(np.float32)
    if contract.missing:
        windows[random.uniform(size=shape) < _MISSING_SHARE] = np.nan
    if contract.time_zone is None:
        return windows, None
    return windows, random.randint(0, _WEEK_MIN, golden.rows).astype(np.float32)
