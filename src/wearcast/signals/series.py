"""One asset's blocks in, windows out, and the answers to them: the same code live and in batch.

series = Series(contract, age_at_start_s=0.0)
window = series.push(block)          # None until a window is full
estimate = series.answer(window, life_fraction)
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.estimate import Estimate, Quality
from wearcast.signals.life import LifeTracker

# Beyond any machine's life, and small enough that ages in seconds stay exact to a millisecond.
MAX_SEQUENCE = 2**40
MAX_AGE_S = 1e10
MAX_START_US = 253_370_764_800_000_000  # 9999-01-01: room for the window's end before year 10000


@dataclass(frozen=True, slots=True)
class Block:
    """One snapshot: `values` float32 (channels, window) in the contract's units.

    sequence: number of the block, from 0 at the start of the record. start_us: time of its first
    sample. after_gap: the blocks between the last one and this one are lost for good. filled: the
    sender has filled in readings.
    """

    sequence: int
    start_us: int
    sample_rate_hz: float
    values: NDArray[np.float32]
    after_gap: bool = False
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """The model's input: `values` float32 (sequence, channels, window), oldest block first."""

    sequence: int
    end_us: int
    quality: tuple[Quality, ...]
    values: NDArray[np.float32]


def check_age(age_at_start_s: float) -> float:
    """The operating time at block 0, in seconds.

    >>> check_age(3600.0)
    3600.0

    Raises:
        InputError: it is negative, no number, or no machine's age.
    """
    if not 0 <= age_at_start_s <= MAX_AGE_S:
        raise InputError("age_at_start_s", f"0 to {MAX_AGE_S:g}", age_at_start_s, reason="AGE")
    return age_at_start_s


def check_sequence(field: str, sequence: int) -> int:
    """The number of a block.

    Raises:
        InputError: no block can have that number.
    """
    if sequence > MAX_SEQUENCE:
        raise InputError(field, f"at most {MAX_SEQUENCE}", sequence, reason="SEQUENCE")
    return sequence


class Series:
    """Checks blocks, assembles windows and turns the model's outputs into estimates.

    An estimate depends only on the blocks since the one before it, on its sequence number and on
    the life fractions before it, so a series that resumes from stored estimates goes on as if it
    had never stopped.

    Raises:
        MismatchError: the model does not answer with remaining life.
        InputError: `age_at_start_s` is negative, no number, or no machine's age.
    """

    def __init__(self, contract: Contract, *, age_at_start_s: float = 0.0) -> None:
        if contract.rul is None:
            raise MismatchError("kind", "rul", contract.kind)
        self._contract = contract
        self._age_at_start_s = check_age(age_at_start_s)
        self._tracker = LifeTracker(contract.rul)
        self._blocks: deque[Block] = deque(maxlen=contract.sequence)
        self._newest: tuple[int, int] | None = None  # number and start of the newest block
        self._clock_jumped = False
        self._fresh_after_gap = False
        self._answered = -1
        self._duration_us = round((contract.window - 1) / contract.sample_rate_hz * 1e6)
        self.next_sequence = 0

    def resume(self, stored: Iterable[Estimate]) -> None:
        """Go on after stored estimates, oldest first; the newest `rul.line_points` are enough.

        Afterwards `next_sequence` is the first block that is needed.
        """
        for estimate in stored:
            self._tracker.restore(estimate.remaining_life)
            self._answered = estimate.sequence
            self._newest = (estimate.sequence, estimate.window_end_us - self._duration_us)
        context = max(self._contract.sequence - 1, 1)
        self.next_sequence = max(0, self._answered + 1 - context)

    def push(self, block: Block) -> Window | None:
        """Take the next block; give the window that it completes, if its answer is still due.

        Raises:
            MismatchError: number of channels, length or sample rate is not the contract's.
            InputError: a value is not finite, the time or the sequence number is no machine's, or
                the sequence number repeats, goes back or jumps.
        """
        self._check(block)
        if block.after_gap:
            self._blocks.clear()
            self._fresh_after_gap = block.sequence > 0
        self._watch_clock(block)
        self.next_sequence = block.sequence + 1
        self._blocks.append(block)
        if len(self._blocks) < self._contract.sequence:
            return None
        quality = []
        if self._clock_jumped:
            quality.append(Quality.CLOCK_JUMP)
            self._clock_jumped = False
        if self._fresh_after_gap:
            quality.append(Quality.AFTER_GAP)
            self._fresh_after_gap = False
        if block.sequence <= self._answered:
            return None
        if bool((block.values.min(axis=1) == block.values.max(axis=1)).any()):
            quality.append(Quality.CONSTANT)
        if any(item.filled for item in self._blocks):
            quality.append(Quality.FILLED)
        return Window(
            sequence=block.sequence,
            end_us=block.start_us + self._duration_us,
            quality=tuple(quality),
            values=np.stack([item.values for item in self._blocks]),
        )

    def answer(self, window: Window, life_fraction: float) -> Estimate:
        """The estimate for a window, given the model's output; windows in rising order.

        Raises:
            InputError: the output is not finite, as finite but absurd readings can make it.
        """
        if not math.isfinite(life_fraction):
            raise InputError(
                f"blocks[{window.sequence}]",
                "readings that lead to a finite life fraction",
                life_fraction,
                reason="NOT_FINITE",
            )
        age_s = self._age_at_start_s + (window.sequence + 1) * self._contract.hop_s
        return Estimate(
            sequence=window.sequence,
            window_end_us=window.end_us,
            quality=window.quality,
            remaining_life=self._tracker.update(age_s, life_fraction),
        )

    def _watch_clock(self, block: Block) -> None:
        """Note a jump against the block before, to be told with the next answer."""
        if block.sequence <= self._answered:
            return
        if self._newest is not None:
            number, start_us = self._newest
            hop_us = self._contract.hop_s * 1e6
            expected_us = start_us + (block.sequence - number) * hop_us
            self._clock_jumped |= abs(block.start_us - expected_us) > hop_us / 2
        self._newest = (block.sequence, block.start_us)

    def _check(self, block: Block) -> None:
        contract = self._contract
        check_sequence("sequence", block.sequence)
        if not 0 <= block.start_us < MAX_START_US:
            raise InputError(
                f"blocks[{block.sequence}].start_time",
                "a time from 1970 to 9998, UTC",
                f"{block.start_us / 1e6:g} s after 1970",
                reason="TIME",
            )
        if block.values.ndim != 2 or block.values.shape[0] != len(contract.channels):  # noqa: PLR2004
            names = ", ".join(channel.name for channel in contract.channels)
            expected = f"{len(contract.channels)} ({names})"
            raise MismatchError("channels", expected, block.values.shape[0], reason="CHANNELS")
        if block.values.shape[1] != contract.window:
            raise MismatchError(
                "samples", f"{contract.window} a channel", block.values.shape[1], reason="LENGTH"
            )
        if not math.isclose(block.sample_rate_hz, contract.sample_rate_hz, rel_tol=1e-6):
            raise MismatchError(
                "sample_rate_hz", contract.sample_rate_hz, block.sample_rate_hz, reason="RATE"
            )
        finite = np.isfinite(block.values)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise InputError(
                f"blocks[{block.sequence}].{contract.channels[row].name}[{column}]",
                "a finite number",
                block.values[row, column],
                reason="NOT_FINITE",
            )
        if block.sequence == self.next_sequence - 1:
            raise InputError(
                "sequence",
                self.next_sequence,
                f"{block.sequence} again",
                reason="REPEATED",
                status="ALREADY_EXISTS",
            )
        if block.sequence < self.next_sequence:
            raise InputError(
                "sequence",
                f"{self.next_sequence} or more",
                block.sequence,
                reason="OUT_OF_ORDER",
                status="ABORTED",
            )
        if block.sequence > self.next_sequence and not block.after_gap:
            raise InputError(
                "sequence",
                f"{self.next_sequence}, or after_gap set",
                block.sequence,
                reason="GAP",
                status="OUT_OF_RANGE",
            )
