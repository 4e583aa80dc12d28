"""Models on a server: nothing that it has answered is lost to an edge service that comes back."""

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import pytest
from program import run, start
from running import running_server
from tiny_plant import MINUTE_US, MONDAY_US, plant_rows
from waiting import LONG_S, wait_until

from wearcast.clients.edge.blocks import Numbering
from wearcast.clients.edge.remote_models import RemoteModels, fetch_contracts
from wearcast.clients.edge.settings import load_edge_settings
from wearcast.clients.edge.store.opening import reopen_store
from wearcast.clients.plant_rows import make_blocks

CONFIG = """
asset = "pump"
clock = "readings"
channels = {{ flow = "m3/h", pressure = "bar" }}
[models]
names = ["tiny-outlier", "tiny-forecast"]
server = "{address}"
[store]
path = "{folder}/edge.sqlite"
[[sources]]
type = "csv"
path = "{folder}/plant.csv"
follow = false
"""


def write_rows(folder: Path, first: int, end: int) -> None:
    with (folder / "plant.csv").open("a") as file:
        if not first:
            file.write("time,flow,pressure\n")
        for minute in range(first, end):
            file.write(f"2024-01-01 {minute // 60:02d}:{minute % 60:02d}:00,{minute}.5,4.0\n")


def read_stages(folder: Path) -> list[tuple[int, int]]:
    with closing(sqlite3.connect(folder / "edge.sqlite")) as connection:
        query = "SELECT flow_system_stage, pressure_system_stage FROM plant ORDER BY time"
        return connection.execute(query).fetchall()


def has_rows(folder: Path) -> bool:
    with suppress(sqlite3.OperationalError):  # it has just been begun
        return (folder / "edge.sqlite").exists() and len(read_stages(folder)) > 0
    return False


def forget_answers(folder: Path, count: int) -> None:
    """As if the service had been killed before it had kept the newest answers."""
    with closing(sqlite3.connect(folder / "edge.sqlite")) as connection, connection:
        query = "SELECT value FROM state WHERE name = 'progress'"
        progress = json.loads(connection.execute(query).fetchone()[0])
        progress["answered_us"] -= count * MINUTE_US
        connection.execute(
            "UPDATE state SET value = ? WHERE name = 'progress'", (json.dumps(progress),)
        )
        names = [row[1] for row in connection.execute("PRAGMA table_info(kept_rows)")]
        stages = ", ".join(f"{name} = NULL" for name in names if name.endswith("_stage"))
        connection.execute(
            f"UPDATE kept_rows SET {stages} WHERE time_us > ?", (progress["answered_us"],)
        )
        connection.execute(
            "DELETE FROM kept_forecasts WHERE window_end_us > ?", (progress["answered_us"],)
        )


@pytest.mark.parametrize("count", [1, 7])
def test_answers_that_only_the_server_has_are_fetched(
    tmp_path: Path, plant_models: Path, count: int
) -> None:
    with running_server(plant_models) as server:
        config = tmp_path / "edge.toml"
        config.write_text(CONFIG.format(address=server.address, folder=tmp_path))
        write_rows(tmp_path, 0, 93)
        assert run("edge", "--config", config).returncode == 0
        forget_answers(tmp_path, count)
        assert read_stages(tmp_path)[-count:] == [(None, None)] * count
        write_rows(tmp_path, 93, 97)
        done = run("edge", "--config", config)
        assert done.returncode == 0, done.stderr
    assert read_stages(tmp_path) == [(0, 0)] * 97
    with closing(sqlite3.connect(tmp_path / "edge.sqlite")) as connection:
        found = connection.execute("SELECT DISTINCT window_end FROM forecasts").fetchall()
    assert len(found) == 19  # each fifth minute


def test_answers_are_taken_no_sooner_than_all_models_have_given_theirs(
    tmp_path: Path, plant_models: Path
) -> None:
    """The server sends what it has stored first, and then acknowledges blocks from before."""
    with running_server(plant_models) as server:
        config = tmp_path / "edge.toml"
        config.write_text(CONFIG.format(address=server.address, folder=tmp_path))
        write_rows(tmp_path, 0, 93)
        assert run("edge", "--config", config).returncode == 0
        settings = load_edge_settings(config)
        models = RemoteModels(
            settings,
            fetch_contracts(settings),
            lambda: reopen_store(tmp_path / "edge.sqlite"),
        )
        numbering = Numbering(MONDAY_US, MINUTE_US)
        rows = plant_rows(93)
        for done in (91, 88, 80):
            models.resume(done, numbering)
            models.feed([*make_blocks(rows)])
            reached, sequences = done, []
            while reached < 92:
                answers = models.take()
                if answers is not None:
                    sequences += [it.sequence for it in answers.estimates]
                    assert all(reached < number <= answers.done for number in sequences[-1:])
                    reached = answers.done
            forecasts = [number for number in (84, 89) if number > done]
            assert sorted(sequences) == sorted([*range(done + 1, 93), *forecasts])
        models.close()


def test_server_with_other_models_ends_the_service_which_then_says_why(
    tmp_path: Path, plant_models: Path, own_address: str
) -> None:
    others = tmp_path / "models"
    shutil.copytree(plant_models / "tiny-outlier", others / "tiny-outlier")
    config = tmp_path / "edge.toml"
    with running_server(plant_models, listen=own_address) as server:
        text = CONFIG.format(address=own_address, folder=tmp_path)
        config.write_text(text.replace("follow = false", ""))
        write_rows(tmp_path, 0, 20)
        edge = start("edge", "--config", config, stderr=subprocess.PIPE)
        try:
            wait_until(lambda: has_rows(tmp_path))
            server.kill()
            with running_server(others, listen=own_address):
                _, told = edge.communicate(timeout=LONG_S)
        finally:
            edge.kill()
            edge.wait()
    assert edge.returncode == 5
    assert "model: expected one of tiny-outlier/1, got tiny-forecast" in told
