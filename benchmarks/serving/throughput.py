"""Compares our server with its peers: one LSTM, unary calls of the Open Inference Protocol.

    python benchmarks/serving/throughput.py --rounds 5 --seconds 5 --write

All share the machine with the load generator, which is a process of its own; so is each server. In
each round every server is started, measured and ended in turn, so that whatever else the machine
does falls on all alike. Our own streams with packed windows are measured beside ONNX Runtime in
process, with the same threads.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import grpc.aio
import numpy as np
import onnxruntime as ort
import uvloop
from lstm_model import CHANNELS, WINDOW, find_model, make_contract
from processes import NotRunningError, find_port, measure_cpu, running
from report import make_report
from servers import OURS, PEERS, environment, our_command

from wearcast.clients.load import OpenStreamCaller, PredictCaller, UnaryCaller, make_request, press

RESULTS = Path(__file__).parents[1] / "results" / "serving.md"
CALLERS = (1, 8, 32)
PACKED_ROWS = 32
# Enough that the server is never without work while one caller reads.
PACKED_CALLERS = 4
IN_PROCESS = "in process"


@dataclass(frozen=True)
class Figure:
    """One measurement; `client_cpu` is the load generator's share of a core."""

    who: str
    how: str
    rows_per_s: float
    p50_ms: float
    p99_ms: float
    server_us: float
    client_cpu: float
    errors: int


def measure_server(who: str, process: int, port: int, seconds: float) -> list[Figure]:
    """All figures of one server, in processes of the load generator."""
    hows = [f"unary {callers}" for callers in CALLERS]
    if who == OURS:
        hows += ["open stream", "predict stream"]
    figures = []
    for how in hows:
        command = [sys.executable, __file__, "--load", how, "--process", str(process)]
        command += ["--port", str(port), "--seconds", str(seconds), "--who", who]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotRunningError(done.stderr.strip()[-300:])
        figures.append(Figure(**json.loads(done.stdout)))
    return figures


async def load(who: str, how: str, process: int, port: int, seconds: float) -> Figure:
    """One figure, in this process."""
    contract = make_contract()
    kind, _, callers = how.partition(" ")
    rows = 1 if kind == "unary" else PACKED_ROWS
    request = make_request(contract, rows)
    if who != OURS:  # the others have but one version, and no number for it
        request = _forget_version(request)
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        if kind == "unary":
            asks = [UnaryCaller(channel, request).ask for _ in range(int(callers))]
        elif kind == "open":
            asks = [OpenStreamCaller(channel, request).ask for _ in range(PACKED_CALLERS)]
        else:
            asks = [PredictCaller(channel, contract, rows).ask for _ in range(PACKED_CALLERS)]
        got = await press(asks, seconds=seconds, warm_s=1.0, meters=[measure_cpu(process)])
    rows_answered = max(len(got.latencies_s) * rows, 1)
    return Figure(
        who,
        how,
        got.requests_per_s * rows,
        got.quantile_s(0.5) * 1e3,
        got.quantile_s(0.99) * 1e3,
        got.metered[0] / rows_answered * 1e6,
        got.cpu_s / got.seconds,
        sum(got.errors.values()),
    )


def measure_in_process(graph: Path, seconds: float) -> Figure:
    """ONNX Runtime alone: a one-thread session on a thread for each core, 32 rows a run."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    blocks = np.zeros((PACKED_ROWS, WINDOW, len(CHANNELS), 1), np.float32)
    count = os.cpu_count() or 1
    runs = [0] * count
    sessions = [ort.InferenceSession(graph, options) for _ in range(count)]
    for session in sessions:
        session.run(None, {"blocks": blocks})
    end_s = time.perf_counter() + seconds

    def work(place: int) -> None:
        while time.perf_counter() < end_s:
            sessions[place].run(None, {"blocks": blocks})
            runs[place] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(count)]
    began_s, cpu_s = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    rows = sum(runs) * PACKED_ROWS
    run_ms = took_s * count / max(sum(runs), 1) * 1e3
    return Figure(IN_PROCESS, "runs", rows / took_s, run_ms, run_ms, cpu_s / rows * 1e6, 0, 0)


def describe_machine() -> str:
    """Processor, cores, load and versions in one line."""
    cpuinfo = Path("/proc/cpuinfo")
    names = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in names if line.startswith("model name")]
    packages = ("wearcast", "grpcio", "numpy", "onnxruntime", "uvloop")
    shown = ", ".join(f"{name} {version(name)}" for name in packages)
    processor = models[0] if models else platform.machine()
    return (
        f"{processor}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; "
        f"Python {platform.python_version()}, {shown}"
    )


def run_rounds(
    folder: Path, rounds: int, seconds: float, only: list[str]
) -> tuple[list[Figure], dict[str, str]]:
    """All figures, and of each server its version, or why there are none."""
    models_dir, graph = find_model()
    states = {OURS: f"wearcast {version('wearcast')}"}
    for peer in PEERS:
        try:
            states[peer.name] = peer.version() if peer.name in only else "left out"
        except NotRunningError as error:
            states[peer.name] = str(error)
            only = [name for name in only if name != peer.name]
    figures = []
    for place in range(rounds):
        for who in [OURS, *(peer.name for peer in PEERS if peer.name in only)]:
            print(f"round {place + 1} of {rounds}: {who}", file=sys.stderr)
            port = find_port()
            if who == OURS:
                command, variables = our_command(models_dir, port), dict(os.environ)
            else:
                (peer,) = (peer for peer in PEERS if peer.name == who)
                command, variables = peer.command(graph, port), environment()
            try:
                log = folder / f"{who}.log"
                with running(command, port, log, env=variables, cwd=folder) as process:
                    figures += measure_server(who, process, port, seconds)
            except NotRunningError as error:
                states[who] += f"; round {place + 1}: {error}"
        frozen = models_dir / "lstm" / "1" / f"batch-{PACKED_ROWS}.onnx"
        figures.append(measure_in_process(frozen, seconds))
    return figures, states


def _forget_version(request: bytes) -> bytes:
    from wearcast.inference.open_inference_pb2 import ModelInferRequest  # noqa: PLC0415

    message = ModelInferRequest.FromString(request)
    message.model_version = ""
    content: bytes = message.SerializeToString()
    return content


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--only", nargs="*", default=[peer.name for peer in PEERS])
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    for name, kind in (("load", str), ("who", str), ("process", int), ("port", int)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        work = load(options.who, options.load, options.process, options.port, options.seconds)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(asdict(runner.run(work))))
        return
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as folder:
        figures, states = run_rounds(Path(folder), options.rounds, options.seconds, options.only)
    batching = [peer.name for peer in PEERS if peer.batches]
    report = make_report(machine, figures, states, batching=batching, seconds=options.seconds)
    print(report)
    if options.write:
        RESULTS.write_text(report)


if __name__ == "__main__":
    main()
