"""Requests are put together, and each gets the answer that it would have got alone."""

import asyncio
import time
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from engines import ending, fractions, occupy, run_engine, stream_of, until
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import mean_abs_fraction
from tiny_slow import BROKEN, ENDLESS, SHAPE, window_of, write_slow_model

from wearcast.serving.batcher import Batcher
from wearcast.serving.models import open_version
from wearcast.serving.policy import Policy
from wearcast.signals.errors import BusyError, DeadlineError

SLOW = ("slow", 1)
OTHER = ("other", 1)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models_dir = tmp_path_factory.mktemp("slow")
    write_slow_model(models_dir)
    write_slow_model(models_dir, "other")
    return models_dir


BURSTS = st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=6), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None)
@given(bursts=BURSTS, seed=st.integers(0, 2**32 - 1), workers=st.integers(1, 3))
def test_any_pattern_of_arrival_gives_the_answers_of_single_rows(models, bursts, seed, workers):
    random = np.random.RandomState(seed)

    async def work(engine):
        asked, tasks = [], []
        for burst in bursts:
            for rows in burst:
                values = random.uniform(-1, 1, (rows, *SHAPE)).astype(np.float32)
                asked.append(values)
                tasks.append(asyncio.create_task(engine.run(SLOW, values)))
            await asyncio.sleep(random.choice([0, 0.001]))
        return asked, await asyncio.gather(*tasks), engine.statistics(SLOW)

    asked, answers, counts = run_engine(models, work, workers=workers)
    for values, answer in zip(asked, answers, strict=True):
        assert answer["life_fraction"].shape == (len(values),)
        np.testing.assert_allclose(answer["life_fraction"], mean_abs_fraction(values), atol=1e-6)
    assert counts.rows == sum(map(len, asked))
    assert counts.success.count == sum(len(values) > 0 for values in asked)
    assert (counts.waiting, counts.fail.count, counts.rejected) == (0, 0, 0)


def test_what_waits_is_run_together(models):
    async def work(engine):
        first = await occupy(engine)
        rest = [
            asyncio.create_task(engine.run(SLOW, window_of(value))) for value in (0.1, 0.2, 0.3)
        ]
        await until(lambda: engine.statistics(SLOW).waiting == 3)
        await ending(first)
        answers = [fractions(await task) for task in rest]
        return answers, engine.statistics(SLOW)

    answers, counts = run_engine(models, work)
    np.testing.assert_allclose(answers, [[0.1], [0.2], [0.3]], rtol=1e-6)
    # The time of a run at 1 and at 4 rows is nearly the same for this model.
    assert counts.policy.startswith("up to 4 rows together")
    assert {size: took.count for size, took in counts.batches.items()} == {3: 1}


def test_a_full_run_is_made_ahead_and_counts_as_waiting_until_it_begins(models):
    async def work(engine):
        first = await occupy(engine)
        rest = [asyncio.create_task(engine.run(SLOW, window_of(value))) for value in (0.1, 0.2)]
        late = asyncio.create_task(engine.run(SLOW, np.zeros((2, *SHAPE), np.float32)))
        await until(lambda: engine.statistics(SLOW).queue.count == 4)  # in a run already
        assert engine.statistics(SLOW).waiting == 4
        await asyncio.sleep(0.05)
        await ending(late)
        assert engine.statistics(SLOW).waiting == 2
        await ending(first)
        return [fractions(await task) for task in rest], engine.statistics(SLOW)

    answers, counts = run_engine(models, work)
    np.testing.assert_allclose(answers, [[0.1], [0.2]], rtol=1e-6)
    assert counts.waiting == 0
    assert counts.queue.ns > 3 * 0.05e9


def test_large_requests_take_turns_with_small_ones(models):
    session = open_version(models / "slow" / "1")

    async def work():
        batcher = Batcher([session], Policy({1: 0.001, 4: 0.001}, 1), most_waiting=100)
        large = batcher.admit(np.zeros((9, *SHAPE), np.float32), None)
        small = batcher.admit(np.zeros((2, *SHAPE), np.float32), None)
        runs = []
        while run := batcher.begin_run():
            runs.append([(part.request, part.start, part.stop) for part in run.parts])
        assert batcher.unassigned == 0
        return large, small, runs

    large, small, runs = asyncio.run(work())
    assert runs == [
        [(large, 0, 4)],
        [(small, 0, 2), (large, 4, 6)],
        [(large, 6, 9)],
    ]


def test_too_many_rows_are_refused_with_a_time_to_come_again(models):
    async def work(engine):
        running = await occupy(engine)
        waiting = asyncio.create_task(engine.run(SLOW, np.zeros((3, *SHAPE), np.float32)))
        await until(lambda: engine.statistics(SLOW).waiting == 3)
        with pytest.raises(BusyError, match="at most 4, got 3 and 2 more") as raised:
            await engine.run(SLOW, np.zeros((2, *SHAPE), np.float32))
        assert raised.value.retry_s > 0
        last = asyncio.create_task(engine.run(SLOW, window_of(0.5)))
        await until(lambda: engine.statistics(SLOW).waiting == 4)
        with engine.pin("slow") as pin:  # a stream: its inbox bounds it
            streamed = asyncio.create_task(pin.run(stream_of(window_of(0.25))))
            await until(lambda: engine.statistics(SLOW).waiting == 5)
            await ending(running)
            assert fractions(await streamed) == [0.25]
        assert fractions(await waiting) == [0.0] * 3
        assert fractions(await last) == [0.5]
        return engine.statistics(SLOW)

    assert run_engine(models, work, waiting=4).rejected == 1


def test_more_rows_than_may_wait_are_answered_where_none_wait(models):
    async def work(engine):
        return await engine.run(SLOW, np.zeros((50, *SHAPE), np.float32))

    assert fractions(run_engine(models, work, waiting=4)) == [0.0] * 50


def test_a_cancelled_call_frees_its_place_at_once(models):
    async def work(engine):
        running = await occupy(engine)
        waiting = asyncio.create_task(engine.run(SLOW, np.zeros((4, *SHAPE), np.float32)))
        await until(lambda: engine.statistics(SLOW).waiting == 4)
        await ending(waiting)
        assert engine.statistics(SLOW).waiting == 0
        follower = asyncio.create_task(engine.run(SLOW, window_of(0.5)))  # there is room again
        await ending(running)  # and the worker is free, though the run would never have ended
        assert fractions(await follower) == [0.5]
        return engine.statistics(SLOW)

    counts = run_engine(models, work, waiting=4)
    assert (counts.cancel.count, counts.success.count, counts.rejected) == (2, 1, 0)


def test_a_run_goes_on_while_one_of_its_callers_waits(models):
    async def work(engine):
        for count in (1e5, 1e6, 1e7):
            first = await occupy(engine)
            stays = asyncio.create_task(engine.run(SLOW, window_of(count)))
            leaves = asyncio.create_task(engine.run(SLOW, window_of(0.5)))
            await until(lambda: engine.statistics(SLOW).waiting == 2)
            begun = engine.statistics(SLOW).queue.count
            await ending(first)
            await until(lambda begun=begun: engine.statistics(SLOW).queue.count == begun + 2)
            if not leaves.done():  # else this thread stood still for longer than the run
                await ending(leaves)
                return fractions(await stays)
        raise AssertionError("no run lasted long enough")

    assert run_engine(models, work) == [1.0]


def test_a_deadline_that_is_past(models):
    async def work(engine):
        with pytest.raises(DeadlineError):
            await engine.run(SLOW, window_of(0.5), deadline_s=time.monotonic() - 1)
        return engine.statistics(SLOW)

    counts = run_engine(models, work)
    assert (counts.runs, counts.fail.count) == (0, 1)


def test_a_deadline_before_its_run(models):
    async def work(engine):
        running = await occupy(engine)
        with pytest.raises(DeadlineError):
            await engine.run(SLOW, window_of(0.5), deadline_s=time.monotonic() + 0.05)
        assert engine.statistics(SLOW).waiting == 0
        await ending(running)
        return engine.statistics(SLOW)

    counts = run_engine(models, work)
    assert (counts.runs, counts.fail.count) == (0, 1)


def test_a_deadline_during_its_run_ends_the_run(models):
    async def work(engine):
        with pytest.raises(DeadlineError):
            await engine.run(SLOW, window_of(ENDLESS), deadline_s=time.monotonic() + 0.05)
        return fractions(await engine.run(SLOW, window_of(0.5)))  # the one worker is free

    assert run_engine(models, work) == [0.5]


def test_an_error_fails_only_the_requests_of_its_run(models):
    async def work(engine):
        first = await occupy(engine)
        values = np.concatenate([window_of(0.5)] * 4 + [window_of(BROKEN)])
        broken = asyncio.create_task(engine.run(SLOW, values))
        beside = asyncio.create_task(engine.run(SLOW, window_of(0.25)))
        await until(lambda: engine.statistics(SLOW).waiting == 6)
        await ending(first)
        failures = await asyncio.gather(broken, beside, return_exceptions=True)
        after = fractions(await engine.run(SLOW, window_of(0.5)))
        return failures, after, engine.statistics(SLOW)

    failures, after, counts = run_engine(models, work)
    # The last row of the one and the row of the other were run together.
    assert [type(failure) for failure in failures] == [RuntimeError] * 2
    assert "a run of slow/1 failed" in str(failures[0])
    assert after == [0.5]
    assert (counts.fail.count, counts.success.count) == (2, 1)


def test_closing_ends_what_runs(models):
    running = run_engine(models, occupy)
    assert running.done()


def test_a_busy_model_does_not_keep_another_waiting(models):
    """One model has rows waiting without end; the other's few have their turn among them."""

    async def work(engine):
        async with asking(engine, {SLOW: 2000.0}, callers=40):
            await until(lambda: engine.statistics(SLOW).waiting)
            return [fractions(await engine.run(OTHER, window_of(0.5))) for _ in range(3)]

    assert run_engine(models, work) == [[0.5]] * 3


@asynccontextmanager
async def asking(engine, values, callers):
    """So many callers of each model that ask again as soon as they are answered."""

    async def ask(key, value):
        while True:
            await engine.run(key, window_of(value))

    asked = list(values.items()) * callers
    tasks = [asyncio.create_task(ask(key, value)) for key, value in asked]
    try:
        yield
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_models_share_the_workers_by_time(models):
    """Runs of one take ten times as long as runs of the other; it has a tenth of them."""

    async def work(engine):
        def are_even() -> bool:
            """A run in which the machine stood still is made good by many of the other model."""
            both = [engine.statistics(key) for key in (SLOW, OTHER)]
            if min(counts.runs for counts in both) < 10:
                return False
            used = [sum(took.ns for took in counts.batches.values()) for counts in both]
            return 0.5 < used[0] / used[1] < 2

        async with asking(engine, {SLOW: 50_000.0, OTHER: 5_000.0}, callers=12):
            await until(are_even)
        return [engine.statistics(key).runs for key in (SLOW, OTHER)]

    slow, other = run_engine(models, work)
    assert slow < other
