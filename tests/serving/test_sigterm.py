"""SIGTERM under load: what was accepted is answered, streams hear where to go on, and it ends."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from every_method import BLOCKS, infer_request
from grpc import StatusCode
from ingesting import select
from oracle import naive_estimates
from parcels import rows_parcel
from running import running_server
from tiny import wearing_block, write_tiny_model
from tiny_slow import ENDLESS, write_slow_model
from waiting import wait_until
from wire import OpenStream, acknowledged_by, estimates_of, failure, notices_of

from wearcast.clients.edge.carriers.messages import encode_parcel
from wearcast.inference import open_inference_pb2 as inference
from wearcast.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from wearcast.v1 import ingest_pb2
from wearcast.v1 import machine_health_pb2 as pb
from wearcast.v1.ingest_pb2_grpc import IngestServiceStub
from wearcast.v1.machine_health_pb2_grpc import MachineHealthServiceStub

TIMEOUT_S = 200
LIFE = 400
ENOUGH = 20
# Counts of the slow model: seconds, while other calls come in; more where the machine stands still.
RUNS_LONG = (1e6, 1e7, 1e8)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_tiny_model(tmp_path / "models")
    write_slow_model(tmp_path / "models")
    return tmp_path / "models"


class Worker(threading.Thread):
    """Does some work again and again, until the server has no more ear for it."""

    def __init__(self, address: str, work: Callable[[grpc.Channel, int], None]) -> None:
        super().__init__()
        self.done = 0
        self.end: object = None
        self._address = address
        self._work = work
        self.start()

    def run(self) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self._address, options) as channel:
            while True:
                try:
                    self._work(channel, self.done)
                except grpc.RpcError as error:
                    self.end = error.code()
                    return
                except BaseException as error:  # noqa: BLE001  # fails the test in its own thread
                    self.end = error
                    return
                self.done += 1


def slow_request(value: float) -> inference.ModelInferRequest:
    request = infer_request(value)
    request.model_name = "slow"
    return request


def infer(channel: grpc.Channel, _number: int) -> None:
    answer = GRPCInferenceServiceStub(channel).ModelInfer(infer_request(), timeout=TIMEOUT_S)
    assert np.frombuffer(answer.raw_output_contents[0], "<f4").tolist() == [0.5]


def predict(channel: grpc.Channel, _number: int) -> None:
    stream = OpenStream(channel, "Predict")
    stream.send(*BLOCKS)
    got = [item.remaining_life.life_fraction for item in estimates_of(stream.finish())]
    wanted = [item.answer.life_fraction for item in naive_estimates(BLOCKS)]
    np.testing.assert_allclose(got, wanted, atol=1e-6)


def make_ingest(asset: str) -> Callable[[grpc.Channel, int], None]:
    def ingest(channel: grpc.Channel, number: int) -> None:
        request = encode_parcel(rows_parcel(number, asset))
        answer = IngestServiceStub(channel).Ingest(request, timeout=TIMEOUT_S)
        assert answer.result == ingest_pb2.INGEST_RESULT_STORED

    return ingest


def follow(stream: OpenStream) -> Iterator[pb.MonitorResponse]:
    """Responses of a Monitor stream that always has some blocks to answer."""
    sent, acknowledged = 0, -1
    while True:
        while sent <= acknowledged + 5:
            stream.send(wearing_block(sent, LIFE))
            sent += 1
        response = next(stream.call)
        acknowledged = max(acknowledged, acknowledged_by(response))
        yield response


def test_everything_at_once(models: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    flags = ("--store", str(store), "--workers", "1", "--drain-s", "200")
    responses: list[pb.MonitorResponse] = []
    with (
        running_server(models, *flags) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        assets = ("plant", "works")
        works = [infer, infer, predict, predict, *map(make_ingest, assets)]
        workers = [Worker(server.address, work) for work in works]
        stream = OpenStream(channel, "Monitor", asset="pump").open()

        def read() -> None:
            with contextlib.suppress(grpc.RpcError):
                responses.extend(follow(stream))

        reader = threading.Thread(target=read)
        reader.start()
        wait_until(lambda: all(worker.done >= ENOUGH for worker in workers))
        wait_until(lambda: len(estimates_of(list(responses))) >= ENOUGH)
        assert server.terminate() == 0
        for thread in (*workers, reader):
            thread.join()
        stream.hang_up()
        # Those that it did not take in any more say so, and no other call failed.
        assert {worker.end for worker in workers} == {StatusCode.UNAVAILABLE}
        got = failure(stream.call)
        assert (got.code, got.reason) == (StatusCode.UNAVAILABLE, "DRAINING")

    # What was stored was answered, and what was answered is stored.
    for asset, worker in zip(assets, workers[-2:], strict=True):
        ((count,),) = select(store, f"SELECT count(*) FROM parcels WHERE asset = '{asset}'")
        assert count == worker.done
    told = estimates_of(responses)
    ((count,),) = select(store, "SELECT count(*) FROM estimates WHERE asset = 'pump'")
    assert count == len(told)
    (notice,) = [it for it in notices_of(responses) if it.code == pb.NOTICE_CODE_DRAINING]
    assert responses[-1].notice == notice
    assert notice.sequence == told[-1].sequence + 1

    # It goes on from there, as if nothing had been.
    with (
        running_server(models, *flags) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        last = told[-1].sequence
        stream = OpenStream(
            channel, "Monitor", asset="pump", received_sequence=last, acknowledged_sequence=last
        ).open()
        first = stream.started.next_sequence
        blocks = [wearing_block(number, LIFE) for number in range(first, notice.sequence + 30)]
        stream.send(*blocks)
        told += estimates_of(stream.finish())
        wanted = naive_estimates([wearing_block(it, LIFE) for it in range(notice.sequence + 30)])
    assert [item.sequence for item in told] == [item.sequence for item in wanted]
    np.testing.assert_allclose(
        [item.remaining_life.rul_s for item in told],
        [item.answer.rul_s for item in wanted],
        rtol=1e-4,
    )


def fill(channel: grpc.Channel, waiting: int, count: float) -> list[grpc.Future]:
    """Calls that were accepted, the first of them running, and no room for one more.

    Unless the first, which counts so far, was done before.
    """
    stub = GRPCInferenceServiceStub(channel)
    before = begun(stub)
    long = stub.ModelInfer.future(slow_request(count), timeout=TIMEOUT_S)
    wait_until(lambda: begun(stub) > before)
    calls = [long]
    refused: list[grpc.Future] = []
    while not refused and not long.done():
        calls.append(stub.ModelInfer.future(slow_request(0.5), timeout=TIMEOUT_S))
        wait_until(lambda: len(calls) <= waiting + 1 or any(call.done() for call in calls))
        refused = [call for call in calls if call.done() and call.exception()]
    for call in refused:
        assert failure(call).reason == "BUSY"
    return [call for call in calls if call not in refused]


def begun(stub: GRPCInferenceServiceStub) -> int:
    """How many requests have begun to run."""
    stats = stub.ModelStatistics(inference.ModelStatisticsRequest(name="slow"))
    return stats.model_stats[0].inference_stats.queue.count


def test_calls_that_run_or_wait_are_answered(models: Path, tmp_path: Path) -> None:
    config = tmp_path / "wearcast.toml"
    config.write_text("waiting = 6\nworkers = 1\ndrain_s = 200\n")
    with (
        running_server(models, "--config", str(config)) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        for count in RUNS_LONG:
            long, *waiting = fill(channel, 6, count)
            stream = OpenStream(channel, "Predict")
            stream.send(*BLOCKS)
            # Answered, as it is of another kind; so the stream, which came before, was accepted.
            MachineHealthServiceStub(channel).ListModels(pb.ListModelsRequest(), timeout=TIMEOUT_S)
            if not long.done():
                break
            for call in waiting:
                call.result()
            stream.finish()
        assert not long.done()
        assert len(waiting) == 6
        server.process.terminate()
        answers = [call.result().raw_output_contents[0] for call in (long, *waiting)]
        assert np.frombuffer(b"".join(answers), "<f4").tolist() == [1.0, *[0.5] * 6]
        got = [item.sequence for item in estimates_of(stream.finish())]
        assert got == [item.sequence for item in naive_estimates(BLOCKS)]
        assert server.process.wait(TIMEOUT_S) == 0


def test_what_never_ends_is_cut_off(models: Path) -> None:
    """It ends all the same, with an endless run, an idle recording, and a reader that reads not."""
    with (
        running_server(models, "--workers", "1", "--drain-s", "0.5") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = GRPCInferenceServiceStub(channel)
        endless = stub.ModelInfer.future(slow_request(ENDLESS))
        wait_until(lambda: begun(stub) == 1)
        idle = OpenStream(channel, "Predict")
        deaf = OpenStream(channel, "Predict")
        for number in range(2000):
            deaf.send(wearing_block(number, LIFE))
        assert server.terminate() == 0
        assert failure(endless.exception()).code in {StatusCode.UNAVAILABLE, StatusCode.CANCELLED}
        for stream in (idle, deaf):
            _, got = stream.fail()
            assert got.code in {StatusCode.UNAVAILABLE, StatusCode.CANCELLED}
