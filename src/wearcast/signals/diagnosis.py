"""From the probabilities of single windows to a diagnosis that does not flicker.

The newest `steady` answers vote. Each gives every fault its probability; one whose novelty is 1 or
over gives its whole vote to "unknown" instead, as a model's probabilities mean nothing there. The
diagnosis is the fault, or "unknown", whose mean vote was highest at first; it changes only once
another's mean is more than `lead` higher than its own. Chosen: the simplest rule with memory that,
where windows are sure of their fault, a single odd one can't turn once there are three, and that a
lasting change turns within `steady` windows.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import FaultPart
from wearcast.signals.estimate import FaultDiagnosis

NOVEL = 1.0


def vote(answer: FaultDiagnosis) -> list[float]:
    """What one answer gives each fault, in the contract's order, and last "unknown"; 0 to 1.

    >>> vote(FaultDiagnosis((("normal", 0.9), ("looseness", 0.1)), 0.4, "normal", False))
    [0.9, 0.1, 0.0]
    >>> vote(FaultDiagnosis((("normal", 0.9), ("looseness", 0.1)), 1.4, "normal", False))
    [0.0, 0.0, 1.0]
    """
    if answer.novelty is not None and answer.novelty >= NOVEL:
        return [0.0] * len(answer.probabilities) + [1.0]
    return [probability for _, probability in answer.probabilities] + [0.0]


def mean_votes(answers: Sequence[FaultDiagnosis]) -> NDArray[np.float64]:
    """Mean votes of some answers, one or more: float64 (faults + 1,), last that for "unknown"."""
    votes = np.array([vote(answer) for answer in answers], np.float64)
    return np.asarray(votes.mean(axis=0))


class DiagnosisTracker:
    """Remembers recent answers about one asset and gives the diagnosis that they stand for."""

    def __init__(self, part: FaultPart) -> None:
        self._part = part
        self._answers: deque[FaultDiagnosis] = deque(maxlen=part.steady)
        self._place: int | None = None  # of the diagnosis; behind the faults: unknown

    @property
    def memory(self) -> int:
        """How many earlier answers the next one hangs on."""
        return self._part.steady

    def restore(self, answer: FaultDiagnosis) -> None:
        """Remember an answer given earlier."""
        faults = self._part.faults
        self._answers.append(answer)
        self._place = len(faults) if answer.unknown else faults.index(answer.diagnosis)

    def update(self, probabilities: Sequence[float], novelty: float | None) -> FaultDiagnosis:
        """The diagnosis, given the newest window's probabilities, one a fault, and its novelty."""
        faults = self._part.faults
        pairs = tuple(zip(faults, probabilities, strict=True))
        self._answers.append(FaultDiagnosis(pairs, novelty, "", unknown=True))
        means = mean_votes(self._answers)
        best = int(np.argmax(means))
        if self._place is None or means[best] > means[self._place] + self._part.lead:
            self._place = best
        unknown = self._place == len(faults)
        diagnosis = "" if unknown else faults[self._place]
        return FaultDiagnosis(pairs, novelty, diagnosis, unknown)
