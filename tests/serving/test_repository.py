"""Versions come, change and go while the engine runs; what is bad is refused, and nothing else."""

import asyncio
import shutil

import msgspec
import numpy as np
import pytest
from engines import (
    WATCH_S,
    ending,
    fractions,
    occupy,
    push,
    run_engine,
    stream_of,
    until,
    write_version,
)
from tiny import tiny_contract, write_sums, write_tiny_model
from tiny_slow import ENDLESS, window_of, write_slow_model

from wearcast.serving.engine import Entry
from wearcast.signals.contract import RulCalibration
from wearcast.signals.errors import ArtefactError, InputError, NotFoundError


@pytest.fixture
def models(tmp_path):
    write_tiny_model(tmp_path)
    return tmp_path


def states(engine):
    return [(entry.version, entry.state) for entry in engine.index()]


def test_newest_version_and_others(models):
    write_version(models, 2)

    async def work(engine):
        assert engine.find("tiny").key == ("tiny", 2)
        assert engine.find("tiny", 1).key == ("tiny", 1)
        assert [served.key for served in engine.served()] == [("tiny", 1), ("tiny", 2)]
        assert engine.index() == [Entry("tiny", 1, "READY"), Entry("tiny", 2, "READY")]
        with pytest.raises(NotFoundError, match="expected one of tiny/1, tiny/2, got tiny/3"):
            engine.find("tiny", 3)
        with pytest.raises(NotFoundError, match="got gone/newest"):
            engine.find("gone")
        for question in (engine.run(("tiny", 3), window_of(0.5)), engine.load("tiny", 3)):
            with pytest.raises(NotFoundError):
                await question

    run_engine(models, work)


@pytest.mark.parametrize("shape", [(1, 3, 2, 63), (1, 2, 2, 64), (3, 2, 64), (1,)])
def test_shapes_are_checked(models, shape):
    async def work(engine):
        with pytest.raises(InputError, match=r"blocks: expected shape \(n, 3, 2, 64\)"):
            await engine.run(("tiny", 1), np.zeros(shape, np.float32))

    run_engine(models, work)


def test_no_version_can_be_loaded(models):
    (models / "tiny" / "1" / "golden.json").unlink()
    with pytest.raises(ArtefactError, match=r"golden\.json: expected a readable file"):
        run_engine(models, None)


def test_a_bad_version_at_the_start_is_left_out_where_another_is_good(models):
    (write_version(models, 2) / "golden.json").unlink()

    async def work(engine):
        assert engine.find("tiny").key == ("tiny", 1)
        assert engine.index() == [
            Entry("tiny", 1, "READY"),
            Entry(
                "tiny",
                2,
                "UNAVAILABLE",
                "refused: tiny/2/golden.json: expected a readable file, "
                "got No such file or directory",
            ),
        ]

    run_engine(models, work)


def test_a_new_version_is_seen_and_loaded(models, tmp_path_factory):
    async def work(engine):
        push(models, 2, tmp_path_factory.mktemp("staging"))
        await until(lambda: engine.find("tiny").key == ("tiny", 2))
        return fractions(await engine.run(("tiny", 2), window_of(0.5)))

    assert run_engine(models, work, watch_s=WATCH_S) == [0.5]


def test_a_version_whose_folder_is_gone_is_unloaded(models):
    write_version(models, 2)

    async def work(engine):
        shutil.rmtree(models / "tiny" / "2")
        await until(lambda: engine.index() == [Entry("tiny", 1, "READY")])
        assert engine.find("tiny").key == ("tiny", 1)

    run_engine(models, work, watch_s=WATCH_S)


def break_hash(folder):
    (folder / "batch-4.onnx").write_bytes(b"something else")


def break_golden(folder):
    path = folder / "golden.json"
    golden = msgspec.json.decode(path.read_bytes())
    golden["outputs"]["life_fraction"][0] += 0.5
    path.write_bytes(msgspec.json.encode(golden))
    write_sums(folder)


def break_graph(folder):
    (folder / "batch-4.onnx").write_bytes(b"not a graph")
    write_sums(folder)


def break_name(folder):
    for path in folder.iterdir():
        path.unlink()
    for path in write_tiny_model(folder.parent.parent / "other").iterdir():
        shutil.copy(path, folder)


BREAKS = [break_hash, break_golden, break_graph, break_name]


@pytest.mark.parametrize("damage", BREAKS)
def test_a_bad_new_version_changes_nothing(models, tmp_path_factory, damage):
    async def work(engine):
        folder = write_version(tmp_path_factory.mktemp("staging"), 2)
        damage(folder)
        folder.rename(models / "tiny" / "2")
        await until(lambda: states(engine) == [(1, "READY"), (2, "UNAVAILABLE")])
        assert engine.find("tiny").key == ("tiny", 1)
        reason = engine.index()[1].reason
        assert reason.startswith("refused: ")
        assert str(models) not in reason
        with pytest.raises(ArtefactError) as raised:
            await engine.load("tiny", 2)
        assert str(raised.value) == reason.removeprefix("refused: ")
        assert engine.find("tiny").key == ("tiny", 1)

    run_engine(models, work, watch_s=WATCH_S)


@pytest.mark.parametrize("damage", BREAKS[:3])
def test_a_loaded_version_that_is_damaged_goes_on_as_it_was(models, damage):
    async def work(engine):
        damage(models / "tiny" / "1")
        await until(lambda: engine.index()[0].reason)
        assert states(engine) == [(1, "READY")]
        return fractions(await engine.run(("tiny", 1), window_of(0.5)))

    assert run_engine(models, work, watch_s=WATCH_S) == [0.5]


def test_a_version_that_is_replaced_is_loaded_anew(models, tmp_path_factory):
    async def work(engine):
        with engine.pin("tiny") as pin:
            staging = tmp_path_factory.mktemp("staging")
            fresh = write_version(staging, 1, bounded=False)
            (models / "tiny" / "1").rename(staging / "old")
            fresh.rename(models / "tiny" / "1")
            await engine.load("tiny", 1)
            asked = await engine.run(("tiny", 1), window_of(2.0))
            return fractions(asked), fractions(await pin.run(stream_of(window_of(2.0))))

    assert run_engine(models, work) == ([2.0], [1.0])


def test_unload_and_load(models):
    write_version(models, 2)

    async def work(engine):
        await engine.unload("tiny", 2)
        assert engine.index()[1] == Entry("tiny", 2, "UNAVAILABLE", "unloaded on request")
        assert engine.find("tiny").key == ("tiny", 1)
        for question in (engine.unload("tiny", 2), engine.run(("tiny", 2), window_of(0.5))):
            with pytest.raises(NotFoundError):
                await question
        with pytest.raises(NotFoundError):
            engine.statistics(("tiny", 2))
        await asyncio.sleep(5 * WATCH_S)  # the watch leaves it alone
        assert states(engine) == [(1, "READY"), (2, "UNAVAILABLE")]
        await engine.load("tiny", 2)
        assert engine.find("tiny").key == ("tiny", 2)
        await engine.unload("tiny")
        assert states(engine) == [(1, "UNAVAILABLE"), (2, "UNAVAILABLE")]
        await engine.load("tiny")
        assert states(engine) == [(1, "READY"), (2, "READY")]

    run_engine(models, work, watch_s=WATCH_S)


def test_unload_waits_for_what_was_asked(tmp_path):
    write_slow_model(tmp_path)

    async def work(engine):
        running = await occupy(engine, value=1e5)
        waiting = asyncio.create_task(engine.run(("slow", 1), window_of(0.5)))
        await asyncio.sleep(0)  # it asks, and can't be answered before it is unloaded
        await engine.unload("slow")
        assert running.done()
        assert waiting.done()
        return fractions(await running), fractions(await waiting)

    assert run_engine(tmp_path, work) == ([1.0], [0.5])


def test_a_stream_keeps_the_version_it_began_with(models):
    async def work(engine):
        with engine.pin("tiny") as pin:
            await engine.unload("tiny", 1)
            assert engine.index() == [Entry("tiny", 1, "UNLOADING", "unloaded on request")]
            with pytest.raises(NotFoundError):
                engine.find("tiny", 1)
            assert fractions(await pin.run(stream_of(window_of(0.5)))) == [0.5]
        await until(lambda: states(engine) == [(1, "UNAVAILABLE")])

    run_engine(models, work)


def test_a_run_is_ended_when_its_version_is_unloaded_and_its_caller_goes(tmp_path):
    write_slow_model(tmp_path)

    async def work(engine):
        running = await occupy(engine, value=ENDLESS)
        unloading = asyncio.create_task(engine.unload("slow"))
        await until(lambda: states(engine) == [(1, "UNLOADING")])
        await ending(running)
        await unloading
        await until(lambda: states(engine) == [(1, "UNAVAILABLE")])

    run_engine(tmp_path, work)


def test_a_changed_contract_is_the_one_that_is_told(models, tmp_path_factory):
    changed = msgspec.structs.replace(tiny_contract(), rul=RulCalibration(8.0, 0.6))

    async def work(engine):
        fresh = write_tiny_model(tmp_path_factory.mktemp("staging"), changed)
        shutil.copytree(fresh, models / "tiny" / "1", dirs_exist_ok=True)
        await engine.load("tiny", 1)
        return engine.find("tiny").contract

    assert run_engine(models, work) == changed
