"""INT8 as an export option: kept only if its answers stay near those at whole precision.

A graph of 8 bits rounds what a layer is given in steps that fit the whole run, so that rows beside
a row would change its answer. Hence it is frozen at one row.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from wearcast.export.graph import save_graph
from wearcast.export.parity import Array, Arrays, Runtime, run_frozen, run_onnx
from wearcast.export.quantize import quantize
from wearcast.signals.contract import CONTRACT_KEY, Contract, Int8Part, Output
from wearcast.signals.errors import ArtefactError
from wearcast.signals.golden import Golden, golden_input
from wearcast.signals.halves import ENCODER, HEAD

BATCHES = (1,)
# Chosen: a forecaster that is fitted stays far below it, see benchmarks/results/int8.md.
BAR = 0.02
# How often the largest deviation that was met is allowed where the model is loaded.
_MARGIN = 2.0
_DRAWN = 64
_DRAWN_SEED = 1
_TIMED = 16
_TIMINGS = 5
_MEDIAN = 0.5


@dataclass(frozen=True, eq=False)
class Windows:
    """What both graphs are asked: inputs of `name`, and what came after, where that is known.

    followed: for each output float32 (rows, horizons), in its unit, NaN where it is not known.
    """

    name: str
    inputs: Arrays
    followed: Arrays | None = None


@dataclass(frozen=True)
class Difference:
    """How far apart both graphs' answers are for one output and set of windows, in its unit.

    spread: from the lowest to the highest answer at whole precision. errors: mean absolute error of
    the median against what followed, at whole precision and of INT8.
    """

    windows: str
    rows: int
    output: str
    unit: str
    spread: float
    worst: float
    rms: float
    errors: tuple[float, float] | None = None


@dataclass(frozen=True)
class Cost:
    """One graph's size, and the time of the processor that a row takes."""

    bytes: int
    row_us: float


@dataclass(frozen=True)
class Comparison:
    """Both graphs side by side. layers: how many have 8 bits."""

    layers: int
    whole: Cost
    int8: Cost
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Int8:
    """That INT8 is asked for, and what it has to hold against.

    bar: the largest difference from whole precision, as a share of the range of the answers.
    gather: windows to compare on, beside those that are drawn. on_compared: is told before the
    judgement.
    """

    bar: float = BAR
    gather: Callable[[Contract], Sequence[Windows]] = lambda _: ()
    on_compared: Callable[[Comparison], None] = lambda _: None


def make_int8(
    folder: Path, contract: Contract, golden: Golden, learned: Sequence[str], asked: Int8
) -> Contract:
    """Put INT8 in the place of the graph at whole precision in a model folder; its contract.

    Raises:
        ArtefactError: no layer would gain, or the answers are further off than the bar.
    """
    whole, path = folder / "batch-1.onnx", folder / "batch-1.int8"
    graph, layers = quantize(whole, learned)
    save_graph(graph, path, {})
    sets = (_draw_windows(contract, golden), *asked.gather(contract))
    graphs = run_onnx(whole), run_onnx(path)
    differences = tuple(item for part in sets for item in _compare(contract, *graphs, part))
    before_us, after_us = _time(*graphs, tuple(part[:_TIMED] for part in sets[0].inputs))
    before, after = Cost(whole.stat().st_size, before_us), Cost(path.stat().st_size, after_us)
    asked.on_compared(Comparison(layers, before, after, differences))
    for item, output in zip(differences, contract.outputs * len(sets), strict=True):
        _check(item, output.tolerance, asked.bar)

    deviation = {
        output.name: max(item.worst for item in differences if item.output == output.name)
        for output in contract.outputs
    }
    told = msgspec.structs.replace(
        contract,
        outputs=tuple(_loosen(output, deviation[output.name]) for output in contract.outputs),
        int8=Int8Part(layers, deviation, sum(len(part.inputs[0]) for part in sets), asked.bar),
    )
    save_graph(graph, whole, {CONTRACT_KEY: told.to_json()})
    path.unlink()
    # Whoever runs torch has no use of INT8.
    (folder / "batch-1.torchscript").unlink()
    # Nor do halves at whole precision make up a whole of 8 bits.
    for half in (ENCODER, HEAD):
        (folder / f"{half}-1.onnx").unlink(missing_ok=True)
    return told


def _draw_windows(contract: Contract, golden: Golden) -> Windows:
    """The golden cases, and more of their kind."""
    more = msgspec.structs.replace(golden, seed=_DRAWN_SEED, rows=_DRAWN)
    drawn = [golden_input(contract, recipe) for recipe in (golden, more)]
    inputs = zip(*drawn, strict=True)
    return Windows("drawn", tuple(np.concatenate(part) for part in inputs if part[0] is not None))


def _compare(
    contract: Contract, whole: Runtime, int8: Runtime, windows: Windows
) -> list[Difference]:
    """One for each output."""
    answers = run_frozen(whole, 1, windows.inputs), run_frozen(int8, 1, windows.inputs)
    found = []
    for place, (output, one, other) in enumerate(zip(contract.outputs, *answers, strict=True)):
        off = other.astype(np.float64) - one
        errors = None
        if windows.followed is not None and contract.forecast is not None:
            followed = windows.followed[place]
            quantiles = contract.forecast.quantiles
            if _MEDIAN in quantiles and np.isfinite(followed).any():
                middle = quantiles.index(_MEDIAN)
                errors = (
                    _mean_error(one[..., middle], followed),
                    _mean_error(other[..., middle], followed),
                )
        found.append(
            Difference(
                windows=windows.name,
                rows=len(one),
                output=output.name,
                unit=output.unit,
                spread=float(np.ptp(one)),
                worst=float(np.abs(off).max()),
                rms=float(np.sqrt(np.mean(off * off))),
                errors=errors,
            )
        )
    return found


def _mean_error(said: Array, followed: Array) -> float:
    return float(np.nanmean(np.abs(said.astype(np.float64) - followed)))


def _check(found: Difference, tolerance: float, bar: float) -> None:
    """The answers are near enough, and err little more.

    Raises:
        ArtefactError: they don't.
    """
    field = f"int8: {found.output} on {found.windows}"
    # What no parity test would see is no deviation. Written so that NaN is too far off.
    allowed = max(bar * found.spread, tolerance)
    if not found.worst <= allowed:
        expected = f"within {allowed:.3g}, {bar:g} of the range {found.spread:.3g}"
        raise ArtefactError(field, expected, f"{found.worst:.3g} off")
    if found.errors is not None:
        before, after = found.errors
        if not after <= (1 + bar) * before + tolerance:
            expected = f"a mean error of {before:.3g}, and {bar:g} of it more at the most"
            raise ArtefactError(field, expected, f"{after:.3g}")


def _loosen(output: Output, deviation: float) -> Output:
    """The golden answers are those at whole precision: from these INT8 may be as far as it was."""
    return msgspec.structs.replace(output, tolerance=max(output.tolerance, _MARGIN * deviation))


def _time(whole: Runtime, int8: Runtime, inputs: Arrays) -> list[float]:
    """Microseconds a row of both, on one thread: the best of a few passes in turns."""
    best = [float("inf"), float("inf")]
    for _ in range(_TIMINGS):
        for place, runtime in enumerate((whole, int8)):
            began_s = time.thread_time()
            run_frozen(runtime, 1, inputs)
            best[place] = min(best[place], (time.thread_time() - began_s) / len(inputs[0]) * 1e6)
    return best
