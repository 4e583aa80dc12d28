"""What was made of a block is used again, and changes no answer."""

import asyncio
import gc

import numpy as np
import pytest
from engines import run_engine, until
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import mean_abs_fraction, tiny_contract, wearing_block, write_tiny_model
from tiny_halves import add_halves

from wearcast.serving.batcher import Batcher
from wearcast.serving.models import BUNDLED, open_model
from wearcast.serving.policy import Policy
from wearcast.serving.reuse import Encoded, Known, Reuse, measure_reuse
from wearcast.serving.session import open_session
from wearcast.serving.workers import Workers
from wearcast.signals.series import Block, Series

POLICY = Policy({1: 0.001, 4: 0.002}, 1)
BLOCKS = [wearing_block(number, 41.3) for number in range(12)]
AFTER_GAP = [wearing_block(number, 41.3, after_gap=number == 12) for number in range(12, 24)]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return open_session(add_halves(write_tiny_model(tmp_path_factory.mktemp("models"))))


@pytest.fixture
def reuse(session):
    return Reuse(session.open_halves(), POLICY)


def windows_of(blocks):
    series = Series(tiny_contract())
    return [window for block in blocks if (window := series.push(block)) is not None]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 4)), max_size=20), st.data())
def test_streams_answer_as_the_whole_graph(session, turns, data):
    reuse = Reuse(session.open_halves(), POLICY)
    # Some windows are left out, as where an answer is due with each few blocks only.
    streams = [
        [window for window in windows_of(BLOCKS + AFTER_GAP) if data.draw(st.booleans())]
        for _ in range(2)
    ]
    known = [Known(3), Known(3)]
    for stream, count in turns:
        taken, streams[stream] = streams[stream][:count], streams[stream][count:]
        if not taken:
            continue
        rows = [known[stream].take(window.sequence) for window in taken]
        values = [window.values for window in taken]
        (fractions,) = reuse.run(values, rows, 1 if len(taken) == 1 else 4)
        whole = session.run(np.stack(values))["life_fraction"]
        np.testing.assert_allclose(fractions[: len(taken)], whole, rtol=0, atol=1e-5)


def test_a_block_is_encoded_once(reuse):
    known = Known(3)
    first, second = np.full((2, 3, 2, 64), 0.25, np.float32)
    (before,) = reuse.run([first], [known.take(2)], 1)
    second[:2] = np.nan  # nobody looks at what is known already
    second[2] = 0.75
    (after,) = reuse.run([second], [known.take(3)], 1)
    assert before.tolist() == [0.25]
    assert after.tolist() == pytest.approx([(0.25 + 0.25 + 0.75) / 3])


def test_blocks_that_windows_of_one_run_share_are_encoded_once(reuse):
    known = Known(3)
    windows = np.full((2, 3, 2, 64), 0.25, np.float32)
    windows[0, :2] = 0.5
    windows[1, 0] = windows[0, 1]
    rows = [known.take(2), known.take(3)]
    assert rows[0][1:] == rows[1][:2]
    windows[1, 1] = windows[0, 2]
    (fractions,) = reuse.run(list(windows), rows, 4)
    np.testing.assert_allclose(fractions[:2], mean_abs_fraction(windows), rtol=1e-6)


def test_after_a_gap_nothing_of_before_is_used():
    known = Known(3)
    before, after, next_one = known.take(5), known.take(8), known.take(9)
    assert not set(before) & set(after)
    assert after[1:] == next_one[:2]


def test_no_more_is_kept_than_a_window_holds(reuse):
    gc.collect()
    # Held, so that none of them goes meanwhile.
    before = [item for item in gc.get_objects() if type(item) is Encoded]
    known = Known(3)
    for number in range(2, 200):
        row = known.take(number)
        reuse.run([np.ones((3, 2, 64), np.float32)], [row], 1)
    gc.collect()
    kept = [item for item in gc.get_objects() if type(item) is Encoded]
    assert len(kept) - len(before) == len(row) == 3
    # Not with them the arrays that they were made in.
    assert all(block.features.base is None for block in row)


def test_halves_are_run_only_where_they_are_measured_to_be_faster(session, tmp_path):
    slow, fast = (Policy({1: run_s, 4: run_s}, 1) for run_s in (1.0, 1e-9))
    assert measure_reuse([session], fast) is None
    reusing = measure_reuse([session], slow)
    assert reusing.times == reusing.policy.rows_per_s / slow.rows_per_s
    assert f"{reusing.times:.1f} times the windows/s" in reusing.text
    without = open_session(write_tiny_model(tmp_path))
    assert measure_reuse([without], slow) is None


def test_streams_share_runs_and_take_turns_on_two_workers(session):
    async def work():
        workers = Workers(2)
        reuse = [Reuse(session.open_halves(), POLICY) for _ in range(2)]
        batcher = Batcher([session] * 2, Policy(POLICY.run_s, 2), most_waiting=1, reuse=reuse)

        async def follow(seed):
            shift = 1 + seed / 10
            windows = [window.values * shift for window in windows_of(BLOCKS)]
            known = Known(3)
            answers = []
            for start in range(0, len(windows), 2):
                values = windows[start : start + 2]
                rows = [known.take(2 + start + place) for place in range(len(values))]
                request = batcher.admit(values, None, known=rows, is_call=False)
                workers.call(batcher)
                answers += (await request.answer)["life_fraction"].tolist()
            np.testing.assert_allclose(answers, mean_abs_fraction(np.stack(windows)), rtol=1e-5)

        await asyncio.gather(*map(follow, range(8)))
        await workers.close()
        return batcher.counts

    counts = asyncio.run(work())
    assert counts.rows == 8 * len(windows_of(BLOCKS))
    assert max(counts.batches) == 4


@pytest.fixture(scope="module")
def snapshots():
    rng = np.random.default_rng(5)
    loud = np.geomspace(0.2, 5, 40)[:, None, None]
    return (rng.standard_normal((40, 2, 2560)) * loud).astype(np.float32)


def test_streams_of_the_bundled_bearing_model_encode_once_and_calls_do_not(snapshots):
    session = open_model(BUNDLED, "bearing-rul")
    contract = session.contract
    series = Series(contract)
    windows = [
        window
        for number, values in enumerate(snapshots)
        if (window := series.push(Block(number, number * 10_000_000, 25600.0, values)))
    ]
    whole = session.run(np.stack([window.values for window in windows]))["life_fraction"]

    async def work(engine):
        key = (contract.name, contract.version)
        with engine.pin(contract.name) as pin:
            parts = [windows[:1], windows[1:2], windows[2:]]
            streamed = [(await pin.run(part))["life_fraction"] for part in parts]
        called = await engine.run(key, np.stack([window.values for window in windows]))
        counts = engine.statistics(key)
        assert counts.success.count == 4
        assert counts.rows == 2 * len(windows)
        return np.concatenate(streamed), called["life_fraction"], counts.policy

    streamed, called, policy = run_engine(BUNDLED, work, workers=2)
    assert "; streams encode each block once, " in policy
    np.testing.assert_allclose(streamed, whole, rtol=0, atol=1e-5)
    np.testing.assert_allclose(called, whole, rtol=0, atol=1e-5)
    assert np.ptp(whole) > 0.01


def test_unloading_waits_for_what_streams_have_asked(snapshots):
    async def work(engine):
        with engine.pin("bearing-rul") as pin:
            series = Series(pin.served.contract)
            blocks = [
                Block(number, number * 10_000_000, 25600.0, values)
                for number, values in enumerate(snapshots)
            ]
            windows = [window for block in blocks if (window := series.push(block))]
            asked = asyncio.create_task(pin.run(windows))
            await until(lambda: engine.statistics(pin.served.key).waiting or asked.done())
            await engine.unload("bearing-rul")
            assert asked.done()

    run_engine(BUNDLED, work)
