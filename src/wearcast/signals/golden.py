"""Golden cases of a model folder: inputs made from a seed, and the outputs they must give."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import Contract
from wearcast.signals.errors import ArtefactError

_MAX_ROWS = 1000
_MAX_SEED = 2**32 - 1


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recipe for a few windows and what the model answers to them.

    `outputs` holds for each output of the contract `rows` entries of its shape. They must be
    reproduced within `contract.tolerance`, never bitwise.
    """

    seed: int
    rows: int
    scale: float
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


def golden_input(contract: Contract, golden: Golden) -> NDArray[np.float32]:
    """The windows of the golden cases, float32 (rows, sequence, channels, window).

    Row k is standard normal noise times `scale * (k + 1) / rows`, in the channels' units, so that
    the rows differ in strength. `RandomState` is used because numpy froze its stream for good
    (NEP 19), unlike that of `default_rng`.
    """
    shape = (golden.rows, contract.sequence, len(contract.channels), contract.window)
    noise = np.random.RandomState(golden.seed).standard_normal(shape)
    strengths = golden.scale * np.arange(1, golden.rows + 1) / golden.rows
    return (noise * strengths[:, None, None, None]).astype(np.float32)
