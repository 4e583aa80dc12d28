"""What the pipeline on the embedded PC did, row by row, done by the edge service.

Stages, detectors, cleaning and forecasts have their tests beside their code.
"""

import contextlib
import json
import os
import sqlite3
import subprocess
import tty
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from driven_edge import Edge, at
from program import run, start
from running import running_server
from tiny_plant import MINUTE_US
from waiting import LONG_S, wait_until

from wearcast.signals.alerts import AlertKind
from wearcast.signals.clock import format_time, parse_time
from wearcast.signals.parcel import ParcelKind
from wearcast.signals.simulation.plant_log import write_plant
from wearcast.signals.simulation.plant_simulation import leak_day, simulate_plant

DAY_US = 1440 * MINUTE_US
FOREVER_US = 2**61
OUTAGE = range(at("10:10"), at("10:30"), MINUTE_US)


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The store of a service that the bundled models have judged two days in, and its alerts."""
    folder = tmp_path_factory.mktemp("plant")
    write_plant(folder / "plant.csv", simulate_plant(leak_day()))
    config = folder / "edge.toml"
    config.write_text(f"""
asset = "district"
machine_number = 4
clock = "readings"
[store]
path = "{folder}/edge.sqlite"
[alerts]
emit = "every"
[[sources]]
type = "csv"
path = "{folder}/plant.csv"
follow = false
""")
    done = run("edge", "--config", config)
    assert done.returncode == 0, done.stderr
    return folder / "edge.sqlite", done.stdout


def test_alerts_machine_number_time_stage_value(two_days: tuple[Path, str]) -> None:
    schema = json.loads(files("wearcast").joinpath("schemas/alert-bare.json").read_text())
    alerts = [json.loads(line) for line in two_days[1].splitlines()]
    assert len(alerts) > 1000  # every abnormal reading, of every detector
    check = jsonschema.validators.validator_for(schema)(schema)
    for alert in alerts:
        check.validate(alert)
        assert list(alert) == ["machine_number", "time", "outlier_stage", "value"]
        assert alert["machine_number"] == 4
        assert parse_time(alert["time"]) % MINUTE_US == 0


def test_stores_table_of_actual_and_predicted_values(two_days: tuple[Path, str]) -> None:
    """The value forecast a day before stands beside the actual one."""
    with closing(sqlite3.connect(two_days[0])) as connection:
        rows = connection.execute(
            "SELECT time, flow_rate, flow_rate_predict, pressure_predict FROM plant ORDER BY time"
        ).fetchall()
        medians = dict(
            connection.execute(
                "SELECT window_end, value FROM forecasts WHERE horizon_s = 86400 "
                "AND channel = 'flow_rate' AND quantile = 0.5"
            )
        )
    assert len(rows) == 2881
    assert all(predict is None for _, _, predict, _ in rows[:1500:100])
    second = rows[1440 + 60 : 2880]
    assert all(predict is not None and pressure is not None for *_, predict, pressure in second)
    for time, _, predict, _ in second:
        # A forecast is the mean of an hour, made after the same hour of the day before.
        last_us = parse_time(f"{time[:14]}59:00Z")
        assert predict == medians[format_time(last_us - DAY_US)]


@pytest.mark.parametrize("table", ["sqlite", "csv"])
def test_stores_csv_and_sqlite_hold_the_same(
    tmp_path: Path, plant_models: Path, table: str
) -> None:
    store = {"path": tmp_path / "edge.sqlite", "table": table}
    with Edge(tmp_path, at("10:00"), models_dir=plant_models, store=store) as edge:
        edge.go(at("11:10"), without=OUTAGE)
        rows = edge.store.table.read(0, FOREVER_US)
    assert [row.time_us for row in rows] == list(range(at("10:00"), at("11:10"), MINUTE_US))
    assert {row.stages for row in rows if row.time_us in OUTAGE} == {(4, 4)}
    assert all(row.readings == (1.0, 4.0) for row in rows if row.time_us not in OUTAGE)


def test_stores_purge_after_365_days(tmp_path: Path, plant_models: Path) -> None:
    with Edge(tmp_path, at("10:00"), models_dir=plant_models, alerts={"emit": "every"}) as edge:
        edge.go(at("11:00"), without=OUTAGE)
        assert len(edge.store.alerts(0, FOREVER_US)) == 40
        edge.clock.drive(at("23:58", day=364))
        edge.go(at("0:02", day=365))
        kept = edge.store.table.read(0, FOREVER_US)
        assert kept[0].time_us == at("10:00")
        edge.clock.drive(at("23:58", day=365))
        edge.go(at("0:02", day=366))
        kept = edge.store.table.read(0, FOREVER_US)
        assert kept[0].time_us == at("23:58", day=364)
        assert edge.store.alerts(0, at("12:00")) == []
        assert edge.store.forecasts(0, at("12:00")) == []
        sent = [row for parcel in edge.parcels() for row in parcel.rows]
        assert at("10:00") in {row.time_us for row in sent}  # what waits to be sent is not purged


def test_schedule_each_ten_minutes_hourly_and_daily(tmp_path: Path, plant_models: Path) -> None:
    with Edge(tmp_path, at("23:47"), models_dir=plant_models) as edge:
        edge.go(at("23:59"))
        assert edge.parcels(ParcelKind.ROWS) == []
        edge.go(at("1:02", day=1))
        (first, *_) = edge.parcels(ParcelKind.ROWS)
        assert first.first_us == at("23:50")
        (day,) = edge.parcels(ParcelKind.DAY)
        assert day.end_us == at("0:00", day=1)


def test_delivery_central_server_down_and_up(
    tmp_path: Path, plant_models: Path, own_address: str
) -> None:
    central = tmp_path / "central.sqlite"
    with running_server(plant_models, "--store", str(central), listen=own_address) as server:
        delivery = {"type": "grpc", "address": own_address}
        with Edge(tmp_path, at("10:00"), models_dir=plant_models, delivery=delivery) as edge:
            edge.go(at("10:31"))
            edge.deliver()
            assert edge.parcels() == []
            server.kill()
            edge.go(at("11:01"))
            assert len(edge.parcels(ParcelKind.ROWS)) == 3
            with running_server(plant_models, "--store", str(central), listen=own_address):
                edge.deliver()
            assert edge.parcels() == []
    with closing(sqlite3.connect(central)) as connection:
        ((rows, times),) = connection.execute(
            "SELECT count(*), count(DISTINCT time) FROM plant_rows"
        )
        ((parcels,),) = connection.execute("SELECT count(*) FROM parcels WHERE kind = 'ROWS'")
    assert (rows, times, parcels) == (60, 60, 6)


def test_alarms_on_delay_off_delay_and_deadband_of_isa_18_2(
    tmp_path: Path, plant_models: Path
) -> None:
    rules = {"rules": {"on_delay_s": 300, "off_delay_s": 600}}
    with Edge(tmp_path, at("10:00"), models_dir=plant_models, alarms=rules) as edge:
        edge.go(at("11:00"), without=[at("10:02"), at("10:03"), *OUTAGE])
        assert [(it.kind, it.channel, it.time_us) for it in edge.told] == [
            (AlertKind.RAISED, "flow", at("10:15")),
            (AlertKind.RAISED, "pressure", at("10:15")),
            (AlertKind.CLEARED, "flow", at("10:40")),
            (AlertKind.CLEARED, "pressure", at("10:40")),
        ]


def test_sources_serial_line_and_file(tmp_path: Path, plant_models: Path) -> None:
    plant, terminal = os.openpty()
    tty.setraw(terminal)
    config, file = tmp_path / "edge.toml", tmp_path / "pressure.csv"
    file.write_text("time,pressure\n")
    config.write_text(f"""
asset = "pump"
channels = {{ flow = "m3/h", pressure = "bar" }}
[models]
dir = "{plant_models}"
names = ["tiny-outlier"]
[store]
path = "{tmp_path}/edge.sqlite"
[[sources]]
type = "serial"
port = "{os.ttyname(terminal)}"
fields = ["flow"]
[[sources]]
type = "csv"
path = "{file}"
""")

    def read() -> set[tuple[str, float]]:
        with closing(sqlite3.connect(tmp_path / "edge.sqlite", timeout=10)) as connection:
            with contextlib.suppress(sqlite3.OperationalError):  # it has just been begun
                return set(connection.execute("SELECT channel, value FROM pending"))
            return set()

    def send() -> bool:
        os.write(plant, b"41.5\r\n")
        return (tmp_path / "edge.sqlite").exists() and ("flow", 41.5) in read()

    with (tmp_path / "log").open("w") as log:
        edge = start("edge", "--config", config, stderr=log, stdout=subprocess.DEVNULL)
    try:
        wait_until(send)
        with file.open("a") as rows:
            rows.write("2024-01-01 00:00:00,4.5\n")
        wait_until(lambda: ("pressure", 4.5) in read())
        edge.terminate()
        assert edge.wait(LONG_S) == 0
    finally:
        edge.kill()
        edge.wait()
        os.close(plant)
        os.close(terminal)
