"""`wearcast stream --alerts`: each line fits the schema that ships."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from program import run
from running import RunningServer, running_server
from tiny_plant import MINUTE_US, MONDAY_US, write_plant_models

from wearcast.signals.clock import format_time

MISSING = range(10, 25)


@pytest.fixture(scope="module")
def plant_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    models_dir = tmp_path_factory.mktemp("plant-models")
    write_plant_models(models_dir)
    with running_server(models_dir) as server:
        yield server


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 minutes; flow is missing from minute 10 to 24."""
    path = tmp_path_factory.mktemp("plant") / "plant.csv"
    lines = ["time,flow,pressure"]
    for minute in range(60):
        flow = "" if minute in MISSING else str(minute)
        lines.append(f"{format_time(MONDAY_US + minute * MINUTE_US)},{flow},4.0")
    path.write_text("\n".join(lines) + "\n")
    return path


def stream(server: RunningServer, plant: Path, *flags: object, asset: str):
    return run("stream", "--replay", plant, "--speed", "max", "--model", "tiny-outlier",
               "--server", server.address, "--asset", asset, *flags)  # fmt: skip


def read_lines(done, form: str) -> list[dict]:
    assert done.returncode == 0, done.stderr
    schema = json.loads((files("wearcast") / "schemas" / f"alert-{form}.json").read_text())
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        jsonschema.validate(line, schema)
    return lines


def minute_text(minute: int) -> str:
    return format_time(MONDAY_US + minute * MINUTE_US)


def test_every_abnormal_reading_is_a_line(plant_server: RunningServer, plant: Path) -> None:
    done = stream(plant_server, plant, "--alerts", "every", asset="every")
    assert read_lines(done, "bare") == [
        {
            "machine_number": "every",
            "time": minute_text(minute),
            "outlier_stage": 4,
            "value": None,
        }
        for minute in MISSING
    ]


def test_transitions_are_lines_in_either_form(plant_server: RunningServer, plant: Path) -> None:
    flags = ["--alerts", "transitions", "--machine-number", "17"]
    bare = read_lines(stream(plant_server, plant, *flags, asset="bare"), "bare")
    assert bare == [
        {"machine_number": 17, "time": minute_text(20), "outlier_stage": 4, "value": None},
        {"machine_number": 17, "time": minute_text(35), "outlier_stage": 0, "value": 35.0},
    ]
    done = stream(plant_server, plant, *flags, "--format", "cloudevents", asset="whole")
    events = read_lines(done, "cloudevents")
    assert [event["type"] for event in events] == [
        "wearcast.alert.raised",
        "wearcast.alert.cleared",
    ]
    assert events[0]["data"]["cause"] == "MISSING"
    inner = [
        {name: event["data"].get(name, event.get(name)) for name in bare[0]} for event in events
    ]
    assert inner == bare


def test_rules_may_be_given(plant_server: RunningServer, plant: Path) -> None:
    rules = ["--alarm", "on_delay_s=120", "--alarm", "off_delay_s=0"]
    done = stream(plant_server, plant, "--alerts", "transitions", *rules, asset="rules")
    times = [line["time"] for line in read_lines(done, "bare")]
    assert times == [minute_text(12), minute_text(25)]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--alarm", "from_stage=2"], "alarm: expected --alerts transitions too"),
        (["--alerts", "transitions", "--alarm", "x=2"], "alarm: expected NAME=VALUE, with a name"),
        (
            ["--alerts", "transitions", "--alarm", "from_stage=9"],
            "alarms.from_stage: expected 1 to 4, got 9",
        ),
    ],
    ids=["no alerts", "no such rule", "out of range"],
)
def test_what_makes_no_sense_is_refused(
    flags: list[str], message: str, plant_server: RunningServer, plant: Path
) -> None:
    done = stream(plant_server, plant, *flags, asset="refused")
    assert done.returncode == 3
    assert message in done.stderr


def test_alerts_need_a_model_that_has_stages(plant_server: RunningServer, plant: Path) -> None:
    done = run("stream", "--replay", plant, "--speed", "max", "--model", "tiny-forecast",
               "--server", plant_server.address, "--alerts", "every")  # fmt: skip
    assert done.returncode == 3
    assert "alerts: expected a model of kind outlier, got tiny-forecast" in done.stderr
