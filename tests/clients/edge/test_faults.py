"""Everything fails again and again, and the central store has each row, forecast and alert once."""

import json
import random
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
from tiny_plant import MINUTE_US, MONDAY_US
from waiting import LONG_S, wait_until

from wearcast.clients.edge.readings import Reading
from wearcast.signals.clock import format_time

_PART = 500
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


def publish(rows, broker: Mosquitto, turns: threading.Semaphore) -> None:
    """Each row as a message, a part each turn, until the broker has acknowledged all of them."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="plant", clean_session=False)
    client.reconnect_delay_set(1, 1)
    acknowledged = []
    client.on_publish = lambda *told: acknowledged.append(told[2])
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        for number, (time_us, flow, pressure) in enumerate(rows):
            if number % _PART == 0:
                turns.acquire()
            values = {"flow": flow, "pressure": pressure}
            text = json.dumps({"time": format_time(time_us), "values": values})
            # Without a connection it is kept, and sent with the next one.
            client.publish("plant/pump", text, qos=1)
        wait_until(lambda: len(acknowledged) == len(rows))
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


def run_undisturbed(folder: Path, models: Path, rows, address: str) -> None:
    """What must come out: the same rows, handed to a service that nothing happens to."""
    folder.mkdir()
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
def failing_server(models: Path, store: Path, address: str) -> Iterator[None]:
    """A central server that is there half of the time, and killed each time."""
    stop, moments = threading.Event(), random.Random(2)

    def go() -> None:
        while not stop.is_set():
            with running_server(models, "--store", str(store), listen=address) as it:
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


class Watched:
    """The edge service in a process of its own, again and again."""

    def __init__(self, config: Path, store: Path, log: Path) -> None:
        self._config = config
        self._store = store
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        with self._log.open("a") as log:
            self._process = start("edge", "--config", self._config, stderr=log)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def terminate(self) -> int:
        self._process.terminate()
        return self._process.wait(LONG_S)

    def reached_us(self) -> int:
        """Up to where it has closed steps."""
        with closing(sqlite3.connect(self._store, timeout=10)) as connection:
            try:
                query = "SELECT value ->> '$.next_us' FROM state WHERE name = 'progress'"
                found = connection.execute(query).fetchone()
            except sqlite3.OperationalError:  # it has just been begun
                return 0
            return found[0] or 0 if found else 0


def kill_again_and_again(
    edge: Watched, broker: Mosquitto, turns: threading.Semaphore, kills: int
) -> set[int]:
    """So many times, at a random moment of its work; gives how far it had come each time."""
    moments = random.Random(1)
    reached = set()
    for number in range(kills):
        before_us = edge.reached_us()
        turns.release()
        if number % 2:
            wait_until(lambda before_us=before_us: edge.reached_us() > before_us)
        time.sleep(moments.uniform(0.0, 1.5))
        edge.kill()
        reached.add(edge.reached_us())
        if number % 5 == 2:
            broker.restart()
        edge.start()
    return reached


@needs_mosquitto
@pytest.mark.parametrize(
    ("table", "where", "kills"),
    [
        ("sqlite", "local", 8),
        # Two minutes each.
        pytest.param("sqlite", "local", 20, marks=pytest.mark.slow),
        pytest.param("sqlite", "server", 20, marks=pytest.mark.slow),
        pytest.param("csv", "local", 20, marks=pytest.mark.slow),
    ],
)
def test_kills_outages_and_restarts_lose_and_repeat_nothing(
    tmp_path: Path, plant_models: Path, own_address: str, table: str, where: str, kills: int
) -> None:
    models, central = plant_models, tmp_path / "central.sqlite"
    rows = make_rows(kills * _PART)
    # One more, which closes the last.
    published = [*rows, (rows[-1][0] + MINUTE_US, 1.0, 4.0)]
    serve = (models, "--store", str(central))
    config = tmp_path / "edge.toml"
    place = f'dir = "{models}"' if where == "local" else f'server = "{own_address}"'
    turns = threading.Semaphore(0)
    with Mosquitto(tmp_path) as broker:
        places = {"folder": tmp_path, "central": own_address, "broker": broker.port}
        config.write_text(_CONFIG.format(**places, models=place, table=table))
        broker.start()
        with running_server(*serve, listen=own_address):
            edge = Watched(config, tmp_path / "edge.sqlite", tmp_path / "edge.log")
            # What is published before it has subscribed reaches nobody.
            wait_until(lambda: "Received SUBSCRIBE from edge" in broker.log)
        publisher = threading.Thread(target=publish, args=(published, broker, turns), daemon=True)
        publisher.start()
        try:
            with failing_server(models, central, own_address):
                reached = kill_again_and_again(edge, broker, turns, kills)
                turns.release()
                publisher.join(LONG_S)
            with running_server(*serve, listen=own_address):
                wait_until(lambda: _has(central, rows[-1][0]))
                assert edge.terminate() == 0
        finally:
            edge.kill()
    expected = tmp_path / "expected.sqlite"
    with running_server(models, "--store", str(expected)) as other:
        run_undisturbed(tmp_path / "undisturbed", models, published, other.address)
    got, wanted = read_central(central), read_central(expected)
    assert len(wanted["rows"]) == len(rows)
    assert len(wanted["alerts"]) > 10
    assert got == wanted
    assert len(reached) >= kills // 2  # work was going on when it was killed


def _has(central: Path, time_us: int) -> bool:
    """Whether a row has come."""
    with closing(sqlite3.connect(central, timeout=10)) as connection:
        try:
            query = "SELECT count(*) FROM plant_rows WHERE time = ?"
            ((count,),) = connection.execute(query, (format_time(time_us),))
        except sqlite3.OperationalError:  # nothing has come yet
            return False
        return bool(count)
