"""A real engine in the test's own process, and what tests ask of it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny import tiny_contract, write_tiny_model
from tiny_slow import ENDLESS, window_of

from wearcast.serving.engine import Engine, ModelKey
from wearcast.signals.series import Window

Result = TypeVar("Result")
PATIENCE_S = 120
WATCH_S = 0.02


def run_engine(
    models_dir: Path,
    work: Callable[[Engine], Awaitable[Result]],
    *,
    workers: int = 1,
    waiting: int = 1000,
    watch_s: float = 0.0,
) -> Result:
    """What the work gives, with an engine that is closed behind it."""

    async def main() -> Result:
        engine = Engine(models_dir, workers=workers, waiting=waiting, watch_s=watch_s)
        async with engine, asyncio.timeout(PATIENCE_S):
            return await work(engine)

    return asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    """Wait until it holds; `run_engine` ends it if it never does."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)  # there is no event for each


def fractions(outputs: dict[str, NDArray[np.float32]]) -> list[float]:
    return outputs["life_fraction"].tolist()


def stream_of(values: NDArray[np.float32]) -> list[Window]:
    """Rows as windows of a stream, one after the other."""
    return [Window(number, 0, (), window) for number, window in enumerate(values)]


async def occupy(
    engine: Engine, key: ModelKey = ("slow", 1), value: float = ENDLESS
) -> asyncio.Task[object]:
    """A request that has begun to run, and goes on until it is cancelled or late."""
    before = engine.statistics(key).queue.count
    task = asyncio.create_task(engine.run(key, window_of(value)))
    await until(lambda: engine.statistics(key).queue.count > before)
    return task


async def ending(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def write_version(models_dir: Path, version: int, *, bounded: bool = True) -> Path:
    return write_tiny_model(models_dir, tiny_contract(version=version), bounded=bounded)


def write_labels(models_dir: Path, text: str) -> None:
    """Whole at once: an empty file is one without labels."""
    path = models_dir / "tiny" / "labels.toml"
    new = models_dir / "labels.new"
    new.write_text(text)
    new.replace(path)


def push(models_dir: Path, version: int, staging: Path) -> None:
    """As export does: written elsewhere, then renamed to where it is seen, whole."""
    write_version(staging, version).rename(models_dir / "tiny" / str(version))
