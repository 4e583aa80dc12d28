"""The program `wearcast`, in a process of its own or in this one, and recordings for it to read."""

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tiny import tiny_contract
from waiting import LONG_S

from wearcast.clients.cli.main import main
from wearcast.signals.contract import Channel, Contract

PROGRAM = [sys.executable, "-c", "from wearcast.clients.cli.main import main; main()"]


def run(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=LONG_S, check=False
    )


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What `run` gives, in this process and much sooner: for verbs that leave nothing behind."""
    command = ["wearcast", *map(str, arguments)]
    out, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        patch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
    return subprocess.CompletedProcess(command, ended.value.code, out.getvalue(), errors.getvalue())


def start(*arguments: object, **files: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([*PROGRAM, *map(str, arguments)], text=True, **files)


def bearing_contract() -> Contract:
    """The tiny model on PRONOSTIA's snapshots."""
    channels = (Channel("horizontal", "g"), Channel("vertical", "g"))
    return msgspec.structs.replace(
        tiny_contract("bearing-rul"), channels=channels, window=2560, batch_sizes=(1, 8)
    )


def write_snapshot(folder: Path, number: int, *, rows: int = 2560, life: int = 40) -> Path:
    """File `number`, counted from 1, of a bearing that fails at block `life`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"acc_{number:05d}.csv"
    unfinished = folder / "unfinished"
    unfinished.write_text(snapshot_text(number, rows=rows, life=life))
    unfinished.rename(path)
    return path


def snapshot_text(number: int, *, rows: int = 2560, life: int = 40) -> str:
    noise = np.random.RandomState(number).uniform(-1, 1, (rows, 2))
    values = (noise / np.abs(noise).mean() * number / life).round(3).tolist()
    minute, second = divmod(number * 10, 60)
    return "".join(
        f"9,{minute},{second},{row * 39},{horizontal},{vertical}\n"
        for row, (horizontal, vertical) in enumerate(values)
    )
