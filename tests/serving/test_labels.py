"""Labels of versions: what clients are given that ask for no version, or for a label."""

import pytest
from engines import WATCH_S, push, run_engine, until, write_labels, write_version
from tiny import write_tiny_model

from wearcast.signals.errors import ArtefactError, InputError, NotFoundError


@pytest.fixture
def models(tmp_path):
    write_tiny_model(tmp_path)
    return tmp_path


def test_labels(models):
    write_version(models, 2)
    write_labels(models, "stable = 1\ncanary = 2\n")

    async def work(engine):
        assert engine.find("tiny").key == ("tiny", 1)
        assert engine.find("tiny", label="canary").key == ("tiny", 2)
        assert engine.find("tiny", 2).labels == ("canary",)
        with pytest.raises(
            NotFoundError, match=r"label: expected a label of tiny \(canary, stable\)"
        ):
            engine.find("tiny", label="beta")
        with pytest.raises(InputError, match="label: expected none beside a version"):
            engine.find("tiny", 1, "canary")
        write_labels(models, "stable = 2\nbeta = 2\n")
        await until(lambda: engine.find("tiny").key == ("tiny", 2))
        assert [served.labels for served in engine.served()] == [(), ("beta", "stable")]
        (models / "tiny" / "labels.toml").unlink()
        await until(lambda: engine.find("tiny").labels == ())

    run_engine(models, work, watch_s=WATCH_S)


def test_a_label_moves_only_to_a_version_that_answers(models, tmp_path_factory):
    write_labels(models, "stable = 1\n")

    async def work(engine):
        write_labels(models, "stable = 2\nnext = 2\n")
        await engine.load("tiny")
        assert engine.find("tiny").key == ("tiny", 1)
        with pytest.raises(NotFoundError):
            engine.find("tiny", label="next")
        push(models, 2, tmp_path_factory.mktemp("staging"))
        await engine.load("tiny")
        assert engine.find("tiny").key == ("tiny", 2)
        assert engine.find("tiny", label="next").key == ("tiny", 2)

    run_engine(models, work)


@pytest.mark.parametrize("text", ["stable = ", "stable = '1'", "stable = 0", "stable = true"])
def test_bad_labels_are_refused_and_the_old_ones_stay(models, text):
    write_labels(models, "stable = 1\n")
    write_version(models, 2)

    async def work(engine):
        write_labels(models, text)
        await engine.load("tiny")
        assert engine.find("tiny").key == ("tiny", 1)

    run_engine(models, work)
    with pytest.raises(ArtefactError, match=r"labels\.toml"):
        run_engine(models, work)
