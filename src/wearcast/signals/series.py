"""One asset's blocks in, windows out, and the answers to them: the same code live and in batch.

series = Series(contract, age_at_start_s=0.0)
window = series.push(block)          # None where no answer is due
estimate = series.answer(window, outputs)
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.clock import local_us, minutes_of_week
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.estimate import Estimate, Quality
from wearcast.signals.kinds import Outputs, make_reader
from wearcast.signals.recent import Recent
from wearcast.signals.vibration.quality import is_clipped

# Beyond any machine's life, and small enough that ages in seconds stay exact to a millisecond.
MAX_SEQUENCE = 2**40
MAX_AGE_S = 1e10
MAX_START_US = 253_370_764_800_000_000  # 9999-01-01: room for the window's end before year 10000
# Chosen: in a shorter block a few equal readings say nothing of a flat top.
_CLIPPED_FROM = 16


@dataclass(frozen=True, slots=True)
class Block:
    """One snapshot or row: `values` float32 (channels, window) in the contract's units.

    NaN stands for a missing reading, where the contract allows that. sequence: number of the block,
    from 0 at the start of the record. start_us: time of its first sample. after_gap: the blocks
    between the last one and this one are lost for good. filled: the sender has filled in readings.
    """

    sequence: int
    start_us: int
    sample_rate_hz: float
    values: NDArray[np.float32]
    after_gap: bool = False
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """The model's input: `values` float32 (sequence, channels, window), oldest block first.

    They are not to be written to: later windows share them.
    """

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


def minutes_of(contract: Contract, windows: Sequence[Window]) -> NDArray[np.float32] | None:
    """The second input of the graph: minutes of the week at the windows' ends, float32 (n,).

    None where the contract has no time zone.
    """
    if contract.time_zone is None:
        return None
    ends_us = np.array([window.end_us for window in windows], np.int64)
    return minutes_of_week(ends_us, contract.time_zone)


class Series:
    """Checks blocks, assembles windows and turns the model's outputs into estimates.

    An estimate depends only on the blocks of its window, on its sequence number and on the last
    `memory` answers, so a series that resumes from stored estimates goes on as if it had never
    stopped.

    Raises:
        MismatchError: the kind of the model is none that is known here.
        InputError: `age_at_start_s` is negative, no number, or no machine's age.
    """

    def __init__(self, contract: Contract, *, age_at_start_s: float = 0.0) -> None:
        self._contract = contract
        self._age_at_start_s = check_age(age_at_start_s)
        self._reader = make_reader(contract)
        self._recent = Recent(contract)
        self._newest: tuple[int, int] | None = None  # number and start of the newest block
        self._clock_jumped = False
        self._fresh_after_gap = False
        self._answered = -1
        self._duration_us = round((contract.window - 1) / contract.sample_rate_hz * 1e6)
        self._hop_us = round(contract.hop_s * 1e6)
        self.next_sequence = 0

    @property
    def memory(self) -> int:
        """How many stored estimates `resume` needs."""
        return self._reader.memory

    def resume(self, stored: Iterable[Estimate], acknowledged: int = -1) -> None:
        """Go on after stored estimates, oldest first; the newest `memory` are enough.

        acknowledged: last block up to which every estimate is known to be stored, -1 for none. It
        can be later than the last estimate, as not each block leads to one; it counts only where
        no earlier answer is needed. Afterwards `next_sequence` is the first block that is needed.
        """
        for estimate in stored:
            self._reader.restore(estimate.answer)
            self._answered = estimate.sequence
            self._newest = (estimate.sequence, estimate.window_end_us - self._duration_us)
        if self.memory <= 1:
            self._answered = max(self._answered, acknowledged)
        context = max(self._contract.sequence - 1, 1)
        self.next_sequence = max(0, self._answered + 1 - context)

    def push(self, block: Block) -> Window | None:
        """Take the next block; give the window that ends with it, if an answer to it is due.

        Raises:
            MismatchError: number of channels, length or sample rate is not the contract's.
            InputError: a value is infinite, or missing where it may not be, the time or the
                sequence number is no machine's, or the sequence number repeats, goes back or jumps.
        """
        self._check(block)
        if block.after_gap:
            self._recent.clear()
            self._fresh_after_gap = block.sequence > 0
        self._watch_clock(block)
        self.next_sequence = block.sequence + 1
        self._recent.append(block.values, filled=block.filled)
        end_us = block.start_us + self._duration_us
        if not self._recent.is_full or not self._is_due(end_us):
            return None
        quality = []
        if self._clock_jumped:
            quality.append(Quality.CLOCK_JUMP)
            self._clock_jumped = False
        if self._fresh_after_gap:
            quality.append(Quality.AFTER_GAP)
            self._fresh_after_gap = False
        if block.sequence <= self._answered:  # sent again: its flags were told with its answer
            return None
        values = block.values
        if self._contract.window > 1 and bool((values.min(axis=1) == values.max(axis=1)).any()):
            quality.append(Quality.CONSTANT)
        if self._contract.window >= _CLIPPED_FROM and is_clipped(values):
            quality.append(Quality.CLIPPED)
        if self._recent.has_filled:
            quality.append(Quality.FILLED)
        if self._recent.has_missing:
            quality.append(Quality.MISSING)
        return Window(block.sequence, end_us, tuple(quality), self._recent.window())

    def answer(self, window: Window, outputs: Outputs) -> Estimate:
        """The estimate for a window, given the graph's outputs for it; windows in rising order.

        Raises:
            InputError: an output is not finite, as finite but absurd readings can make it.
        """
        for name, output in outputs.items():
            # A live window has a few numbers: NumPy takes longer to begin than Python for all.
            if not all(map(math.isfinite, output.ravel().tolist())):
                raise InputError(
                    f"blocks[{window.sequence}]",
                    f"readings that lead to a finite {name.replace('_', ' ')}",
                    output,
                    reason="NOT_FINITE",
                )
        age_s = self._age_at_start_s + (window.sequence + 1) * self._contract.hop_s
        return Estimate(
            sequence=window.sequence,
            window_end_us=window.end_us,
            quality=window.quality,
            answer=self._reader.read(age_s, outputs),
            model=self._contract.name,
        )

    def _is_due(self, end_us: int) -> bool:
        """Whether the contract has an answer at that time; clocks may be off by half a hop."""
        every_s, zone = self._contract.every_s, self._contract.time_zone
        if every_s is None:
            return True
        if zone not in {None, "UTC"}:
            end_us = int(local_us(np.array([end_us]), str(zone))[0])
        hops = (end_us + self._hop_us // 2) // self._hop_us + 1
        return hops % round(every_s / self._contract.hop_s) == 0

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
        good = ~np.isinf(block.values) if contract.missing else np.isfinite(block.values)
        if np.count_nonzero(good) < good.size:
            row, column = np.argwhere(~good)[0]
            raise InputError(
                f"blocks[{block.sequence}].{contract.channels[row].name}[{column}]",
                "a finite number, or NaN for none" if contract.missing else "a finite number",
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
