"""Follows many assets live, each with a stream and a sample a second: how late answers come.

    python benchmarks/serving/live_streams.py --streams 1 10 100 1000 --seconds 20 --write

A real `wearcast serve` with a bundled model, and with the LSTM of throughput.py; Monitor streams
come from a process of their own, and their samples are spread evenly over the second. Each sample
ends a window, so each leads to an answer, which is stored before it is sent.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc.aio
import numpy as np
import uvloop
from lstm_model import NAME as LSTM
from lstm_model import find_model as find_lstm
from lstm_model import make_contract
from processes import find_port, measure_cpu, measure_memory, running
from servers import our_command
from throughput import describe_machine

from wearcast.clients.encode import encode_block
from wearcast.serving.models import BUNDLED, open_model
from wearcast.signals.contract import Contract
from wearcast.signals.series import Block
from wearcast.v1 import machine_health_pb2 as pb
from wearcast.v1 import samples_pb2

RESULTS = Path(__file__).parents[1] / "results" / "live_streams.md"
MODELS = ("flow-outlier", LSTM)
# A connection takes 1,024 streams at most, by the server's default.
STREAMS_PER_CONNECTION = 250
BAR_P99_MS, BAR_MB = 50.0, 1.0
# Chosen: until the server has got used to that many streams.
SETTLE_S = 3.0


@dataclass(frozen=True)
class Figure:
    """One number of streams; `cpu` in cores, memory of the server."""

    model: str
    streams: int
    samples: int
    answered: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    server_cpu: float
    client_cpu: float
    mb_a_stream: float


class Asset:
    """One stream; `latencies_s` of the samples in the measured time."""

    def __init__(self, name: str, contract: Contract) -> None:
        self.name = name
        self._contract = contract
        self.latencies_s: list[float] = []
        self.sent = 0
        self._sent_s: dict[int, float] = {}
        self._values = np.random.default_rng(len(name)).uniform(1, 2, len(contract.channels))
        self._opened = asyncio.Event()

    async def follow(
        self, channel: grpc.aio.Channel, ready: asyncio.Semaphore, plan: "Plan"
    ) -> None:
        """From opening it to the last answer."""
        call = channel.stream_stream(
            "/wearcast.v1.MachineHealthService/Monitor",
            request_serializer=pb.MonitorRequest.SerializeToString,
            response_deserializer=pb.MonitorResponse.FromString,
        )
        async for response in call(self._write(ready, plan)):
            self._opened.set()
            now_s = time.perf_counter()
            for estimate in response.estimates.estimates:
                sent_s = self._sent_s.pop(estimate.sequence, None)
                if sent_s is not None:
                    self.latencies_s.append(now_s - sent_s)

    async def _write(
        self, ready: asyncio.Semaphore, plan: "Plan"
    ) -> AsyncIterator[pb.MonitorRequest]:
        start = pb.MonitorStart(asset=self.name, model=self._contract.name)
        yield pb.MonitorRequest(start=start)
        await self._opened.wait()
        before = self._contract.sequence - 1
        first = [self._block(number) for number in range(before)]
        yield pb.MonitorRequest(blocks=samples_pb2.BlockBatch(blocks=first))
        ready.release()
        begin_s = await plan.begin
        offset_s = plan.offset_s(self.name)
        for tick in range(plan.settle + plan.ticks):
            due_s = begin_s + offset_s + tick
            await asyncio.sleep(due_s - time.perf_counter())
            number = before + tick
            block = self._block(number)
            if tick >= plan.settle:
                # Behind the sleep, so that the generator's own delay does not count.
                self._sent_s[number] = time.perf_counter()
                self.sent += 1
            yield pb.MonitorRequest(blocks=samples_pb2.BlockBatch(blocks=[block]))

    def _block(self, number: int) -> samples_pb2.Block:
        start_us = 1_700_000_040_000_000 + round(number * self._contract.hop_s * 1e6)
        values = np.float32(self._values + 0.1 * np.sin(number))[:, None]
        return encode_block(Block(number, start_us, self._contract.sample_rate_hz, values))


@dataclass(frozen=True)
class Plan:
    """When samples are sent: from `begin` on, `settle` that don't count and `ticks` that do."""

    streams: int
    settle: int
    ticks: int
    begin: asyncio.Future[float]

    def offset_s(self, name: str) -> float:
        """Of a stream's samples in the second."""
        return int(name.rpartition("-")[2]) / self.streams


async def follow_all(
    port: int, process: int, contract: Contract, streams: int, seconds: int
) -> Figure:
    """All streams, in this process."""
    before_mb = measure_memory(process)
    loop = asyncio.get_running_loop()
    plan = Plan(streams, round(SETTLE_S), seconds, loop.create_future())
    ready = asyncio.Semaphore(0)
    assets = [Asset(f"{streams}-streams-{number}", contract) for number in range(streams)]
    count = -(-streams // STREAMS_PER_CONNECTION)
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) for _ in range(count)]
    tasks = [
        asyncio.create_task(asset.follow(channels[place % count], ready, plan))
        for place, asset in enumerate(assets)
    ]
    for _ in assets:
        await ready.acquire()
    plan.begin.set_result(time.perf_counter() + 0.5)
    await asyncio.sleep(0.5 + SETTLE_S)
    meter = measure_cpu(process)
    server_s, client_s = meter(), time.process_time()
    await asyncio.sleep(seconds - 0.5)
    server_s, client_s = meter() - server_s, time.process_time() - client_s
    after_mb = measure_memory(process)
    await asyncio.gather(*tasks)
    for channel in channels:
        await channel.close()
    latencies_ms = np.array([late for asset in assets for late in asset.latencies_s]) * 1e3
    p50, p99, worst = np.quantile(latencies_ms, (0.5, 0.99, 1.0)).tolist()
    measured_s = seconds - 0.5
    return Figure(
        contract.name, streams, sum(asset.sent for asset in assets), len(latencies_ms),
        p50, p99, worst,
        server_s / measured_s, client_s / measured_s, (after_mb - before_mb) / streams,
    )  # fmt: skip


def find_contract(model: str) -> Contract:
    """What a model takes and gives."""
    if model == LSTM:
        return make_contract()
    return open_model(None, model).contract


def measure(folder: Path, model: str, streams: int, seconds: int) -> Figure:
    """A server of its own for each number of streams."""
    port = find_port()
    models_dir = find_lstm()[0] if model == LSTM else BUNDLED
    command = our_command(models_dir, port)
    log, env = folder / "server.log", dict(os.environ)
    with running(command, port, log, model=model, env=env) as process:
        arguments = ["--port", str(port), "--process", str(process)]
        arguments += ["--models", model, "--streams", str(streams), "--seconds", str(seconds)]
        done = subprocess.run(
            [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True
        )
    return Figure(**json.loads(done.stdout))


def make_report(machine: str, figures: list[Figure], seconds: int) -> str:
    """A table, as Markdown."""
    lines = [
        "# Live streams of one sample a second each",
        "",
        f"{machine}.",
        "",
        f"Monitor streams for {seconds} s, from sample to answer; server and client on the same",
        "cores, whose time is shown in cores. Memory is what the server grew by, with the newest",
        "estimates of each asset, which it keeps. `lstm` is the LSTM of serving.md, `flow-outlier`",
        "a bundled model.",
        "",
        "| model | streams | samples | answered | p50 ms | p99 ms | worst | server | client | MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {item.model} | {item.streams:,} | {item.samples:,} | {item.answered:,} "
        f"| {item.p50_ms:.1f} | {item.p99_ms:.1f} | {item.worst_ms:.1f} | {item.server_cpu:.2f} "
        f"| {item.client_cpu:.2f} | {item.mb_a_stream:.2f} |"
        for item in figures
    ]
    lines += [
        "",
        f"Asked for at 1,000 streams: p99 under {BAR_P99_MS:g} ms, under {BAR_MB:g} MB a stream.",
        "",
        "Made by `make bench-serving`.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--process", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.port:
        (streams,), (model,) = options.streams, options.models
        contract = find_contract(model)
        work = follow_all(options.port, options.process, contract, streams, options.seconds)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(asdict(runner.run(work))))
        return
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = [
            measure(folder, model, streams, options.seconds)
            for model in options.models
            for streams in options.streams
        ]
    report = make_report(machine, figures, options.seconds)
    print(report)
    if options.write:
        RESULTS.write_text(report)


if __name__ == "__main__":
    main()
