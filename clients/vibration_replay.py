"""A recording of vibration as the source of a live stream."""

from collections.abc import Iterator
from pathlib import Path

from wearcast.clients.pace import Pace
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError
from wearcast.signals.series import Block
from wearcast.signals.vibration.cut import cut_blocks
from wearcast.signals.vibration.find import find_recordings
from wearcast.signals.vibration.resample import resample_vibration
from wearcast.signals.vibration.vibration import Vibration


def pick_vibration(
    path: Path, name: str | None, contract: Contract, *, resampled: bool
) -> Vibration:
    """The recording at a path; the one of that name where there are several.

    resampled: at the contract's rate, whatever the recording's is.

    Raises:
        InputError: several, and no name; none of that name; no recording at all.
    """
    found = {vibration.name: vibration for vibration in find_recordings(path)}
    names = ", ".join(found)
    if name is None and len(found) > 1:
        raise InputError(
            f"{path}", f"one recording, or --recording with one of {names}", len(found)
        )
    if name is not None and name not in found:
        raise InputError("recording", f"one of {names}", name)
    vibration = next(iter(found.values())) if name is None else found[name]
    return resample_vibration(vibration, contract.sample_rate_hz) if resampled else vibration


class VibrationReplay:
    """A recording as a live stream at `speed` times real time; 0: as fast as possible.

    Raises:
        MismatchError, InputError: as `cut_blocks`.
    """

    def __init__(self, vibration: Vibration, contract: Contract, *, speed: float) -> None:
        self._blocks = list(cut_blocks(vibration, contract))
        self._pace = Pace(speed=speed, hop_s=contract.hop_s)

    def blocks(self, from_sequence: int) -> Iterator[Block | None]:
        """Blocks from that number on, each when its time has come."""
        for block in self._blocks[from_sequence:]:
            yield from self._pace.wait_for(block.sequence)
            yield block

    def release(self, before: int) -> None:
        """Nothing is forgotten: a stream may begin anew."""
