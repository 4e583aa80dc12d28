"""Blocks as lines of JSON on standard input.

One line is one block:

    {"time": "2024-05-01T09:39:39.065664Z", "channels": {"horizontal": [...], "vertical": [...]}}

`time` is that of the first sample, ISO 8601; without an offset it counts as UTC. `channels` holds
every channel of the model's contract, in its unit, `window` numbers each, in any order. Where the
window is one sample, the bare number will do; where the contract says that readings may be missing,
null is one. `sequence` is optional: the number of the block, from 0 at the start of the asset's
record, rising; a jump is a gap. Without it the line is one after the line before. If the first line
has none, it is 0, or, where the server has blocks of the asset, the one after those, behind a gap:
it is taken as a new reading. So who sends a record again from its start says `sequence`.
"""

import os
import threading
from collections import deque
from collections.abc import Iterator

import msgspec
import numpy as np

from wearcast.signals.clock import parse_time
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.series import Block, check_sequence

_TICK_S = 0.2
_CHUNK_BYTES = 1 << 16
_KEPT_BLOCKS = 256
_READ_AHEAD_BLOCKS = 64
_Samples = list[float | None] | float | None


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """One line; see the module."""

    time: str
    channels: dict[str, msgspec.Raw]
    sequence: int | None = None


def parse_line(
    text: bytes, number: int, contract: Contract, expected: int, first_free: int = 0
) -> Block:
    """The block in line `number`, counted from 1; `expected` is the next sequence number.

    first_free: a line without `sequence` is not before that block.

    Raises:
        InputError: not JSON, a field missing or bad, a sequence number that does not rise.
        MismatchError: other channels or another number of samples than the contract's.
    """
    try:
        line = msgspec.json.decode(text, type=Line)
    except msgspec.MsgspecError as error:
        raise InputError(f"line {number}", "an object with time and channels", error) from error
    try:
        start_us = parse_time(line.time)
    except ValueError as error:
        raise InputError(f"line {number}: time", "an ISO 8601 time", repr(line.time)) from error
    sequence = max(expected, first_free) if line.sequence is None else line.sequence
    check_sequence(f"line {number}: sequence", sequence)
    if sequence < expected:
        raise InputError(f"line {number}: sequence", f"{expected} or more", sequence)
    names = [channel.name for channel in contract.channels]
    if set(line.channels) != set(names):
        raise MismatchError(
            f"line {number}: channels", ", ".join(names), ", ".join(line.channels) or "none"
        )
    values = np.empty((len(names), contract.window), dtype=np.float32)
    for row, name in enumerate(names):
        field = f"line {number}: channels.{name}"
        try:
            decoded = msgspec.json.decode(line.channels[name], type=_Samples)
        except msgspec.MsgspecError as error:
            raise InputError(field, "a list of numbers", error) from error
        samples = decoded if isinstance(decoded, list) else [decoded]
        if None in samples and not contract.missing:
            raise InputError(field, "a list of numbers", "null")
        if len(samples) != contract.window:
            raise MismatchError(field, f"{contract.window} samples", len(samples))
        with np.errstate(over="ignore"):  # to infinity, which no series takes
            values[row] = np.array(samples, np.float64)
    return Block(sequence, start_us, contract.sample_rate_hz, values, sequence > expected)


class NdjsonInput:
    """Lines from a file descriptor as a source.

    They can't be read twice, so blocks are kept until they are released, at most `_KEPT_BLOCKS` of
    them; if more are needed after a broken connection, the oldest are lost and become a gap.
    """

    def __init__(self, descriptor: int, contract: Contract) -> None:
        self._descriptor = descriptor
        self._contract = contract
        self._begun = False
        self._changed = threading.Condition()
        self._kept: deque[Block] = deque()
        self._newest_taken = -1
        self._ended = False
        self._failure: Exception | None = None

    def blocks(self, from_sequence: int) -> Iterator[Block | None]:
        """Blocks from that number on; waits for further lines."""
        if not self._begun:
            self._begun = True
            # Of what it has, the server asks again for what the next window still needs.
            context = max(self._contract.sequence - 1, 1)
            first_free = from_sequence + context if from_sequence else 0
            # A daemon: nothing can wake a thread that waits for a line.
            threading.Thread(target=self._read, args=(first_free,), daemon=True).start()
        after = from_sequence - 1
        while True:
            with self._changed:
                if not self._find(after) and not self._ended:
                    self._changed.wait(_TICK_S)
                block = self._find(after)
                if block is None and self._ended:
                    break
                after = block.sequence if block is not None else after
                self._newest_taken = max(self._newest_taken, after)
                self._changed.notify_all()
            yield block
        if self._failure is not None:
            raise self._failure

    def release(self, before: int) -> None:
        """Forget blocks before that number."""
        with self._changed:
            while self._kept and self._kept[0].sequence < before:
                self._kept.popleft()

    def _find(self, after: int) -> Block | None:
        """The first block behind a number."""
        return next((block for block in self._kept if block.sequence > after), None)

    def _read(self, first_free: int) -> None:
        failure: Exception | None = None
        try:
            expected = 0
            for number, text in enumerate(_read_lines(self._descriptor), 1):
                if text.strip():
                    block = parse_line(text, number, self._contract, expected, first_free)
                    first_free = 0
                    expected = block.sequence + 1
                    self._keep(block)
        except Exception as error:  # noqa: BLE001 - raised again where the blocks are taken
            failure = error
        with self._changed:
            self._failure = failure
            self._ended = True
            self._changed.notify_all()

    def _keep(self, block: Block) -> None:
        with self._changed:
            self._kept.append(block)
            while len(self._kept) > _KEPT_BLOCKS and self._kept[0].sequence <= self._newest_taken:
                self._kept.popleft()
            self._changed.notify_all()
            # Lines that nobody has asked for yet stay in the pipe, where they slow the sender.
            self._changed.wait_for(self._may_read_on)

    def _may_read_on(self) -> bool:
        if len(self._kept) < _READ_AHEAD_BLOCKS:
            return True
        return self._kept[-_READ_AHEAD_BLOCKS].sequence <= self._newest_taken


def _read_lines(descriptor: int) -> Iterator[bytes]:
    # Not through sys.stdin: at exit Python would wait for the lock that a waiting reader holds.
    rest = b""
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest
