"""What it saves to encode each snapshot of a live stream once: CPU of the server an answer.

    python benchmarks/serving/reuse.py --rounds 3 --seconds 8 --write

The same `wearcast serve` with the bundled bearing-rul (10 snapshots of 2 channels and 2,560 samples
in a window), and with a copy of it that lacks encoder and head, in turns. Monitor streams, so each
answer is stored before it is sent. The client runs on the same cores; its time is not counted.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import numpy as np
import uvloop
from processes import find_port, measure_cpu, running
from servers import our_command
from throughput import describe_machine

from wearcast.clients.encode import encode_block
from wearcast.serving.models import BUNDLED, open_model
from wearcast.serving.policy import measure_policy
from wearcast.serving.reuse import measure_reuse
from wearcast.signals.series import Block
from wearcast.v1 import machine_health_pb2 as pb
from wearcast.v1 import samples_pb2

RESULTS = Path(__file__).parents[1] / "results" / "reuse.md"
MODEL = "bearing-rul"
SEQUENCE = 10
WITH, WITHOUT = "encoder and head", "whole graph"
# Streams, and seconds from one snapshot to the next; 0: the next comes when the last is answered.
LOADS = ((1, 0.0), (32, 0.0), (100, 1.0))
# Chosen: until the server has got used to its streams.
SETTLE_S = 2.0


@dataclass(frozen=True)
class Figure:
    """One measurement; `server_us` is the server's CPU time an answer."""

    how: str
    streams: int
    period_s: float
    answers_per_s: float
    p50_ms: float
    server_us: float


class Follower:
    """One stream; `late_s` are the times from snapshot to answer while `counts`."""

    def __init__(self, number: int, streams: int, period_s: float) -> None:
        self.late_s: list[float] = []
        self.counts = False
        self.ends = False
        self._asset = f"bearing-{number}"
        self._period_s = period_s
        self._offset_s = period_s * number / streams
        rng = np.random.default_rng(number)
        self._values = rng.standard_normal((2, 2560), np.float32)
        self._answered = asyncio.Event()
        self._sent_s = 0.0

    async def follow(self, channel: grpc.aio.Channel) -> None:
        """From opening the stream to its end."""
        call = channel.stream_stream(
            "/wearcast.v1.MachineHealthService/Monitor",
            request_serializer=pb.MonitorRequest.SerializeToString,
            response_deserializer=pb.MonitorResponse.FromString,
        )
        async for response in call(self._write()):
            if response.HasField("started"):
                self._answered.set()
            if response.HasField("estimates"):
                if self.counts:
                    self.late_s.append(time.perf_counter() - self._sent_s)
                self._answered.set()

    async def _write(self) -> AsyncIterator[pb.MonitorRequest]:
        yield pb.MonitorRequest(start=pb.MonitorStart(asset=self._asset, model=MODEL))
        await self._answered.wait()
        blocks = [self._block(number) for number in range(SEQUENCE - 1)]
        yield pb.MonitorRequest(blocks=samples_pb2.BlockBatch(blocks=blocks))
        begin_s = time.perf_counter() + self._offset_s
        number = SEQUENCE - 1
        while not self.ends:
            await self._answered.wait()
            due_s = begin_s + (number - SEQUENCE + 1) * self._period_s
            await asyncio.sleep(max(due_s - time.perf_counter(), 0.0))
            self._answered.clear()
            self._sent_s = time.perf_counter()
            yield pb.MonitorRequest(blocks=samples_pb2.BlockBatch(blocks=[self._block(number)]))
            number += 1

    def _block(self, number: int) -> samples_pb2.Block:
        start_us = 1_700_000_000_000_000 + number * 10_000_000
        return encode_block(Block(number, start_us, 25600.0, self._values))


async def follow_all(
    how: str, port: int, process: int, load: tuple[int, float], seconds: float
) -> Figure:
    """All streams of one load."""
    streams, period_s = load
    followers = [Follower(number, streams, period_s) for number in range(streams)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        tasks = [asyncio.create_task(follower.follow(channel)) for follower in followers]
        await asyncio.sleep(SETTLE_S + period_s)
        meter = measure_cpu(process)
        before_s = meter()
        for follower in followers:
            follower.counts = True
        await asyncio.sleep(seconds)
        used_s = meter() - before_s
        for follower in followers:
            follower.counts, follower.ends = False, True
        await asyncio.gather(*tasks)
    late_s = [late for follower in followers for late in follower.late_s]
    return Figure(
        how,
        streams,
        period_s,
        len(late_s) / seconds,
        statistics.median(late_s) * 1e3,
        used_s / len(late_s) * 1e6,
    )


def remove_halves(models_dir: Path) -> None:
    """Take encoder and head out of the model's folder."""
    folder = models_dir / MODEL / "1"
    sums = (folder / "SHA256SUMS").read_text().splitlines(keepends=True)
    kept = [line for line in sums if not line.split("  ")[1].startswith(("encoder-", "head-"))]
    (folder / "SHA256SUMS").write_text("".join(kept))
    for path in [*folder.glob("encoder-*"), *folder.glob("head-*")]:
        path.unlink()


def measure_runs_alone() -> list[str]:
    """Time of runs in process, on one thread, in the words of a list."""
    session = open_model(BUNDLED, MODEL)
    whole = measure_policy([session])
    reusing = measure_reuse([session], whole)
    lines = []
    for size, run_s in sorted(whole.run_s.items()):
        part = f"- {size} at a time: whole graph {run_s / size * 1e6:,.0f} us a window"
        if reusing:
            each_us = reusing.policy.run_s[size] / size * 1e6
            part += f", encoder and head {each_us:,.0f} us where all blocks but one are known"
        lines.append(part + ".")
    return lines


def make_report(machine: str, figures: Sequence[Figure], runs: Sequence[str]) -> str:
    """Tables, as Markdown."""
    lines = [
        "# Live streams of the bundled bearing-rul: a snapshot encoded once, or in each window",
        "",
        f"{machine}.",
        "",
        "Medians. CPU is the server's, all of it: gRPC, decoding 20 kB, the model, the store.",
        "",
        "| streams | snapshots | graphs | answers/s | p50 ms | CPU us an answer |",
        "|---|---|---|---|---|---|",
    ]
    notes = []
    for streams, period_s in LOADS:
        sent = f"every {period_s:g} s" if period_s else "when the last is answered"
        cpu_us = {}
        for how in (WITHOUT, WITH):
            those = [
                item
                for item in figures
                if (item.how, item.streams, item.period_s) == (how, streams, period_s)
            ]
            rate, p50, cpu_us[how] = (
                statistics.median(getattr(item, name) for item in those)
                for name in ("answers_per_s", "p50_ms", "server_us")
            )
            lines.append(
                f"| {streams} | {sent} | {how} | {rate:,.0f} | {p50:.1f} | {cpu_us[how]:,.0f} |"
            )
        notes.append(f"- {streams} streams: {cpu_us[WITHOUT] / cpu_us[WITH]:.1f} times less CPU.")
    lines += ["", *notes, ""]
    lines += [
        "What the model does not take is gRPC, the store and the line through past life fractions."
    ]
    lines += ["", "The model alone, in process on one thread:", "", *runs, ""]
    lines += ["Made by `make bench-serving`."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    machine = describe_machine()
    figures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for how in (WITH, WITHOUT):
            shutil.copytree(BUNDLED / MODEL, folder / how / MODEL)
        remove_halves(folder / WITHOUT)
        for _ in range(options.rounds):
            for load in LOADS:
                for how in (WITHOUT, WITH):
                    port = find_port()
                    command = our_command(folder / how, port)
                    log = folder / "server.log"
                    environment = dict(os.environ)
                    with (
                        running(command, port, log, model=MODEL, env=environment) as process,
                        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
                    ):
                        work = follow_all(how, port, process, load, options.seconds)
                        figures.append(runner.run(work))
                    print(figures[-1])
    report = make_report(machine, figures, measure_runs_alone())
    print(report)
    if options.write:
        RESULTS.write_text(report)


if __name__ == "__main__":
    main()
