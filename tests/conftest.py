import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from ports import HOST, held_port
from running import RunningServer, running_server
from tiny import write_tiny_model

# No test asserts a time: the machine may be busy. Whoever changes something gets the same examples
# as the time before; the nightly target looks for new ones, by the option --hypothesis-profile.
_SLOW = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("new", **_SLOW)
hypothesis.settings.register_profile("wearcast", derandomize=True, **_SLOW)
hypothesis.settings.load_profile("wearcast")

# A shell without job control lets background jobs ignore Ctrl-C, and what they start inherits it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODELS_DIR that holds the tiny model, `tiny/1`; not to be written to."""
    models_dir = tmp_path_factory.mktemp("models")
    write_tiny_model(models_dir)
    return models_dir


@pytest.fixture
def own_address() -> Iterator[str]:
    """HOST:PORT for a server that goes and comes back; nobody else gets the port meanwhile."""
    with held_port() as port:
        yield f"{HOST}:{port}"


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
