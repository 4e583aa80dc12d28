"""What a person should know about a live stream, beside the estimates themselves."""

from collections.abc import Iterator, Sequence

from wearcast.signals.clock import format_time
from wearcast.signals.estimate import Estimate, Quality
from wearcast.signals.series import Block
from wearcast.v1 import machine_health_pb2 as pb


class Notices:
    """Notices of one stream; `newest` is the newest estimate that its client has received.

    They depend on blocks and estimates alone, so one that is told again over a break is the same,
    and its client can drop it.
    """

    def __init__(self, window_blocks: int, newest: Estimate | None) -> None:
        self._window_blocks = window_blocks
        self._alarm = newest is not None and newest.remaining_life.alarm
        self._sequence = newest.sequence if newest else -1

    def about_stored(self, estimates: Sequence[Estimate]) -> Iterator[pb.Notice]:
        """The notices about estimates that were stored before, and that the client has missed."""
        for estimate in estimates:
            if Quality.AFTER_GAP in estimate.quality:
                yield self._gap(estimate.sequence - self._window_blocks + 1)
            yield from self._about(estimate)

    def about(self, blocks: Sequence[Block], estimates: Sequence[Estimate]) -> Iterator[pb.Notice]:
        """The notices about new blocks and the estimates they led to."""
        for block in blocks:
            # Blocks that a client sends again after a break were reported with their estimates.
            if block.after_gap and block.sequence > max(self._sequence, 0):
                yield self._gap(block.sequence)
        for estimate in estimates:
            yield from self._about(estimate)

    def _about(self, estimate: Estimate) -> Iterator[pb.Notice]:
        life = estimate.remaining_life
        now = format_time(estimate.window_end_us)
        if Quality.CLOCK_JUMP in estimate.quality:
            yield pb.Notice(
                code=pb.NOTICE_CODE_CLOCK_JUMP,
                sequence=estimate.sequence,
                text=f"the clock jumped before block {estimate.sequence}, at {now}",
            )
        if life.alarm and not self._alarm:
            yield pb.Notice(
                code=pb.NOTICE_CODE_LIFE_ALARM,
                sequence=estimate.sequence,
                text=f"life used {life.line.value or life.life_fraction:.2f} by the line, "
                f"at {now}; {life.rul_s:.0f} s of life left",
            )
        self._alarm = life.alarm
        self._sequence = estimate.sequence

    def _gap(self, sequence: int) -> pb.Notice:
        first = sequence + self._window_blocks - 1
        return pb.Notice(
            code=pb.NOTICE_CODE_GAP,
            sequence=sequence,
            text=f"blocks before {sequence} are lost; the next answer comes with block {first}",
        )
