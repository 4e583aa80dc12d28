"""The real tritonclient, in an environment and a process of its own.

It needs protobuf below 7, and what is generated for it describes the same package as our stubs do,
so that one process can't hold both.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

_FOLDER = Path(__file__).parent / "open_inference"
_REQUIREMENTS = _FOLDER / "requirements.txt"


def make_environment() -> Path:
    """The environment's Python; made once a machine, in its folder for temporary files.

    Skips the test where packages can't be had.
    """
    identity = hashlib.sha256(_REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"wearcast-tritonclient-{os.getuid()}-{identity}"
    python = folder / "bin" / "python"
    if not python.exists():
        made = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            _install(made)
            # Whole or not at all, also where two processes are at it.
            made.rename(folder)
        except OSError:
            if not python.exists():
                raise
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return python


def _install(folder: Path) -> None:
    venv.create(folder, with_pip=True)
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--only-binary", ":all:", "-r", _REQUIREMENTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"tritonclient can't be installed: {done.stderr.strip()[-300:]}")


class Triton:
    """Runs `driver.py`, one process for all calls."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._folder = folder
        environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
        self._process = subprocess.Popen(
            [python, _FOLDER / "driver.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        """Its process ends when nothing more can come."""
        self._process.communicate()

    def __call__(
        self, verb: str, address: str, arrays: Mapping[str, NDArray[Any]] | None = None, **job: Any
    ) -> Any:
        """What a verb of the driver answers; `arrays` are the inputs that it sends."""
        path = self._folder / "arrays.npz"
        np.savez(path, **(arrays or {}))
        print(json.dumps([verb, address, str(path), job]), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["got"]
