"""Monitor with a model whose blocks are encoded once: broken off, resumed, with a gap."""

from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from running import running_server
from wire import OpenStream, batches, estimates_of

from wearcast.serving.models import BUNDLED, open_model
from wearcast.signals.series import Block, Series

HOP_US = 10_000_000
GAP_AT = 30


@pytest.fixture(scope="module")
def channel() -> Iterator[grpc.Channel]:
    with running_server(BUNDLED) as server, grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.fixture(scope="module")
def blocks():
    rng = np.random.default_rng(6)
    numbers = [number for number in range(60) if not GAP_AT <= number < GAP_AT + 3]
    return [
        Block(
            number,
            number * HOP_US,
            25600.0,
            (rng.standard_normal((2, 2560)) * 1.05**number).astype(np.float32),
            after_gap=number == GAP_AT + 3,
        )
        for number in numbers
    ]


@pytest.fixture(scope="module")
def expected(blocks):
    """The whole graph's answers, window by window."""
    session = open_model(BUNDLED, "bearing-rul")
    series = Series(session.contract)
    windows = [window for block in blocks if (window := series.push(block)) is not None]
    fractions = session.run(np.stack([window.values for window in windows]))["life_fraction"]
    return dict(zip([window.sequence for window in windows], fractions.tolist(), strict=True))


@pytest.mark.parametrize("size", [1, 7, 60])
@pytest.mark.parametrize("break_at", [14, 35])
def test_a_stream_that_resumes_answers_as_the_whole_graph(
    channel, blocks, expected, size, break_at
):
    asset = f"bearing {size} {break_at}"
    first = OpenStream(channel, "Monitor", model="bearing-rul", asset=asset).open()
    before = [block for block in blocks if block.sequence <= break_at]
    for batch in batches(before, size):
        first.send(*batch)
    estimates = estimates_of(first.responses_until(break_at))
    first.hang_up()
    last = estimates[-1].sequence if estimates else 0
    second = OpenStream(
        channel, "Monitor", model="bearing-rul", asset=asset, received_sequence=last
    ).open()
    again = [block for block in blocks if block.sequence >= second.started.next_sequence]
    for batch in batches(again, size):
        second.send(*batch)
    estimates += estimates_of(second.finish())
    got = {item.sequence: item.remaining_life.life_fraction for item in estimates}
    assert list(got) == list(expected)
    np.testing.assert_allclose(list(got.values()), list(expected.values()), rtol=0, atol=1e-5)
    assert np.ptp(list(expected.values())) > 0.05
