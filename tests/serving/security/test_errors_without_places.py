"""What a server tells of models that it refuses: no paths, no traces."""

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


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_model_that_is_refused(tmp_path, damage):
    models_dir, log = tmp_path / "secret-models", tmp_path / "log"
    write_tiny_model(models_dir)
    with (
        running_server(models_dir, log=log) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = GRPCInferenceServiceStub(channel)
        pushed = write_tiny_model(tmp_path / "made", tiny_contract(version=2))
        damage(pushed)
        pushed.rename(models_dir / "tiny" / "2")
        with pytest.raises(grpc.RpcError) as raised:
            stub.RepositoryModelLoad(
                pb.RepositoryModelLoadRequest(model_name="tiny"), timeout=TIMEOUT_S
            )
        got = failure(raised.value)
        assert got.code == grpc.StatusCode.FAILED_PRECONDITION
        assert got.field.startswith("tiny/2")
        index = stub.RepositoryIndex(pb.RepositoryIndexRequest(), timeout=TIMEOUT_S).models
        states = {(item.name, item.version): item.state for item in index}
        assert states == {("tiny", "1"): "READY", ("tiny", "2"): "UNAVAILABLE"}
        details = [str(value) for _, value in raised.value.trailing_metadata()]
        for said in (got.text, *details, str(index)):
            for secret in (
                str(tmp_path),
                "secret-models",
                "Traceback",
                'File "',
                "onnxruntime_src",
            ):
                assert secret not in said
