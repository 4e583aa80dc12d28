"""Bad settings, a full disk, a damaged database, garbage, nobody there: told, and nothing lost."""

import contextlib
import os
import sqlite3
import subprocess
import tty
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from program import call, run, start
from small_disk import mounted
from waiting import LONG_S, wait_until

from wearcast.clients.edge.settings import load_edge_settings

CONFIG = """
asset = "pump"
clock = "readings"
channels = {{ flow = "m3/h", pressure = "bar" }}
[models]
names = ["tiny-outlier", "tiny-forecast"]
dir = "{models}"
[store]
path = "{store}"
[[sources]]
type = "csv"
path = "{plant}"
"""


def write_config(folder: Path, plant_models: Path, more: str = "", **places: Path) -> Path:
    config = folder / "edge.toml"
    known = {"models": plant_models, "store": folder / "edge.sqlite", "plant": folder / "plant.csv"}
    config.write_text(CONFIG.format(**known | places) + more)
    return config


def write_rows(path: Path, first: int, end: int) -> None:
    with path.open("a") as file:
        if not first:
            file.write("time,flow,pressure\n")
        for number in range(first, end):
            day, minute = divmod(number, 1440)
            clock = f"{minute // 60:02d}:{minute % 60:02d}"
            file.write(f"2024-01-{day + 1:02d} {clock}:00,{number % 50}.5,4.0\n")


def count_rows(store: Path, table: str = "plant") -> int:
    if not store.exists():  # else it would be made here, and empty
        return 0
    with closing(sqlite3.connect(store, timeout=10)) as connection:
        with contextlib.suppress(sqlite3.OperationalError):  # it has just been begun
            return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return 0


@contextmanager
def edge(config: Path, log: Path) -> Iterator[subprocess.Popen[str]]:
    with log.open("a") as errors:
        process = start("edge", "--config", config, stderr=errors, stdout=subprocess.DEVNULL)
    try:
        yield process
        process.terminate()
        assert process.wait(LONG_S) == 0
    finally:
        process.kill()
        process.wait()


def replace(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (replace('asset = "pump"', ""), "asset: expected a value, got none"),
        (replace("pump", "pump\\n7"), "asset: expected printable characters"),
        (replace("asset", "aset"), "aset: no such setting"),
        (replace('"readings"', '"sundial"'), "clock: "),
        (replace("flow =", '"flow rate" ='), "channels: expected names of letters"),
        (replace('"csv"', '"carrier pigeon"'), "sources.0.type: expected one of 'csv', "),
        (replace('path = "/', 'paht = "/'), "paht: no such setting"),
        (replace("[models]", 'time_zone = "Atlantis"\n[models]'), "time_zone: expected a zone"),
        (replace("[models]", "step_s = 0\n[models]"), "step_s: expected greater than 0, got 0"),
        (lambda text: text + '[[sources]]\ntype = "csv"\npath = "b"', "sources: expected a name"),
        (lambda text: text + "[alarms]\nrules = { on_delay_s = -1 }", "got alarms.rules: "),
        (lambda text: text + "[alarms]\nrules = { on_delay = 1 }", "alarms.rules.on_delay: "),
        (lambda text: text + '[alerts]\nformat = "xml"', "alerts.format: "),
        (lambda text: text + '[delivery]\ntype = "grpc"\naddress = "x"', "delivery.grpc.address"),
        (lambda text: text + '[schedule.retrain]\nbest = ["outlier"]', "schedule.retrain: "),
        (lambda text: text + '[delivery]\naddress = "x:1"', "delivery.type: expected a value"),
        (lambda text: text + "=", "TOML"),
    ],
)
def test_each_bad_setting_is_named(
    tmp_path: Path, plant_models: Path, change: Callable[[str], str], told: str
) -> None:
    config = write_config(tmp_path, plant_models)
    config.write_text(change(config.read_text()))
    done = call("edge", "--config", config)
    assert done.returncode == 3, done.stderr
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "edge.sqlite").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (replace("[models]", "step_s = 30\n[models]"), "step_s: expected 60 as tiny-outlier"),
        (replace("bar", "psi"), "channels: expected flow (m3/h), pressure (bar) as tiny-outlier"),
        (replace("tiny-forecast", "no-such"), "model: expected one of tiny-forecast/1"),
        (lambda text: text + '[alarms.tags."flow nihgt"]\nfrom_stage = 1', "'flow nihgt'"),
    ],
)
def test_each_setting_that_the_models_do_not_fit_is_named(
    tmp_path: Path, plant_models: Path, change: Callable[[str], str], told: str
) -> None:
    config = write_config(tmp_path, plant_models)
    config.write_text(change(config.read_text()))
    done = run("edge", "--config", config)
    assert done.returncode in {3, 5}, done.stderr
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "edge.sqlite").exists()


def test_config_of_a_windows_editor(tmp_path: Path, plant_models: Path) -> None:
    config = write_config(tmp_path, plant_models)
    config.write_text(config.read_text(), encoding="utf-8-sig")
    assert load_edge_settings(config).asset == "pump"


def test_variable_that_names_no_setting(
    tmp_path: Path, plant_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEARCAST_EDGE_STOR__PATH", "b.sqlite")
    done = run("edge", "--config", write_config(tmp_path, plant_models))
    assert done.returncode == 3
    assert "WEARCAST_EDGE_STOR__PATH: no such setting" in done.stderr


def test_config_that_is_not_there(tmp_path: Path) -> None:
    done = run("edge", "--config", tmp_path / "none.toml")
    assert done.returncode == 3
    assert "config: expected a readable file" in done.stderr


def test_full_disk_loses_nothing(tmp_path: Path, plant_models: Path) -> None:
    with mounted(tmp_path / "small") as small:
        plant, log, store = tmp_path / "plant.csv", tmp_path / "log", small / "edge.sqlite"
        config = write_config(tmp_path, plant_models, store=store)
        write_rows(plant, 0, 100)
        with edge(config, log):
            wait_until(lambda: count_rows(store) == 99)
            filler = small / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            write_rows(plant, 100, 600)
            wait_until(lambda: "disk full" in log.read_text())
            filler.unlink()
            wait_until(lambda: count_rows(store) == 599)
        assert log.read_text().count("ERROR") < 10
        with closing(sqlite3.connect(store)) as connection:
            rows = connection.execute("SELECT flow, flow_system_stage FROM plant").fetchall()
        assert rows == [(number % 50 + 0.5, 0) for number in range(599)]


def test_damaged_database_is_set_aside_and_told(tmp_path: Path, plant_models: Path) -> None:
    plant, log, store = tmp_path / "plant.csv", tmp_path / "log", tmp_path / "edge.sqlite"
    config = write_config(tmp_path, plant_models)
    write_rows(plant, 0, 2000)
    with edge(config, log):
        wait_until(lambda: count_rows(store) == 1999)
    size = store.stat().st_size
    with store.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)
    write_rows(plant, 2000, 2100)
    with edge(config, log):
        wait_until(lambda: count_rows(store) > 0 and _newest(store) >= "2024-01-02T10:58")
    (aside,) = tmp_path.glob("edge.sqlite.corrupt-*")
    assert aside.stat().st_size == size
    assert "was damaged" in log.read_text()
    assert count_rows(store) > 1500
    done = run("doctor", "--config", config)
    assert f"{aside.name} was damaged and set aside" in done.stdout


def _newest(store: Path) -> str:
    with closing(sqlite3.connect(store, timeout=10)) as connection:
        return connection.execute("SELECT max(time) FROM plant").fetchone()[0]


def test_unreachable_broker_and_server_are_told_and_the_rest_goes_on(
    tmp_path: Path, plant_models: Path
) -> None:
    plant, log, store = tmp_path / "plant.csv", tmp_path / "log", tmp_path / "edge.sqlite"
    more = """
[[sources]]
type = "mqtt"
host = "127.0.0.1"
port = 1
client_id = "edge"
[[sources.topics]]
filter = "flow"
channel = "flow"
[delivery]
type = "grpc"
address = "127.0.0.1:1"
"""
    # By the machine's clock: in a replay nothing goes on without one of its sources.
    config = write_config(tmp_path, plant_models, more)
    config.write_text(config.read_text().replace('clock = "readings"', ""))
    write_rows(plant, 0, 50)
    with edge(config, log):
        wait_until(lambda: count_rows(store, "pending") == 100)
        wait_until(lambda: "source mqtt: " in log.read_text())
    done = run("doctor", "--config", config)
    assert done.returncode == 1
    problems = [line for line in done.stdout.splitlines() if line.startswith("problem")]
    assert [line.split(":")[0] for line in problems] == [
        "problem  source mqtt",
        "problem  delivery",
    ]
    assert all("127.0.0.1:1 does not answer" in line for line in problems)


def test_garbage_on_the_serial_line_is_flagged_and_the_next_reading_kept(
    tmp_path: Path, plant_models: Path
) -> None:
    store, log = tmp_path / "edge.sqlite", tmp_path / "log"
    plant, terminal = os.openpty()
    tty.setraw(terminal)
    config = write_config(tmp_path, plant_models)
    text = config.read_text().replace('clock = "readings"', "")
    text = (
        text[: text.index("[[sources]]")]
        + f"""
[[sources]]
type = "serial"
port = "{os.ttyname(terminal)}"
fields = ["flow", "pressure"]
"""
    )
    config.write_text(text)
    with edge(config, log):
        # The first line after opening may be half a one, and is dropped.
        wait_until(lambda: _write(plant, b"0,0\r\n41.5,4.5\r\n") and _pending(store, 41.5))
        wait_until(lambda: _write(plant, b"\xff\xfe{{{,,,\r\n") and _garbled(store))
        os.write(plant, b"42.5,4.5\r\n")
        wait_until(lambda: _pending(store, 42.5))
    os.close(plant)
    os.close(terminal)


def _write(descriptor: int, line: bytes) -> bool:
    return os.write(descriptor, line) > 0


def _pending(store: Path, value: float) -> int:
    return count_rows(store, f"pending WHERE value = {value}")


def _garbled(store: Path) -> int:
    return count_rows(store, "pending WHERE quality LIKE '%GARBLED%'")
