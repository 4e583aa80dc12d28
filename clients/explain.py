"""Which frequencies speak for a diagnosis: the model is asked again without each band of them.

Source of the idea: Zeiler and Fergus, Visualizing and understanding convolutional networks (2014),
who cover parts of a picture; here the parts are bands of the spectrum, and of the envelope's.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from wearcast.clients.occlusion import (
    Bands,
    Signal,
    amplitudes,
    envelope,
    flatten_bands,
    flatten_envelope_bands,
    make_bands,
)
from wearcast.signals.contract import Contract, FaultPart
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block

Score = Callable[[Iterable[Block]], Iterable[Estimate]]

# Chosen: below it a spectrum has too few bins to tell bands apart.
_FEWEST_SAMPLES = 64
# Probabilities are float32: below it one can't be told from 0.
_LEAST = 1e-9
# Chosen: what speaks for a diagnosis moves its odds by a tenth, and is not small beside the rest.
_LEAST_DROP = 0.1
_LEAST_SHARE = 0.2
# Chosen: with more multiples almost every frequency would be near one.
_MULTIPLES = 5
_NEAR = 0.02


@dataclass(frozen=True, eq=False)
class Explanation:
    """Which frequencies of one window speak for a fault.

    sequence: number of the window's last block. values: float64 (channels, samples) in the
    channels' units. bands_hz: (n, 2), from and to. drop: (n,), how far ln(p / (1 - p)) of the fault
    falls without the band: above 0 it speaks for the fault, below 0 against it. The same of the
    envelope's bands.
    """

    fault: str
    sequence: int
    sample_rate_hz: float
    values: Signal
    bands_hz: Bands
    drop: NDArray[np.float64]
    envelope_bands_hz: Bands
    envelope_drop: NDArray[np.float64]


@dataclass(frozen=True)
class Mark:
    """A band that speaks for a fault: `hz` is where its spectrum is highest."""

    hz: float
    low_hz: float
    high_hz: float
    drop: float
    in_envelope: bool


def explain(
    blocks: Sequence[Block], estimates: Sequence[Estimate], contract: Contract, score: Score
) -> Explanation | None:
    """What speaks for the newest diagnosis, in the window that it is likeliest in.

    Where that is "unknown", what speaks for the likeliest fault of the newest window. blocks: all
    that the estimates are about. score: answers blocks, as `Client.predict` does. None: nothing was
    answered, or a window is too short for a spectrum, or is not one piece.
    """
    part = contract.fault
    samples = contract.sequence * contract.window
    whole = math.isclose(contract.hop_s * contract.sample_rate_hz, contract.window, rel_tol=1e-6)
    if part is None or not estimates or samples < _FEWEST_SAMPLES or not whole:
        return None
    fault, sequence = _pick_window(estimates)
    own = [it for it in blocks if sequence - contract.sequence < it.sequence <= sequence]
    signal = np.concatenate([block.values for block in own], axis=1).astype(np.float64)
    rate_hz = contract.sample_rate_hz
    resolution_hz = rate_hz / samples
    bands_hz = make_bands(rate_hz / 2, resolution_hz, part.shaft_hz)
    # Slower than its carrier, and the first orders are what an engineer looks at.
    envelope_hz = rate_hz / 8 if part.shaft_hz is None else min(rate_hz / 4, 20 * part.shaft_hz)
    envelope_bands_hz = make_bands(envelope_hz, resolution_hz, part.shaft_hz)
    variants = chain(
        [signal],
        flatten_bands(signal, rate_hz, bands_hz),
        flatten_envelope_bands(signal, rate_hz, envelope_bands_hz),
    )
    odds = [
        _log_odds(estimate, fault)
        for estimate in score(_cut(variants, own))
        if estimate.sequence % contract.sequence == contract.sequence - 1
    ]
    drops = odds[0] - np.array(odds[1:])
    return Explanation(
        fault=fault,
        sequence=sequence,
        sample_rate_hz=rate_hz,
        values=signal,
        bands_hz=bands_hz,
        drop=drops[: len(bands_hz)],
        envelope_bands_hz=envelope_bands_hz,
        envelope_drop=drops[len(bands_hz) :],
    )


def find_marks(explanation: Explanation) -> list[Mark]:
    """The bands that speak for the fault, of signal and envelope, the strongest first."""
    rate_hz, signal = explanation.sample_rate_hz, explanation.values
    marks = []
    for in_envelope, shown, bands_hz, drops in (
        (False, signal, explanation.bands_hz, explanation.drop),
        (True, envelope(signal), explanation.envelope_bands_hz, explanation.envelope_drop),
    ):
        frequencies, sizes = amplitudes(shown, rate_hz)
        for (low_hz, high_hz), drop in zip(bands_hz.tolist(), drops.tolist(), strict=True):
            inside = np.flatnonzero((frequencies >= low_hz) & (frequencies < high_hz))
            hz = float(frequencies[inside[sizes[:, inside].max(axis=0).argmax()]])
            marks.append(Mark(hz, low_hz, high_hz, drop, in_envelope))
    least = max(_LEAST_DROP, _LEAST_SHARE * max((mark.drop for mark in marks), default=0.0))
    return sorted((mark for mark in marks if mark.drop >= least), key=lambda mark: -mark.drop)


def name_frequency(hz: float, part: FaultPart) -> str:
    """A frequency with its order, and the name of that where it has one.

    >>> part = FaultPart(("normal", "outer race"), shaft_hz=29.9, orders={"BPFO": 3.585})
    >>> name_frequency(107.0, part), name_frequency(214.0, part), name_frequency(60.0, part)
    ('107 Hz = 3.58x (BPFO)', '214 Hz = 7.16x (2 BPFO)', '60 Hz = 2.01x')
    """
    text = f"{hz:.4g} Hz"
    if part.shaft_hz is None:
        return text
    order = hz / part.shaft_hz
    text += f" = {order:.2f}x"
    found = [
        (abs(order / (multiple * one) - 1), multiple, name)
        for multiple in range(1, _MULTIPLES + 1)
        for name, one in part.orders.items()
    ]
    error, multiple, name = min(found, default=(1.0, 1, ""))
    return f"{text} ({f'{multiple} ' * (multiple > 1)}{name})" if error <= _NEAR else text


def list_marks(explanation: Explanation, part: FaultPart) -> dict[str, object]:
    """The bands that speak for the fault, for JSON; see `Explanation` and `Mark`."""
    return {
        "fault": explanation.fault,
        "sequence": explanation.sequence,
        "frequencies": [
            {
                "of": "envelope" if mark.in_envelope else "signal",
                "hz": mark.hz,
                "order": None if part.shaft_hz is None else mark.hz / part.shaft_hz,
                "text": name_frequency(mark.hz, part),
                "low_hz": mark.low_hz,
                "high_hz": mark.high_hz,
                "drop": mark.drop,
            }
            for mark in find_marks(explanation)
        ],
    }


def _pick_window(estimates: Sequence[Estimate]) -> tuple[str, int]:
    """The fault to explain, and the number of the last block of the window to do it in."""
    newest = estimates[-1]
    fault = newest.fault_diagnosis.diagnosis
    if not fault:
        likeliest = max(newest.fault_diagnosis.probabilities, key=lambda pair: pair[1])
        return likeliest[0], newest.sequence
    best = max(estimates, key=lambda it: dict(it.fault_diagnosis.probabilities)[fault])
    return fault, best.sequence


def _cut(variants: Iterable[Signal], own: Sequence[Block]) -> Iterator[Block]:
    """Each variant as blocks like the window's own, behind a gap, so that it is a window alone."""
    for number, variant in enumerate(variants):
        pieces = np.split(variant.astype(np.float32), len(own), axis=1)
        for place, (block, values) in enumerate(zip(own, pieces, strict=True)):
            yield Block(
                sequence=number * len(own) + place,
                start_us=block.start_us,
                sample_rate_hz=block.sample_rate_hz,
                values=values,
                after_gap=place == 0,
            )


def _log_odds(estimate: Estimate, fault: str) -> float:
    probabilities = dict(estimate.fault_diagnosis.probabilities)
    own = probabilities.pop(fault)
    # The others' sum says more than 1 - own where float32 has rounded own to 1.
    return math.log(max(own, _LEAST)) - math.log(max(sum(probabilities.values()), _LEAST))
