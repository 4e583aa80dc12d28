"""The load of live streams: many assets, each with a stream and a sample a second.

Monitor streams come from a process of their own, and their samples are spread evenly over the
second. Each sample ends a window, so each leads to an answer, which is stored before it is sent.
What makes the first window whole is sent, answered and stored before the first of those seconds.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import grpc.aio
import numpy as np
import uvloop
from processes import find_port, measure_cpu, measure_memory, running
from servers import our_command

from wearcast.clients.client import Client
from wearcast.clients.encode import encode_block
from wearcast.signals.contract import Contract
from wearcast.signals.series import Block
from wearcast.v1 import machine_health_pb2 as pb
from wearcast.v1 import samples_pb2

# A connection takes 1,024 streams at most, by the server's default.
STREAMS_PER_CONNECTION = 250
# Chosen: until the server has got used to that many streams.
SETTLE_S = 3.0
# So many samples follow the last that counts: the ends of streams belong to no second either.
AFTER = 1


@dataclass(frozen=True)
class Figure:
    """One number of streams, spread evenly over some models.

    cpu_us: of the server, an answer. server_cpu, client_cpu: cores. before_mb, after_mb: memory of
    the server, without the streams and with them. ready_s: from its start until it answers.
    """

    models: int
    streams: int
    samples: int
    answered: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    cpu_us: float
    server_cpu: float
    client_cpu: float
    before_mb: float
    after_mb: float
    ready_s: float = 0.0


def measure(
    folder: Path, models_dir: Path, models: Sequence[str], streams: int, seconds: int
) -> Figure:
    """A server of its own for each number of streams; its log is written to the folder."""
    port = find_port()
    command, log = our_command(models_dir, port), folder / "server.log"
    began_s = time.perf_counter()
    with running(command, port, log, model=models[0]) as process:
        ready_s = time.perf_counter() - began_s
        arguments = ["--port", str(port), "--process", str(process), "--models", *models]
        arguments += ["--streams", str(streams), "--seconds", str(seconds)]
        done = subprocess.run(
            [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True
        )
    return replace(Figure(**json.loads(done.stdout)), ready_s=ready_s)


class Asset:
    """One stream; `latencies_s` of the samples in the measured time, `answers` of all times."""

    def __init__(self, name: str, contract: Contract) -> None:
        self.name = name
        self._contract = contract
        self.latencies_s: list[float] = []
        self.sent = self.answers = 0
        self._sent_s: dict[int, float] = {}
        self._values = np.random.default_rng(len(name)).uniform(1, 2, len(contract.channels))
        self._opened = asyncio.Event()
        self._before = contract.sequence - 1
        self._caught_up = asyncio.Event()

    async def follow(
        self, channel: grpc.aio.Channel, ready: asyncio.Semaphore, plan: "Plan"
    ) -> None:
        """From opening it to the last answer."""
        call = channel.stream_stream(
            "/wearcast.v1.MachineHealthService/Monitor",
            response_deserializer=pb.MonitorResponse.FromString,
        )
        async for response in call(self._write(ready, plan)):
            self._opened.set()
            now_s = time.perf_counter()
            stored = max(response.acknowledged_sequence, response.acknowledgement.sequence)
            if stored >= self._before - 1:
                self._caught_up.set()
            for estimate in response.estimates.estimates:
                self.answers += 1
                sent_s = self._sent_s.pop(estimate.sequence, None)
                if sent_s is not None:
                    self.latencies_s.append(now_s - sent_s)

    async def _write(self, ready: asyncio.Semaphore, plan: "Plan") -> AsyncIterator[bytes]:
        start = pb.MonitorStart(asset=self.name, model=self._contract.name)
        yield pb.MonitorRequest(start=start).SerializeToString()
        await self._opened.wait()
        yield self._blocks(range(self._before))
        # Made before, as the server shares the generator's cores.
        ticks = plan.settle + plan.ticks + AFTER
        messages = [self._blocks([self._before + tick]) for tick in range(ticks)]
        # Some models answer from the first block on: that work belongs to no second.
        await self._caught_up.wait()
        ready.release()
        begin_s = await plan.begin
        offset_s = plan.offset_s(self.name)
        for tick, message in enumerate(messages):
            due_s = begin_s + offset_s + tick
            await asyncio.sleep(due_s - time.perf_counter())
            if 0 <= tick - plan.settle < plan.ticks:
                # Behind the sleep, so that the generator's own delay does not count.
                self._sent_s[self._before + tick] = time.perf_counter()
                self.sent += 1
            yield message

    def _blocks(self, numbers: Iterable[int]) -> bytes:
        blocks = []
        for number in numbers:
            start_us = 1_700_000_040_000_000 + round(number * self._contract.hop_s * 1e6)
            values = np.float32(self._values + 0.1 * np.sin(number))[:, None]
            block = Block(number, start_us, self._contract.sample_rate_hz, values)
            blocks.append(encode_block(block))
        message = pb.MonitorRequest(blocks=samples_pb2.BlockBatch(blocks=blocks))
        return message.SerializeToString()


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
    port: int, process: int, contracts: Sequence[Contract], streams: int, seconds: int
) -> Figure:
    """All streams, in this process."""
    before_mb = measure_memory(process)
    loop = asyncio.get_running_loop()
    plan = Plan(streams, round(SETTLE_S), seconds, loop.create_future())
    ready = asyncio.Semaphore(0)
    assets = [
        Asset(f"{streams}-streams-{number}", contracts[number % len(contracts)])
        for number in range(streams)
    ]
    count = -(-streams // STREAMS_PER_CONNECTION)
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) for _ in range(count)]
    # One that fails ends all: the others would wait for it for ever.
    async with asyncio.TaskGroup() as group:
        for place, asset in enumerate(assets):
            group.create_task(asset.follow(channels[place % count], ready, plan))
        for _ in assets:
            await ready.acquire()
        plan.begin.set_result(time.perf_counter() + 0.5)
        await asyncio.sleep(0.5 + SETTLE_S)
        meter = measure_cpu(process)
        server_s, client_s = meter(), time.process_time()
        answers = sum(asset.answers for asset in assets)
        await asyncio.sleep(seconds - 0.5)
        server_s, client_s = meter() - server_s, time.process_time() - client_s
        answers = sum(asset.answers for asset in assets) - answers
        after_mb = measure_memory(process)
    for channel in channels:
        await channel.close()
    latencies_ms = np.array([late for asset in assets for late in asset.latencies_s]) * 1e3
    p50, p99, worst = np.quantile(latencies_ms, (0.5, 0.99, 1.0)).tolist()
    measured_s = seconds - 0.5
    return Figure(
        len(contracts), streams, sum(asset.sent for asset in assets), len(latencies_ms),
        p50, p99, worst, server_s / max(answers, 1) * 1e6,
        server_s / measured_s, client_s / measured_s, before_mb, after_mb,
    )  # fmt: skip


def main() -> None:
    """Load a server and print the figure as JSON; `measure` calls it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--process", type=int, required=True, help="of the server")
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    options = parser.parse_args()
    with Client(f"127.0.0.1:{options.port}") as client:
        contracts = [client.model(name) for name in options.models]
    work = follow_all(options.port, options.process, contracts, options.streams, options.seconds)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(work))))


if __name__ == "__main__":
    main()
