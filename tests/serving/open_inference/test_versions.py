"""Versions, labels and the repository, as clients of the protocol have them."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc import StatusCode
from running import running_server
from tiny import tiny_contract, write_tiny_model
from wire import failure

from wearcast.inference import open_inference_pb2 as pb
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub

TIMEOUT_S = 120
# The mean of |x| is 2 here: version 1 cuts it off at 1, version 2 does not.
WINDOWS = np.full((1, 3, 2, 64), 2.0, np.float32)


def write_versions(models_dir: Path, name: str) -> None:
    write_tiny_model(models_dir, tiny_contract(name))
    write_tiny_model(models_dir, tiny_contract(name, version=2), bounded=False)


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for each test, so that one server is enough."""
    models_dir = tmp_path_factory.mktemp("versions")
    for name in ("named", "labelled", "newer", "worse"):
        write_versions(models_dir, name)
    (models_dir / "labelled" / "labels.toml").write_text("stable = 1\ncanary = 2\n")
    return models_dir


@pytest.fixture(scope="module")
def stub(models_dir: Path) -> Iterator[GRPCInferenceServiceStub]:
    with (
        running_server(models_dir) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield GRPCInferenceServiceStub(channel)


def infer(stub: GRPCInferenceServiceStub, name: str, version: str = "") -> tuple[str, float]:
    """The version that answers, and what."""
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="blocks", datatype="FP32", shape=WINDOWS.shape
    )
    request = pb.ModelInferRequest(
        model_name=name,
        model_version=version,
        inputs=[tensor],
        raw_input_contents=[WINDOWS.tobytes()],
    )
    response = stub.ModelInfer(request, timeout=TIMEOUT_S)
    (value,) = np.frombuffer(response.raw_output_contents[0], "<f4")
    return response.model_version, float(value)


def list_states(
    stub: GRPCInferenceServiceStub, name: str, *, ready: bool = False
) -> dict[str, str]:
    index = stub.RepositoryIndex(pb.RepositoryIndexRequest(ready=ready), timeout=TIMEOUT_S)
    return {item.version: item.state for item in index.models if item.name == name}


def load(stub: GRPCInferenceServiceStub, name: str) -> None:
    stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=name), timeout=TIMEOUT_S)


def test_the_newest_or_the_one_that_is_named(stub: GRPCInferenceServiceStub) -> None:
    assert infer(stub, "named") == infer(stub, "named", "2") == ("2", 2.0)
    assert infer(stub, "named", "1") == ("1", 1.0)
    metadata = stub.ModelMetadata(pb.ModelMetadataRequest(name="named"), timeout=TIMEOUT_S)
    assert metadata.versions == ["1", "2"]
    for version, expected in (("", ["1", "2"]), ("1", ["1"])):
        request = pb.ModelStatisticsRequest(name="named", version=version)
        statistics = stub.ModelStatistics(request, timeout=TIMEOUT_S).model_stats
        assert [item.version for item in statistics] == expected


def test_labels_stand_for_versions(stub: GRPCInferenceServiceStub) -> None:
    assert infer(stub, "labelled") == infer(stub, "labelled", "stable") == ("1", 1.0)
    assert infer(stub, "labelled", "canary") == ("2", 2.0)
    with pytest.raises(grpc.RpcError) as caught:
        infer(stub, "labelled", "beta")
    assert failure(caught.value).code is StatusCode.NOT_FOUND


def test_a_new_version_answers_once_it_is_loaded(
    models_dir: Path, stub: GRPCInferenceServiceStub
) -> None:
    write_tiny_model(models_dir, tiny_contract("newer", version=3))
    load(stub, "newer")
    assert infer(stub, "newer") == ("3", 1.0)
    assert list_states(stub, "newer") == {"1": "READY", "2": "READY", "3": "READY"}


def test_a_bad_version_is_refused_and_the_old_ones_go_on(
    models_dir: Path, stub: GRPCInferenceServiceStub
) -> None:
    folder = write_tiny_model(models_dir, tiny_contract("worse", version=3))
    (folder / "golden.json").write_text("{}")
    with pytest.raises(grpc.RpcError) as caught:
        load(stub, "worse")
    got = failure(caught.value)
    assert got.code is StatusCode.FAILED_PRECONDITION
    assert str(models_dir) not in got.text + got.field
    assert infer(stub, "worse") == ("2", 2.0)
    assert list_states(stub, "worse") == {"1": "READY", "2": "READY", "3": "UNAVAILABLE"}
    assert list_states(stub, "worse", ready=True) == {"1": "READY", "2": "READY"}
    index = stub.RepositoryIndex(pb.RepositoryIndexRequest(), timeout=TIMEOUT_S)
    reasons = [item.reason for item in index.models if item.name == "worse"]
    assert reasons[:2] == ["", ""]
    assert "golden.json" in reasons[2]
    assert str(models_dir) not in reasons[2]


def test_without_models_the_server_is_not_ready(tmp_path: Path) -> None:
    write_versions(tmp_path, "tiny")
    with running_server(tmp_path) as server, grpc.insecure_channel(server.address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        assert stub.ServerReady(pb.ServerReadyRequest(), timeout=TIMEOUT_S).ready
        unload = pb.RepositoryModelUnloadRequest(model_name="tiny")
        stub.RepositoryModelUnload(unload, timeout=TIMEOUT_S)
        assert stub.ServerLive(pb.ServerLiveRequest(), timeout=TIMEOUT_S).live
        assert not stub.ServerReady(pb.ServerReadyRequest(), timeout=TIMEOUT_S).ready
        assert not stub.ModelReady(pb.ModelReadyRequest(name="tiny"), timeout=TIMEOUT_S).ready
        with pytest.raises(grpc.RpcError) as caught:
            infer(stub, "tiny")
        assert failure(caught.value).code is StatusCode.NOT_FOUND
        load(stub, "tiny")
        assert stub.ServerReady(pb.ServerReadyRequest(), timeout=TIMEOUT_S).ready
        assert infer(stub, "tiny") == ("2", 2.0)
