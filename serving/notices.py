"""What a person should know about a live stream, beside the estimates themselves."""

from collections.abc import Iterator, Sequence

from wearcast.signals.clock import format_time
from wearcast.signals.contract import Contract
from wearcast.signals.estimate import Estimate, Quality, RemainingLife
from wearcast.signals.series import Block
from wearcast.v1 import machine_health_pb2 as pb


class Notices:
    """Notices about one model; `newest` is the newest estimate that its client has received.

    They depend on blocks and estimates alone, so one that is told again over a break is the same,
    and its client can drop it.
    """

    def __init__(self, contract: Contract, newest: Estimate | None) -> None:
        self._contract = contract
        self._alarm = newest is not None and _is_alarm(newest)
        self._sequence = newest.sequence if newest else -1

    def about_stored(self, estimates: Sequence[Estimate]) -> Iterator[pb.Notice]:
        """The notices about estimates that were stored before, and that the client has missed."""
        contract = self._contract
        for estimate in estimates:
            # Where not every block leads to an answer, only the flag of the estimate tells.
            if Quality.AFTER_GAP in estimate.quality and contract.every_s is None:
                first = 0 if contract.partial else contract.sequence - 1
                yield _gap(estimate.sequence - first)
            yield from self._about(estimate)

    def about(self, blocks: Sequence[Block], estimates: Sequence[Estimate]) -> Iterator[pb.Notice]:
        """The notices about new blocks and the estimates they led to."""
        for block in blocks:
            # Blocks that a client sends again after a break were reported with their estimates.
            if block.after_gap and block.sequence > max(self._sequence, 0):
                yield _gap(block.sequence)
        for estimate in estimates:
            yield from self._about(estimate)

    def _about(self, estimate: Estimate) -> Iterator[pb.Notice]:
        if Quality.CLOCK_JUMP in estimate.quality:
            yield pb.Notice(
                code=pb.NOTICE_CODE_CLOCK_JUMP,
                sequence=estimate.sequence,
                text=f"the clock jumped before block {estimate.sequence}, "
                f"at {format_time(estimate.window_end_us)}",
            )
        life = estimate.answer
        if isinstance(life, RemainingLife) and life.alarm and not self._alarm:
            yield pb.Notice(
                code=pb.NOTICE_CODE_LIFE_ALARM,
                sequence=estimate.sequence,
                text=f"life used {life.line.value or life.life_fraction:.2f} by the line, "
                f"at {format_time(estimate.window_end_us)}; {life.rul_s:.0f} s of life left",
            )
        self._alarm = _is_alarm(estimate)
        self._sequence = estimate.sequence


def _gap(sequence: int) -> pb.Notice:
    return pb.Notice(
        code=pb.NOTICE_CODE_GAP,
        sequence=sequence,
        text=f"blocks before {sequence} are lost; windows start afresh",
    )


def _is_alarm(estimate: Estimate) -> bool:
    return isinstance(estimate.answer, RemainingLife) and estimate.answer.alarm
