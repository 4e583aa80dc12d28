"""Servers in processes of their own: started, waited for, their time of processors, and ended."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
from lstm_model import NAME

from wearcast.inference import open_inference_pb2

# Long enough for many models on a busy machine; one that fails ends much sooner.
_PATIENCE_S = 180.0
# How exactly the time until a server is ready is known.
_LOOK_EACH_S = 0.05
_END_S = 15.0


class NotRunningError(Exception):
    """A server did not come up, and why."""


@contextmanager
def running(
    command: Sequence[str], port: int, log: Path, *, model: str = NAME, **options: object
) -> Iterator[int]:
    """A server while the block runs; gives its process once its model is ready.

    Raises:
        NotRunningError: it ended, or does not answer in time.
    """
    with log.open("w") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True, **options
        )
    try:
        _wait_until_ready(process, port, log, model)
        yield process.pid
    finally:
        _end(process)


def find_port() -> int:
    """A free one, with some after it free too, as some servers want several."""
    while True:
        sockets = []
        try:
            with socket.socket() as first:
                first.bind(("127.0.0.1", 0))
                port: int = first.getsockname()[1]
                for offset in (1, 2):
                    sockets.append(socket.socket())
                    sockets[-1].bind(("127.0.0.1", port + offset))
        except (OSError, OverflowError):
            continue
        finally:
            for item in sockets:
                item.close()
        return port


def measure_cpu(process: int) -> Callable[[], float]:
    """A meter: seconds that a process and all its children have taken of processors so far."""
    return lambda: sum(_cpu_s(pid) for pid in _list_tree(process))


def measure_memory(process: int) -> float:
    """Resident memory of a process, in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _list_tree(process: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = [process]
    for pid in found:
        found += children.get(pid, [])
    return found


def _cpu_s(process: int) -> float:
    # The number that clock_getcpuclockid(3) of Linux gives: a clock of nanoseconds, as /proc counts
    # hundredths of a second, which is much for a server with one stream.
    try:
        return time.clock_gettime((~process << 3) | 2)
    except OSError:  # it has just ended
        return 0.0


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path, model: str) -> None:
    request = open_inference_pb2.ModelReadyRequest(name=model).SerializeToString()
    decode = open_inference_pb2.ModelReadyResponse.FromString
    end_s = time.monotonic() + _PATIENCE_S
    said = ""
    while time.monotonic() < end_s:
        if process.poll() is not None:
            raise NotRunningError(f"ended with {process.returncode}: {_tell_end(log)}")
        # A new channel each time: one that was refused waits longer and longer by itself.
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
            ask = channel.unary_unary(
                "/inference.GRPCInferenceService/ModelReady", response_deserializer=decode
            )
            try:
                if ask(request, timeout=5).ready:
                    return
            except grpc.RpcError as error:
                said = error.details()
        time.sleep(_LOOK_EACH_S)
    raise NotRunningError(f"was not ready in {_PATIENCE_S:g} s: {said}; {_tell_end(log)}")


def _tell_end(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else "it said nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    tree = _list_tree(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in tree[1:]:  # children that outlived it
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
