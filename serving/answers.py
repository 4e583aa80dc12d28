"""From a stream of blocks to estimates: what Monitor and Predict have in common."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from wearcast.serving.decode import decode_blocks
from wearcast.serving.inbox import Inbox
from wearcast.serving.pool import ModelKey, Pool
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError, WearcastError
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block, Series, Window
from wearcast.v1 import samples_pb2


class Answered(NamedTuple):
    """Blocks that were taken together, and the estimates they led to."""

    blocks: list[Block]
    estimates: list[Estimate]


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


async def answer_blocks(
    inbox: Inbox, series: Series, pool: Pool, model: ModelKey
) -> AsyncIterator[Answered]:
    """Answer what waits, as one batch, again and again until the client is done.

    What came before a bad block is answered before its error is raised.
    """
    while blocks := await inbox.take():
        windows: list[Window] = []
        failure: WearcastError | None = None
        good: list[Block] = []
        for block in blocks:
            try:
                window = series.push(block)
            except WearcastError as error:
                failure = error
                break
            good.append(block)
            if window is not None:
                windows.append(window)
        estimates: list[Estimate] = []
        if windows:
            outputs = await pool.run(model, [window.values for window in windows])
            for window, fraction in zip(windows, outputs["life_fraction"], strict=True):
                try:
                    estimate = series.answer(window, float(fraction))
                except InputError as error:
                    failure = error
                    good = [block for block in good if block.sequence < window.sequence]
                    break
                estimates.append(estimate)
                # Other streams have their turn between two answers of a large batch.
                await asyncio.sleep(0)
        if good:
            yield Answered(good, estimates)
        if failure:
            raise failure
