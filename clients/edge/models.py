"""The models that judge a plant's rows: in this process, or on a server."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from wearcast.clients.edge.blocks import Numbering
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.estimate import Estimate
from wearcast.signals.panel import Panel, join_contracts
from wearcast.signals.series import Block, Window, minutes_of

_LOG = logging.getLogger(__name__)
_OF_ROWS = {"forecast", "outlier"}


class Answers(NamedTuple):
    """Estimates, in the order of their blocks, and the last block that is wholly answered."""

    estimates: list[Estimate]
    done: int


class Models(Protocol):
    """Judges blocks, each once.

    problem: what is wrong now, in words; empty: nothing. contracts: what they are. needs: number of
    the first block that is to be fed next; it can be an earlier one than was asked for in `resume`,
    as windows reach back.
    """

    problem: str
    contracts: list[Contract]

    @property
    def needs(self) -> int: ...  # noqa: D102

    def resume(self, done: int, numbering: Numbering) -> None:
        """Go on behind the last block that was answered, -1 for none."""

    def feed(self, blocks: Sequence[Block]) -> None:
        """Take the next blocks."""

    def take(self) -> Answers | None:
        """What has been answered since it was asked last; None: nothing."""

    def close(self) -> None:
        """Let go of everything."""


class NoModels:
    """Nobody judges: rows count as answered at once."""

    problem = ""

    def __init__(self) -> None:
        self.contracts: list[Contract] = []
        self.needs = 0

    def resume(self, done: int, numbering: Numbering) -> None:  # noqa: ARG002
        """Go on behind a block."""
        self.needs = done + 1

    def feed(self, blocks: Sequence[Block]) -> None:
        """Take the next blocks."""
        if blocks:
            self.needs = blocks[-1].sequence + 1

    def take(self) -> Answers | None:
        """All that was fed is done."""
        return Answers([], self.needs - 1)

    def close(self) -> None:
        """Nothing is open."""


class LocalModels:
    """Models in this process, run by ONNX Runtime; needs `wearcast[serve]`.

    Raises:
        NotFoundError: there is no such model.
        ArtefactError: its folder does not hold together.
    """

    problem = ""

    def __init__(self, names: Sequence[str], models_dir: Path | None = None) -> None:
        from wearcast.serving.models import open_model  # noqa: PLC0415

        self._sessions = [open_model(models_dir, name) for name in names]
        self.contracts = [session.contract for session in self._sessions]
        self._panel = Panel(self.contracts)
        self._done = -1
        self._waiting: list[Estimate] = []

    @property
    def needs(self) -> int:
        """The first block that is to be fed next."""
        return self._panel.next_sequence

    def resume(self, done: int, numbering: Numbering) -> None:  # noqa: ARG002
        """Go on behind the last block that was answered, -1 for none."""
        self._panel = Panel(self.contracts)
        self._done = done
        self._waiting = []
        for series in self._panel.series:
            series.resume((), done)

    def feed(self, blocks: Sequence[Block]) -> None:
        """Take the next blocks, and answer them."""
        windows: list[list[Window]] = [[] for _ in self._sessions]
        for block in blocks:
            for place, window in self._panel.push(block):
                windows[place].append(window)
        estimates = [
            estimate
            for place, waiting in enumerate(windows)
            for estimate in self._answer(place, waiting)
        ]
        self._waiting += sorted(estimates, key=lambda estimate: estimate.sequence)
        if blocks:
            self._done = max(self._done, blocks[-1].sequence)

    def take(self) -> Answers | None:
        """What has been answered since it was asked last."""
        answers = Answers(self._waiting, self._done)
        self._waiting = []
        return answers

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, place: int, windows: list[Window]) -> list[Estimate]:
        session, series = self._sessions[place], self._panel.series[place]
        size = max(session.contract.batch_sizes)
        estimates = []
        for first in range(0, len(windows), size):
            batch = windows[first : first + size]
            values = np.stack([window.values for window in batch])
            outputs = session.run(values, minutes_of(session.contract, batch))
            for row, window in enumerate(batch):
                one = {name: output[row] for name, output in outputs.items()}
                try:
                    estimates.append(series.answer(window, one))
                except InputError as error:  # the row stays as it was read, not judged
                    _LOG.warning("%s: %s", session.contract.name, error)
        return estimates


def check_fit(contracts: Sequence[Contract], channels: dict[str, str], step_s: float) -> None:
    """Whether models can judge rows with these channels, name and unit, a row each `step_s`.

    Raises:
        MismatchError: they can't, or they are models of recordings, not of rows.
    """
    joined = join_contracts(contracts)
    wanted = {channel.name: channel.unit for channel in joined.channels}
    names = ", ".join(contract.name for contract in contracts)
    if joined.window != 1 or any(item.kind not in _OF_ROWS for item in contracts):
        raise MismatchError("models", "models of a plant's rows", names)
    if joined.hop_s != step_s:
        raise MismatchError("step_s", f"{joined.hop_s:g} as {names}", step_s)
    if list(wanted.items()) != list(channels.items()):
        expected = ", ".join(f"{name} ({unit})" for name, unit in wanted.items())
        got = ", ".join(f"{name} ({unit})" for name, unit in channels.items())
        raise MismatchError("channels", f"{expected} as {names}", got)
