"""From a stream of blocks to estimates: what Monitor and Predict have in common."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wearcast.serving.decode import decode_blocks
from wearcast.serving.engine import Pin
from wearcast.serving.inbox import Inbox
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError, WearcastError
from wearcast.signals.estimate import Estimate
from wearcast.signals.panel import Panel
from wearcast.signals.series import Block, Window
from wearcast.v1 import samples_pb2

# Chosen: a turn is about as long as one of a stream that has one answer at a time.
_IN_A_TURN = 4


class Answered(NamedTuple):
    """Blocks that were taken together, and the estimates they led to, a list for each model."""

    blocks: list[Block]
    estimates: list[list[Estimate]]


@asynccontextmanager
async def reading(
    requests: AsyncIterator[Any],
    pick: Callable[[Any], samples_pb2.BlockBatch],
    contract: Contract,
    inbox: Inbox,
) -> AsyncIterator[None]:
    """Read a client's messages into an inbox while the block runs."""

    async def read() -> None:
        try:
            async for request in requests:
                for block in decode_blocks(pick(request), contract):
                    await inbox.put(block)
        except Exception as error:  # noqa: BLE001  # handed over, and raised where the answers are made
            inbox.close(error)
        else:
            inbox.close()

    reader = asyncio.create_task(read())
    try:
        yield
    finally:
        reader.cancel()


async def answer_blocks(inbox: Inbox, panel: Panel, pins: Sequence[Pin]) -> AsyncIterator[Answered]:
    """Answer what waits, as one batch a model, again and again until the client is done.

    What came before a bad block is answered before its error is raised.
    """
    while blocks := await inbox.take():
        good, windows, failure = _take(panel, blocks)
        jobs = [
            pin.run(waiting) if waiting else _nothing()
            for pin, waiting in zip(pins, windows, strict=True)
        ]
        # One job needs no task of its own.
        outputs = [await jobs[0]] if len(jobs) == 1 else await asyncio.gather(*jobs)
        estimates: list[list[Estimate]] = [[] for _ in pins]
        for place, waiting in enumerate(windows):
            for row, window in enumerate(waiting):
                one = {name: output[row] for name, output in outputs[place].items()}
                try:
                    estimates[place].append(panel.series[place].answer(window, one))
                except InputError as error:
                    failure = error
                    good = [block for block in good if block.sequence < window.sequence]
                    break
                # Other streams have their turn between the answers of a large batch.
                if row % _IN_A_TURN == _IN_A_TURN - 1:
                    await asyncio.sleep(0)
        if good:
            end = good[-1].sequence
            yield Answered(good, [[it for it in part if it.sequence <= end] for part in estimates])
        if failure:
            raise failure


def _take(
    panel: Panel, blocks: Sequence[Block]
) -> tuple[list[Block], list[list[Window]], WearcastError | None]:
    """The blocks up to the first bad one, the windows that end in them, and what is wrong then."""
    windows: list[list[Window]] = [[] for _ in panel.series]
    for place, block in enumerate(blocks):
        try:
            ready = panel.push(block)
        except WearcastError as error:
            return list(blocks[:place]), windows, error
        for model, window in ready:
            windows[model].append(window)
    return list(blocks), windows, None


async def _nothing() -> dict[str, NDArray[np.float32]]:
    return {}
