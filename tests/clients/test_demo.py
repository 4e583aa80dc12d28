"""The demo as a process: what it leaves behind, and that its server is gone however it ends."""

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest
from program import start
from waiting import LONG_S, wait_until

LIFE_S = 600.0


def start_demo(models: Path | None, out: Path, *flags: str) -> subprocess.Popen[str]:
    """The demo with the models of a folder; None: with the bundled ones."""
    own = {} if models is None else {"WEARCAST_MODELS_DIR": str(models)}
    return start(
        "demo", "--out", out, "--life-s", f"{LIFE_S:g}", *flags,
        env=os.environ | own,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def server_port(out: Path) -> int | None:
    """Port of the demo's server, once its log tells."""
    log = out / "demo-server.log"
    match = re.search(r"serving on 127\.0\.0\.1:(\d+)", log.read_text() if log.exists() else "")
    return int(match[1]) if match else None


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for_server(out: Path) -> int:
    wait_until(lambda: (port := server_port(out)) is not None and is_listening(port))
    port = server_port(out)
    assert port is not None
    return port


def test_it_leaves_the_whole_life_behind(models: Path, tmp_path: Path) -> None:
    for _ in range(2):  # the second one does not go on with the first one's store
        demo = start_demo(models, tmp_path, "--seconds", "1", "--json")
        stdout, stderr = demo.communicate(timeout=LONG_S)
        assert demo.returncode == 0, stderr
        summary = json.loads(stdout)
        assert summary["simulated"] is True
        assert summary["estimates"] == LIFE_S // 10 - 2
        assert 0 < summary["alarm_lead_s"] < LIFE_S / 2
    result = json.loads((tmp_path / "simulated-bearing.json").read_text())
    first_alarm = next(row["sequence"] for row in result["estimates"] if row["alarm"])
    assert first_alarm == summary["alarm_sequence"]
    names = {Path(name).name for name in summary["files"]}
    assert names == {
        "simulated-bearing.json", "simulated-bearing.csv", "simulated-bearing.parquet",
        "simulated-bearing.png",
        "demo.sqlite", "demo-server.log",
    }  # fmt: skip
    with contextlib.closing(sqlite3.connect(tmp_path / "demo.sqlite")) as store:
        (count,) = store.execute("SELECT count(*) FROM estimates").fetchone()
    assert count == summary["estimates"]
    assert not is_listening(server_port(tmp_path))


def test_it_tells_people_what_happens(models: Path, tmp_path: Path) -> None:
    demo = start_demo(models, tmp_path, "--seconds", "1")
    stdout, stderr = demo.communicate(timeout=LONG_S)
    assert demo.returncode == 0, stderr
    assert stdout.count("  life 0.") > 10
    assert re.search(r"58 estimates of a simulated bearing; alarm \d+ \w+ before it failed", stdout)
    assert f"wrote {tmp_path}/simulated-bearing.png" in stdout
    assert re.fullmatch(r"block \d+: life used \d[^\n]*\n", stderr)


def test_a_plant_with_a_leak_follows_where_its_models_are_served(tmp_path: Path) -> None:
    demo = start_demo(None, tmp_path, "--seconds", "1")
    stdout, stderr = demo.communicate(timeout=LONG_S)
    assert demo.returncode == 0, stderr
    hours = re.findall(r"^2021-06-16T(\d\d):00Z  flow_rate .* stage (\d)", stdout, re.MULTILINE)
    assert [hour for hour, _ in hours] == [f"{hour:02d}" for hour in range(24)]
    assert {stage for hour, stage in hours if "11" <= hour < "17"} == {"4"}
    assert stdout.count("(no forecast)") == 0
    alarms = re.findall(r"T(\d\d):\d\dZ  alarm (raised|cleared) +(\w+ \w+):", stdout)
    raised = sorted(tag for _, kind, tag in alarms if kind == "raised")
    assert raised == sorted(tag for _, kind, tag in alarms if kind == "cleared") != []
    assert all("11" <= hour < "18" for hour, _, _ in alarms)
    sent = re.search(r"(\d+) deliveries acknowledged by the server, 0 wait", stdout)
    # A forecast an hour; ten minutes, and days.
    assert int(sent[1]) >= 48 + 288 + 2
    assert f"wrote {tmp_path}/edge.png" in stdout
    assert "simulated leak from 11:00 to 17:00: first seen at 11:0" in stdout
    for name in ("flow-forecast", "flow-outlier"):
        written = json.loads((tmp_path / f"simulated-plant-{name}.json").read_text())
        # 48 runs at 7 horizons of 2 channels; a row for each minute of two days and the last one.
        assert len(written["estimates"]) == {"flow-forecast": 48 * 14, "flow-outlier": 2881}[name]
        assert f"wrote {tmp_path}/simulated-plant-{name}.png" in stdout
    with contextlib.closing(sqlite3.connect(tmp_path / "demo.sqlite")) as store:
        query = "SELECT model, count(*) FROM estimates GROUP BY model ORDER BY model"
        assert store.execute(query).fetchall()[1:] == [
            ("flow-forecast", 48),
            ("flow-outlier", 2881),
        ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_its_server_ends_with_it(models: Path, tmp_path: Path, number: signal.Signals) -> None:
    demo = start_demo(models, tmp_path, "--seconds", "60")
    port = wait_for_server(tmp_path)
    demo.send_signal(number)
    _, stderr = demo.communicate(timeout=LONG_S)
    assert demo.returncode == 1
    assert "Traceback" not in stderr
    assert not is_listening(port)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    demo = start_demo(tmp_path / "none", tmp_path, "--seconds", "1")
    stdout, stderr = demo.communicate(timeout=LONG_S)
    assert (demo.returncode, stdout) == (5, "")
    assert "models: expected a folder holding NAME/VERSION/" in stderr
