"""What a server tells of models that it refuses: no paths, no traces."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from running import running_server
from tiny import tiny_contract, write_sums, write_tiny_model
from wire import TIMEOUT_S, failure

from wearcast.inference import open_inference_pb2 as pb
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub


def lose_a_file(folder: Path) -> None:
    (folder / "golden.json").unlink()


def link_a_file(folder: Path) -> None:
    (folder / "golden.json").rename(folder.parent / "golden.json")
    (folder / "golden.json").symlink_to(folder.parent / "golden.json")


def break_a_hash(folder: Path) -> None:
    (folder / "golden.json").write_text("{}")


def break_a_graph(folder: Path) -> None:
    (folder / "batch-4.onnx").write_bytes(b"no graph")
    write_sums(folder)


def take_the_rights(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()
    (folder / "SHA256SUMS").mkdir()


DAMAGES = [lose_a_file, link_a_file, break_a_hash, break_a_graph, take_the_rights]


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for each damage, so that one server is enough."""
    models_dir = tmp_path_factory.mktemp("here") / "secret-models"
    for number in range(len(DAMAGES)):
        write_tiny_model(models_dir, tiny_contract(f"tiny-{number}"))
    return models_dir


@pytest.fixture(scope="module")
def channel(models_dir: Path) -> Iterator[grpc.Channel]:
    with running_server(models_dir) as server, grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.mark.parametrize("number", range(len(DAMAGES)), ids=[it.__name__ for it in DAMAGES])
def test_a_model_that_is_refused(tmp_path, models_dir, channel, number):
    stub = GRPCInferenceServiceStub(channel)
    name = f"tiny-{number}"
    pushed = write_tiny_model(tmp_path / "made", tiny_contract(name, version=2))
    DAMAGES[number](pushed)
    pushed.rename(models_dir / name / "2")
    with pytest.raises(grpc.RpcError) as raised:
        stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=name), timeout=TIMEOUT_S)
    got = failure(raised.value)
    assert got.code == grpc.StatusCode.FAILED_PRECONDITION
    assert got.field.startswith(f"{name}/2")
    index = stub.RepositoryIndex(pb.RepositoryIndexRequest(), timeout=TIMEOUT_S).models
    states = {item.version: item.state for item in index if item.name == name}
    assert states == {"1": "READY", "2": "UNAVAILABLE"}
    details = [str(value) for _, value in raised.value.trailing_metadata()]
    for said in (got.text, *details, str(index)):
        for secret in (
            str(tmp_path),
            str(models_dir.parent),
            "secret-models",
            "Traceback",
            'File "',
            "onnxruntime_src",
        ):
            assert secret not in said
