"""A real `wearcast serve` in a process of its own, on a free port."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner
from waiting import LONG_S

from wearcast.clients.cli.main import program


@dataclass(frozen=True)
class RunningServer:
    address: str
    process: subprocess.Popen[str]
    metrics: str | None = None

    def kill(self) -> None:
        """As the kernel would: no chance to finish anything."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LONG_S)


def serve_command(models_dir: Path | str, *flags: str) -> list[str]:
    program = "from wearcast.clients.cli.main import main; main()"
    return [sys.executable, "-c", program, "serve", str(models_dir), *flags]


def refuse_flags(models_dir: Path | str, *flags: str) -> str:
    """What `wearcast serve` says of flags that it refuses, run in this process."""
    done = CliRunner().invoke(program, ["serve", str(models_dir), *flags])
    assert (done.exit_code, done.stdout) == (2, "")
    return done.stderr


@contextmanager
def running_server(
    models_dir: Path | str, *flags: str, listen: str = "127.0.0.1:0", log: Path | None = None
) -> Iterator[RunningServer]:
    """The server while the block runs; its log goes to `log`, if given."""
    command = serve_command(models_dir, "--listen", listen, "--json", *flags)
    with (log or Path("/dev/null")).open("a") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start: {command}")
        told = json.loads(line)
        yield RunningServer(told["address"], process, told["metrics"])
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
