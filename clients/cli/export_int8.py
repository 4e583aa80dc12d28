"""What `wearcast export --int8` compares on, and says of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from wearcast.clients.plant_rows import make_blocks
from wearcast.clients.recordings import find_inputs
from wearcast.clients.windows import gather_windows
from wearcast.export.int8 import Comparison, Difference, Windows
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError
from wearcast.signals.series import Block
from wearcast.signals.vibration.gear_csv import is_gear, read_gear
from wearcast.training.forecast.gear_block import make_block

# Chosen: a minute at most with the slowest model here.
_LIMIT = 512


def make_gatherer(paths: Sequence[Path]) -> Callable[[Contract], list[Windows]]:
    """Reads up to 512 windows of each recording at some paths, spread over it."""

    def gather(contract: Contract) -> list[Windows]:
        found = []
        for name, blocks in _open_recordings(paths, contract):
            windows = gather_windows(blocks, contract, limit=_LIMIT)
            if windows is None:
                expected = f"a window of {contract.sequence} that an answer is due to"
                raise InputError(f"evaluate: {name}", expected, "none")
            inputs = (windows.values,) if windows.minutes is None else (
                windows.values, windows.minutes
            )  # fmt: skip
            found.append(Windows(name, inputs, windows.followed))
        return found

    return gather


def _open_recordings(
    paths: Sequence[Path], contract: Contract
) -> Iterator[tuple[str, Iterable[Block]]]:
    """Names and blocks; of gear files those blocks of their own that a gear forecaster is for."""
    gears = [path for path in paths if contract.forecast is not None and is_gear(path)]
    for path in gears:
        own = [
            block
            for block in map(make_block, read_gear(path))
            if (block.speed, block.load) == tuple(map(contract.training.get, ("speed", "load")))
        ]
        if not own:
            expected = "a block of the speed and load that the model was fitted to"
            raise InputError(f"evaluate: {path.name}", expected, "none")
        for block in own:
            yield block.name, make_blocks(block.rows)
    others = [path for path in paths if path not in gears]
    for item in find_inputs(others, of_vibration=contract.fault is not None):
        yield item.name, item.open(contract, lambda _: None)


def describe(comparison: Comparison) -> str:
    """Both graphs side by side, as lines for people."""
    whole, int8 = comparison.whole, comparison.int8
    lines = [
        f"INT8 in {comparison.layers} layer(s)",
        f"  size        {whole.bytes:,} bytes -> {int8.bytes:,}",
        f"  time a row  {whole.row_us:,.0f} us -> {int8.row_us:,.0f}, one thread",
        *map(_describe_difference, comparison.differences),
    ]
    return "\n".join(lines)


def to_json(comparison: Comparison) -> dict[str, Any]:
    """The same for `--json`."""
    whole, int8 = comparison.whole, comparison.int8
    return {
        "layers": comparison.layers,
        "bytes": [whole.bytes, int8.bytes],
        "row_us": [whole.row_us, int8.row_us],
        "differences": [
            {
                "windows": item.windows,
                "rows": item.rows,
                "output": item.output,
                "unit": item.unit,
                "range": item.spread,
                "largest": item.worst,
                "rms": item.rms,
                "mean_errors": item.errors,
            }
            for item in comparison.differences
        ],
    }


def _describe_difference(item: Difference) -> str:
    share = f" ({item.worst / item.spread:.2%} of the range)" if item.spread else ""
    text = (
        f"  {item.output} on {item.windows}, {item.rows} windows: at most {item.worst:.3g} "
        f"{item.unit}{share}, RMS {item.rms:.2g}"
    )
    if item.errors is not None:
        text += f"; mean error {item.errors[0]:.4g} -> {item.errors[1]:.4g}"
    return text
