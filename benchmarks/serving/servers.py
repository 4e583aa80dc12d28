"""Our server and its peers: what each is installed from, how it is started, what it is."""

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from processes import NotRunningError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "peers"
OURS = "wearcast"


@dataclass(frozen=True)
class Peer:
    """A server that is compared with ours.

    python: that its environment is made with, as Triton's own processes are built for Debian's.
    packages: the first one's version is shown.
    """

    name: str
    script: str
    packages: tuple[str, ...]
    batches: bool
    python: str = sys.executable

    def prepare(self) -> Path:
        """Python of its environment, which is made once.

        Raises:
            NotRunningError: it can't be installed.
        """
        folder = CACHE / self.name
        program = folder / "bin" / "python"
        done = folder / "installed"
        if done.exists():
            return program
        if not Path(self.python).exists():
            raise NotRunningError(f"needs {self.python}")
        if self.python == sys.executable:
            venv.create(folder, clear=True, with_pip=True)
        else:
            _call([self.python, "-m", "venv", "--clear", str(folder)])
        _call([str(program), "-m", "pip", "install", "--quiet", "--no-input", *self.packages])
        done.touch()
        return program

    def command(self, graph: Path, port: int) -> list[str]:
        """How it is started; after `prepare`."""
        return [str(self.prepare()), str(HERE / "peers" / self.script), str(graph), str(port)]

    def version(self) -> str:
        """Of its first package; after `prepare`."""
        package = self.packages[0]
        code = f"from importlib.metadata import version; print(version({package!r}))"
        return f"{package} {_call([str(self.prepare()), '-c', code]).strip()}"


PEERS = (
    Peer(
        "triton",
        "triton.py",
        ("nvidia-pytriton", "onnxruntime"),
        batches=True,
        python="/usr/bin/python3",
    ),
    Peer("mlserver", "mlserver_start.py", ("mlserver", "onnxruntime"), batches=True),
    Peer("kserve", "kserve_start.py", ("kserve", "onnxruntime"), batches=False),
)


def our_command(models_dir: Path, port: int) -> list[str]:
    """How ours is started."""
    listen = f"127.0.0.1:{port}"
    return [sys.executable, "-m", "wearcast", "serve", str(models_dir), "--listen", listen]


def environment() -> dict[str, str]:
    """What peers get: nothing that leads to our packages."""
    return {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}


def _call(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    if done.returncode:
        lines = (done.stderr.strip() or "no word").splitlines()
        raise NotRunningError(f"can't be installed: {lines[-1][:200]}")
    return done.stdout
