"""Everything fails again and again, and the central store has each row, forecast and alert once."""

import json
import random
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from driven_edge import Edge
from mosquitto import Mosquitto, needs_mosquitto
from program import start
from running import running_server
from tiny_plant import MINUTE_US, MONDAY_US, write_plant_models

from wearcast.clients.edge.readings import Reading
from wearcast.signals.clock import format_time

_LONG_S = 240
RULES = {"on_delay_s": 300, "off_delay_s": 300}
_CONFIG = """
asset = "pump"
clock = "readings"
channels = {{ flow = "m3/h", pressure = "bar" }}

[models]
names = ["tiny-outlier", "tiny-forecast"]
{models}

[alarms]
rules = {{ on_delay_s = 300, off_delay_s = 300 }}

[alerts]
file = "{folder}/alerts.ndjson"

[store]
path = "{folder}/edge.sqlite"
table = "{table}"

[delivery]
type = "grpc"
address = "{central}"
timeout_s = 5
longest_pause_s = 2

[[sources]]
type = "mqtt"
host = "127.0.0.1"
port = {broker}
client_id = "edge"

[[sources.topics]]
filter = "plant/pump"
payload = "json"
channels = "values"
time = "time"
"""


def make_rows(count: int) -> list[tuple[int, float | None, float]]:
    """Time, flow, pressure: now and then the flow is missing, shortly or for long."""
    random_ = random.Random(0)
    rows, away = [], 0
    for number in range(count):
        if not away and random_.random() < 0.01:
            away = random_.choice([1, 3, 12])
        flow = None if away else round(random_.uniform(20, 60), 1)
        away = max(away - 1, 0)
        rows.append((MONDAY_US + number * MINUTE_US, flow, round(random_.uniform(4, 5), 2)))
    return rows


def publish(rows, broker: Mosquitto) -> None:
    """Each row as a message; returns once the broker has acknowledged all of them."""
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id="plant", clean_session=False
    )
    client.reconnect_delay_set(1, 1)
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        sent = []
        for number, (time_us, flow, pressure) in enumerate(rows):
            text = json.dumps(
                {"time": format_time(time_us), "values": {"flow": flow, "pressure": pressure}}
            )
            sent.append(client.publish("plant/pump", text, qos=1))
            if number % 100 == 99:
                time.sleep(0.4)  # so that every kill meets work
        for item in sent:
            item.wait_for_publish(_LONG_S)
    finally:
        client.loop_stop()
        client.disconnect()


def read_central(store: Path) -> dict[str, list[tuple]]:
    with closing(sqlite3.connect(store)) as connection:
        return {
            name: connection.execute(f"SELECT {columns} FROM plant_{name} ORDER BY 1, 2").fetchall()
            for name, columns in (
                ("rows", "time, row"),
                ("forecasts", "model, window_end, forecast"),
                ("alerts", "id, time, kind, stage, value"),
            )
        }


def run_undisturbed(folder: Path, models: Path, rows, central: Path, address: str) -> None:
    """What must come out: the same rows, handed to a service that nothing happens to."""
    delivery = {"type": "grpc", "address": address}
    with Edge(
        folder, 0, models_dir=models, clock_kind="readings", delivery=delivery,
        alarms={"rules": RULES},
    ) as edge:  # fmt: skip
        for first in range(0, len(rows), 500):
            readings = [
                Reading(time_us, channel, value)
                for time_us, *values in rows[first : first + 500]
                for channel, value in zip(("flow", "pressure"), values, strict=True)
            ]
            edge.hand.give(*readings)
            edge.turn()
        edge.deliver()


@contextmanager
def failing_server(models: Path, store: Path, port: int, moments: random.Random) -> Iterator[None]:
    """A central server that is there half of the time, and killed each time."""
    stop = threading.Event()

    def go() -> None:
        while not stop.is_set():
            with running_server(models, "--store", str(store), listen=f"127.0.0.1:{port}") as it:
                stop.wait(moments.uniform(0.5, 2.5))
                it.kill()
            stop.wait(moments.uniform(1.5, 3.5))  # to start takes a second, too

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@needs_mosquitto
@pytest.mark.parametrize(
    ("table", "where"),
    [
        ("sqlite", "local"),
        pytest.param("sqlite", "server", marks=pytest.mark.slow),
        pytest.param("csv", "local", marks=pytest.mark.slow),
    ],
)
def test_kills_outages_and_restarts_lose_and_repeat_nothing(
    tmp_path: Path, table: str, where: str
) -> None:
    count, kills = 10_000, 20
    models = tmp_path / "models"
    write_plant_models(models)
    rows = make_rows(count)
    # One more, which closes the last.
    closing_row = (MONDAY_US + count * MINUTE_US, 1.0, 4.0)
    broker = Mosquitto(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "edge.toml"
    place = f'dir = "{models}"' if where == "local" else f'server = "127.0.0.1:{port}"'
    config.write_text(
        _CONFIG.format(
            folder=tmp_path, central=f"127.0.0.1:{port}", broker=broker.port, models=place,
            table=table,
        )
    )  # fmt: skip
    moments = random.Random(1)
    central = tmp_path / "central.sqlite"
    log = (tmp_path / "edge.log").open("a")
    broker.start()
    edge: subprocess.Popen[str] | None = start("edge", "--config", config, stderr=log)
    time.sleep(3)  # until it has subscribed: what is published before reaches nobody
    publisher = threading.Thread(target=publish, args=([*rows, closing_row], broker))
    publisher.start()
    reached: set[int] = set()
    try:
        with failing_server(models, central, port, moments):
            for number in range(kills):
                time.sleep(moments.uniform(1.0, 3.5))
                edge.kill()
                edge.wait()
                reached.add(_count_rows(tmp_path / "edge.sqlite"))
                if number % 5 == 2:
                    broker.restart()
                edge = start("edge", "--config", config, stderr=log)
            publisher.join(_LONG_S)
            assert not publisher.is_alive()
        with running_server(models, "--store", str(central), listen=f"127.0.0.1:{port}"):
            ends = time.monotonic() + _LONG_S
            while time.monotonic() < ends and not _has(central, rows[-1][0]):
                time.sleep(0.2)
            undisturbed = tmp_path / "undisturbed"
            undisturbed.mkdir()
            expected = undisturbed / "central.sqlite"
            with running_server(models, "--store", str(expected)) as other:
                run_undisturbed(
                    undisturbed, models, [*rows, closing_row], expected, other.address
                )
            edge.terminate()
            assert edge.wait(30) == 0
    finally:
        if edge is not None:
            edge.kill()
            edge.wait()
        broker.kill()
        log.close()
    got, wanted = read_central(central), read_central(expected)
    assert len(wanted["rows"]) == count
    assert len(wanted["alerts"]) > 10
    assert got == wanted
    assert len(reached) > kills // 2  # work was going on when it was killed


def _count_rows(store: Path) -> int:
    with closing(sqlite3.connect(store, timeout=10)) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM plant")
        return count


def _has(central: Path, time_us: int) -> bool:
    """Whether the last row has come."""
    with closing(sqlite3.connect(central, timeout=10)) as connection:
        try:
            query = "SELECT count(*) FROM plant_rows WHERE time = ?"
            ((count,),) = connection.execute(query, (format_time(time_us),))
        except sqlite3.OperationalError:  # nothing has come yet
            return False
        return bool(count)
