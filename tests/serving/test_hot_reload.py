"""A server whose models change under load: every request is answered, and answered right."""

import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import grpc
import numpy as np
import pytest
from engines import PATIENCE_S, push, write_labels
from oracle import naive_estimates
from running import running_server
from tiny import tiny_contract, wearing_block, write_tiny_model
from tiny_slow import window_of
from waiting import wait_until
from wire import OpenStream, estimates_of

from wearcast.inference import open_inference_pb2 as inference
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from wearcast.v1 import machine_health_pb2 as pb
from wearcast.v1.machine_health_pb2_grpc import MachineHealthServiceStub

BLOCKS = [wearing_block(number, 9) for number in range(6)]


class Load:
    """Calls and streams without a pause, from several threads; what they were answered."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stop = threading.Event()
        self.failures: list[object] = []
        self.versions: Counter[str] = Counter()
        works = [self._call] * 3 + [self._stream]
        self._threads = [threading.Thread(target=self._repeat, args=(work,)) for work in works]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, version: int, count: int = 20) -> None:
        """Until so many more requests were answered by a version."""
        wanted = self.versions[str(version)] + count
        wait_until(lambda: self.failures or self.versions[str(version)] >= wanted)

    def _repeat(self, work) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self._address, options) as channel:
            while not self._stop.is_set():
                try:
                    self.versions[work(channel)] += 1
                except Exception as error:  # noqa: BLE001  # each of them fails the test
                    self.failures.append(error)
                    return

    def _call(self, channel: grpc.Channel) -> str:
        request = inference.ModelInferRequest(model_name="tiny")
        request.inputs.add(name="blocks", datatype="FP32", shape=[1, 3, 2, 64])
        request.raw_input_contents.append(window_of(0.5).tobytes())
        stub = GRPCInferenceServiceStub(channel)
        answer = stub.ModelInfer(request, timeout=PATIENCE_S)
        assert np.frombuffer(answer.raw_output_contents[0], "<f4").tolist() == [0.5]
        return answer.model_version

    def _stream(self, channel: grpc.Channel) -> str:
        stream = OpenStream(channel, "Predict")
        stream.send(*BLOCKS)
        responses = stream.finish()
        got = [item.remaining_life.life_fraction for item in estimates_of(responses)]
        wanted = [item.answer.life_fraction for item in naive_estimates(BLOCKS)]
        np.testing.assert_allclose(got, wanted, atol=1e-6)
        return str(responses[0].estimates.version)


@pytest.fixture
def staging(tmp_path_factory):
    return tmp_path_factory.mktemp("staging")


@pytest.fixture
def models(tmp_path):
    write_tiny_model(tmp_path)
    return tmp_path


@contextmanager
def loaded_server(models, *flags) -> Iterator[tuple[Load, grpc.Channel]]:
    """A server under load; no request may fail."""
    with running_server(models, "--watch-s", "0.1", *flags) as server:
        with grpc.insecure_channel(server.address) as channel, Load(server.address) as load:
            load.wait_for(1)
            yield load, channel
        assert load.failures == []
        assert server.terminate() == 0


def states(channel):
    index = GRPCInferenceServiceStub(channel).RepositoryIndex(inference.RepositoryIndexRequest())
    return {int(item.version): item.state for item in index.models}


def test_versions_come_change_and_go_under_load(models, staging):
    with loaded_server(models) as (load, channel):
        push(models, 2, staging)
        load.wait_for(2)
        push(models, 3, staging)
        load.wait_for(3)
        shutil.rmtree(models / "tiny" / "1")
        wait_until(lambda: sorted(states(channel)) == [2, 3])
        (models / "tiny" / "3").rename(staging / "old")
        push(models, 3, staging)
        load.wait_for(3)
        stub = GRPCInferenceServiceStub(channel)
        stub.RepositoryModelLoad(inference.RepositoryModelLoadRequest(model_name="tiny"))
        load.wait_for(3)
        write_labels(models, "stable = 2\n")
        load.wait_for(2)
        shutil.rmtree(models / "tiny" / "3")
        wait_until(lambda: sorted(states(channel)) == [2])
        load.wait_for(2)


@pytest.mark.parametrize("name", ["batch-4.onnx", "golden.json", "SHA256SUMS"])
def test_a_bad_version_under_load_changes_nothing(models, staging, name):
    folder = write_tiny_model(staging, tiny_contract(version=2))
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with loaded_server(models) as (load, channel):
        folder.rename(models / "tiny" / "2")
        wait_until(lambda: states(channel) == {1: "READY", 2: "UNAVAILABLE"})
        load.wait_for(1)
        assert set(load.versions) == {"1"}


def test_a_stream_keeps_its_version_to_its_end(models, staging):
    (models / "tiny" / "labels.toml").write_text("stable = 1\n")
    with (
        running_server(models, "--watch-s", "0.1") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = MachineHealthServiceStub(channel)
        assert list(stub.GetModel(pb.GetModelRequest(name="tiny")).model.labels) == ["stable"]
        stream = OpenStream(channel, "Monitor", asset="pump", label="stable").open()
        assert stream.started.version == 1
        stream.send(*BLOCKS[:3])
        stream.responses_until(2)
        push(models, 2, staging)
        write_labels(models, "stable = 2\n")
        request = pb.GetModelRequest(name="tiny", label="stable")
        wait_until(lambda: stub.GetModel(request).model.version == 2)
        shutil.rmtree(models / "tiny" / "1")
        wait_until(lambda: states(channel)[1] == "UNLOADING")
        later = OpenStream(channel, "Monitor", asset="fan", label="stable").open()
        assert later.started.version == 2
        later.hang_up()
        stream.send(*BLOCKS[3:])
        responses = stream.finish()
        assert [item.sequence for item in estimates_of(responses)] == [3, 4, 5]
        assert {it.estimates.version for it in responses if it.estimates.model} == {1}
        wait_until(lambda: 1 not in states(channel))


@pytest.mark.parametrize(("version", "label"), [(0, "beta"), (1, "stable")])
def test_labels_that_are_refused(channel, version, label):
    stream = OpenStream(channel, "Monitor", asset="labels", version=version, label=label)
    _, failed = stream.fail()
    code = grpc.StatusCode.INVALID_ARGUMENT if version else grpc.StatusCode.NOT_FOUND
    assert (failed.code, failed.field) == (code, "label")
