"""What operators use: systemd, doctor, alarms, history."""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from driven_edge import Edge, at
from program import call, run, start
from running import running_server
from tiny_plant import MINUTE_US
from waiting import LONG_S, wait_until

from wearcast.clients.edge.notify import Notifier

CONFIG = """
asset = "pump"
channels = {{ flow = "m3/h", pressure = "bar" }}
[models]
names = ["tiny-outlier"]
dir = "{models}"
[alarms]
rules = {{ on_delay_s = 60, off_delay_s = 60 }}
[store]
path = "{folder}/edge.sqlite"
[[sources]]
type = "csv"
path = "{folder}/plant.csv"
"""
ALARMS = {"rules": {"on_delay_s": 60, "off_delay_s": 60}}


@pytest.fixture
def config(tmp_path: Path, plant_models: Path) -> Path:
    path = tmp_path / "edge.toml"
    path.write_text(CONFIG.format(models=plant_models, folder=tmp_path))
    (tmp_path / "plant.csv").write_text("time,flow,pressure\n")
    return path


@contextmanager
def systemd_socket(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(folder / "notify"))
        listener.settimeout(LONG_S)
        yield listener


def test_systemd_is_told_ready_alive_and_stopping(tmp_path: Path, config: Path) -> None:
    with systemd_socket(tmp_path) as listener:
        edge = start(
            "edge", "--config", config, env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        )
        try:
            assert listener.recv(1000) == b"READY=1"
            assert listener.recv(1000) == b"WATCHDOG=1\nSTATUS=ok"
            assert listener.recv(1000) == b"WATCHDOG=1"
            edge.send_signal(signal.SIGTERM)
            wait_until(lambda: listener.recv(1000) == b"STOPPING=1")
            assert edge.wait(LONG_S) == 0
        finally:
            edge.kill()
            edge.wait()


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()
    notifier.ready()
    notifier.beat("ok")
    notifier.stopping()


@pytest.mark.parametrize("verb", ["edge", "serve"])
def test_units_are_such_as_systemd_takes(tmp_path: Path, config: Path, verb: str) -> None:
    if verb == "serve":
        config.write_text('listen = "127.0.0.1:0"\n')
    done = run(verb, "--config", config, "--systemd")
    assert done.returncode == 0, done.stderr
    unit = tmp_path / f"wearcast-{verb}.service"
    unit.write_text(done.stdout)
    lines = done.stdout.splitlines()
    assert f"WorkingDirectory={tmp_path}" in lines
    assert "WantedBy=multi-user.target" in lines  # it starts with the machine
    assert "Restart=always" in lines
    if verb == "edge":
        assert {"Type=notify", "WatchdogSec=120"} <= set(lines)
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here")
    checked = subprocess.run(
        [program, "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_second_service_on_a_store_is_refused(config: Path) -> None:
    def begin() -> subprocess.Popen[str]:
        edge = start("edge", "--config", config, stderr=subprocess.PIPE)
        assert "asset pump: reads csv, keeps " in edge.stderr.readline()
        return edge

    edge = begin()
    try:
        refused = run("edge", "--config", config)
        assert refused.returncode == 3
        assert "store.path: expected a store that no other service keeps" in refused.stderr
        assert call("alarms", "--config", config).returncode == 0
        edge.kill()  # the lock ends with whoever holds it
        edge.communicate()
        edge = begin()
        edge.terminate()
        assert edge.wait(LONG_S) == 0
    finally:
        edge.kill()
        edge.communicate()


def test_doctor_of_a_sound_setup(tmp_path: Path, config: Path, plant_models: Path) -> None:
    with running_server(plant_models, "--store", str(tmp_path / "central.sqlite")) as server:
        text = config.read_text()
        config.write_text(text + f'[delivery]\ntype = "grpc"\naddress = "{server.address}"\n')
        before = sorted(tmp_path.iterdir())
        done = call("doctor", "--config", config, "--json")
        assert done.returncode == 0, done.stdout
        assert sorted(tmp_path.iterdir()) == before
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [it["part"] for it in found if it["verdict"] == "problem"] == []
    assert [it["part"] for it in found] == [
        "config", "models", "store", "disk", "clock", "source csv", "delivery",
    ]  # fmt: skip
    assert found[1]["text"].startswith("tiny-outlier/1")


def test_doctor_names_what_is_wrong(tmp_path: Path, config: Path) -> None:
    (tmp_path / "plant.csv").unlink()
    (tmp_path / "edge.sqlite").write_bytes(b"no database at all, but long enough to be one" * 99)
    done = call("doctor", "--config", config, "--json")
    assert done.returncode == 1
    problems = {
        it["part"]: it["text"]
        for it in map(json.loads, done.stdout.splitlines())
        if it["verdict"] == "problem"
    }
    assert set(problems) == {"store", "source csv"}
    assert problems["source csv"].endswith("plant.csv: is not there")


def test_alarms_are_shown_acknowledged_and_shelved(
    tmp_path: Path, config: Path, plant_models: Path
) -> None:
    def show() -> dict[str, str]:
        done = call("alarms", "--config", config, "--json")
        assert done.returncode == 0, done.stderr
        return {it["tag"]: it["state"] for it in json.loads(done.stdout)}

    names = {"names": ["tiny-outlier"]}
    with Edge(
        tmp_path, at("10:00"), models_dir=plant_models, models=names, alarms=ALARMS
    ) as edge:  # fmt: skip
        edge.go(at("10:10"), without=range(at("10:03"), at("10:30"), MINUTE_US))
        assert show() == dict.fromkeys(["flow system", "pressure system"], "UNACKNOWLEDGED")
        done = run(
            "alarms", "--config", config, "--acknowledge", "flow system",
            "--shelve", "pressure system=2d",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        edge.turn()
        assert show() == {"flow system": "ACKNOWLEDGED", "pressure system": "SHELVED"}
        edge.go(at("10:20"))
        assert show() == {"flow system": "NORMAL", "pressure system": "SHELVED"}
        assert call("alarms", "--config", config, "--unshelve", "pressure system").returncode == 0
        edge.go(at("10:22"))
        assert show() == dict.fromkeys(["flow system", "pressure system"], "NORMAL")
    text = call("alarms", "--config", config).stdout
    assert "flow system" in text
    assert "0 active" in text


def test_paths_are_of_the_folder_of_the_settings(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = config.read_text().replace(f"{tmp_path}/", "")
    (tmp_path / "plant.csv").write_text("time,flow,pressure\n2024-01-01 00:00,1.5,4.0\n")
    config.write_text(text.replace("asset", 'clock = "readings"\nasset', 1) + "follow = false\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    done = run("edge", "--config", config)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "edge.sqlite").exists()
    assert list(elsewhere.iterdir()) == []


def test_alarm_that_there_is_not_is_named(tmp_path: Path, config: Path, plant_models: Path) -> None:
    names = {"names": ["tiny-outlier"]}
    with Edge(tmp_path, at("10:00"), models_dir=plant_models, models=names) as edge:
        edge.go(at("10:02"))
    done = call("alarms", "--config", config, "--acknowledge", "flow sistem")
    assert done.returncode == 5
    assert "expected one of flow system, pressure system, got 'flow sistem'" in done.stderr
