from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from running import RunningServer, running_server
from tiny import write_tiny_model
from tiny_fault import write_fault_model
from tiny_plant import write_plant_models
from tritons import Triton, make_environment

from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from wearcast.serving.models import BUNDLED

# It runs elsewhere, and imports what is not here.
collect_ignore = ["driver.py"]


@pytest.fixture(scope="session")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    """What the real tritonclient gets from a server."""
    with Triton(make_environment(), tmp_path_factory.mktemp("triton")) as drive:
        yield drive


@pytest.fixture(scope="session")
def bundled_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of the bundled models; what the tests did to it, it expected."""
    yield from _serve(BUNDLED, tmp_path_factory.mktemp("bundled") / "log")


@pytest.fixture(scope="session")
def kinds_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of a tiny model of each kind; what the tests did to it, it expected."""
    models_dir = tmp_path_factory.mktemp("kinds")
    for write in (write_tiny_model, write_plant_models, write_fault_model):
        write(models_dir)
    yield from _serve(models_dir, tmp_path_factory.mktemp("log") / "log")


@pytest.fixture
def stub(kinds_server: RunningServer) -> Iterator[GRPCInferenceServiceStub]:
    """The bare stub, to say what tritonclient never would."""
    with grpc.insecure_channel(kinds_server.address) as channel:
        yield GRPCInferenceServiceStub(channel)


def _serve(models_dir: Path, log: Path) -> Iterator[RunningServer]:
    with running_server(models_dir, log=log) as server:
        yield server
        assert server.terminate() == 0
    text = log.read_text()
    assert "ERROR" not in text, text
    assert "Traceback" not in text, text
