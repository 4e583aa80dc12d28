from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from running import RunningServer, running_server
from tiny import write_tiny_model

# No test asserts a time: the machine may be busy.
hypothesis.settings.register_profile("wearcast", deadline=None)
hypothesis.settings.load_profile("wearcast")


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODELS_DIR that holds the tiny model, `tiny/1`; not to be written to."""
    models_dir = tmp_path_factory.mktemp("models")
    write_tiny_model(models_dir)
    return models_dir


@pytest.fixture(scope="session")
def tiny_server(
    tiny_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """One server for all tests that leave it running; use an asset name of your own.

    Whatever the tests did to it, it must not have met an error that it did not expect.
    """
    log = tmp_path_factory.mktemp("server") / "log"
    with running_server(tiny_models, log=log) as server:
        yield server
        assert server.terminate() == 0
    text = log.read_text()
    assert "ERROR" not in text, text
    assert "Traceback" not in text, text
