import os
import threading
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from live import Running, pairs, running
from pydantic import ValidationError

from wearcast.clients.edge.readings import Reading
from wearcast.clients.edge.sources.serial_line import SerialSettings, SerialSource
from wearcast.signals.clock import parse_time
from wearcast.signals.errors import InputError

CHANNELS = ("flow_rate", "pressure")
NOW_US = parse_time("2024-05-01T10:00Z")
GARBLED = [Reading(NOW_US, channel, None, ("GARBLED",)) for channel in CHANNELS]


@dataclass
class Cable:
    """A pseudo-terminal: the device writes into one end, the port is the other."""

    port: Path
    device: int
    line: int

    def plug_in(self) -> None:
        self.device, self.line = os.openpty()
        tty.setraw(self.line)
        self.port.unlink(missing_ok=True)
        self.port.symlink_to(os.ttyname(self.line))

    def unplug(self) -> None:
        self.port.unlink()
        os.close(self.line)
        os.close(self.device)

    def send(self, data: bytes) -> None:
        os.write(self.device, data)


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    cable = Cable(tmp_path / "port", -1, -1)
    cable.plug_in()
    yield cable
    if cable.port.is_symlink():
        cable.unplug()


def make_source(port: Path, **settings: object) -> SerialSource:
    given = settings or {"fields": CHANNELS}
    return SerialSource(
        SerialSettings(type="serial", port=str(port), **given), CHANNELS, lambda: NOW_US
    )


def wait_until_open(run: Running) -> None:
    """Opening empties the buffer, so what is sent before is lost."""
    run.wait_for(lambda source: source.caught_up and not source.problem)


def test_lines_become_readings_behind_the_first_end_of_a_line(cable: Cable):
    with running(make_source(cable.port)) as run:
        wait_until_open(run)
        cable.send(b"0.2,5.13\r\n40.3,5.14\r\n41")
        assert run.take(2) == [
            Reading(NOW_US, "flow_rate", 40.3),
            Reading(NOW_US, "pressure", 5.14),
        ]
        cable.send(b".5,NaN\r")
        assert pairs(run.take(2)) == [("flow_rate", 41.5), ("pressure", None)]


def test_fields_may_hold_a_time_or_nothing_of_interest(cable: Cable):
    source = make_source(
        cable.port,
        fields=("_", "pressure", "time", "flow_rate"),
        delimiter=";",
        time_zone="Asia/Seoul",
    )
    with running(source) as run:
        wait_until_open(run)
        cable.send(b"\n$P7;5.13;2024-05-01 18:00:00;40.2\n")
        time_us = parse_time("2024-05-01T09:00Z")
        assert run.take(2) == [
            Reading(time_us, "pressure", 5.13),
            Reading(time_us, "flow_rate", 40.2),
        ]


def test_pairs_come_in_any_order_and_number(cable: Cable):
    source = make_source(cable.port, format="pairs", names={"Q": "flow_rate", "P": "pressure"})
    with running(source) as run:
        wait_until_open(run)
        cable.send(b"\nQ=40.2; x=1 P=5.13\ntime=2024-05-01T09:00Z,P=5.14\n")
        assert run.take(3) == [
            Reading(NOW_US, "flow_rate", 40.2),
            Reading(NOW_US, "pressure", 5.13),
            Reading(parse_time("2024-05-01T09:00Z"), "pressure", 5.14),
        ]


@pytest.mark.parametrize("line", [b"40.2", b"1,2,3", b"\xff\xfe,1", b"4\xb0.2,5", b"x" * 9])
def test_a_line_of_noise_is_garbled(cable: Cable, line: bytes):
    with running(make_source(cable.port)) as run:
        wait_until_open(run)
        cable.send(b"\n" + line + b"\n40,5\n")
        readings = run.take(4)
        assert readings[:2] == GARBLED
        assert pairs(readings[2:]) == [("flow_rate", 40.0), ("pressure", 5.0)]
        assert run.source.problem == ""


def test_one_field_of_noise_leaves_the_others(cable: Cable):
    with running(make_source(cable.port)) as run:
        wait_until_open(run)
        cable.send(b"\n4?.2,5\n")
        assert run.take(2) == [
            Reading(NOW_US, "flow_rate", None, ("GARBLED",)),
            Reading(NOW_US, "pressure", 5.0),
        ]


def test_noise_among_pairs_is_garbled(cable: Cable):
    with running(make_source(cable.port, format="pairs")) as run:
        wait_until_open(run)
        cable.send(b"\nflow_rate=40.2;pre##\n")
        assert run.take(2) == GARBLED


def test_an_endless_line_is_garbled_up_to_its_end(cable: Cable):
    with running(make_source(cable.port)) as run:
        wait_until_open(run)
        cable.send(b"\n")
        # More than the terminal holds, so it is sent while it is read.
        sent = threading.Thread(target=cable.send, args=(b"7" * 9000 + b",5\n40,5\n",))
        sent.start()
        found: list[Reading] = []
        while len(found) < 2 or found[-2:] != [
            Reading(NOW_US, "flow_rate", 40.0),
            Reading(NOW_US, "pressure", 5.0),
        ]:
            found += run.next_batch().readings
        sent.join()
        assert {reading.quality for reading in found[:-2]} == {("GARBLED",)}


def test_a_port_that_is_unplugged_is_opened_again(cable: Cable):
    with running(make_source(cable.port)) as run:
        wait_until_open(run)
        cable.send(b"\n40,5\n")
        run.take(2)
        cable.unplug()
        run.wait_for(lambda source: source.problem.startswith("port: expected a device at"))
        cable.plug_in()
        wait_until_open(run)
        cable.send(b"1,1\n41,6\n")
        assert pairs(run.take(2)) == [("flow_rate", 41.0), ("pressure", 6.0)]


def test_a_port_that_is_not_there_is_told(tmp_path: Path):
    with running(make_source(tmp_path / "port")) as run:
        run.wait_for(lambda source: "No such file or directory" in source.problem)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "fields: expected some with csv, and none with pairs"),
        ({"fields": ("flow_rate",), "format": "pairs"}, "fields: expected some with csv"),
        ({"fields": ("flow_rate", "flow_rate")}, "fields: expected each once"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict[str, object], message: str):
    with pytest.raises(ValidationError, match=message):
        SerialSettings(type="serial", port="port", **settings)


@pytest.mark.parametrize(
    "settings", [{"fields": ("flow",)}, {"format": "pairs", "names": {"Q": "flow"}}]
)
def test_what_is_no_channel_is_refused(settings: dict[str, object]):
    with pytest.raises(InputError, match="expected channels among flow_rate, pressure, time, _"):
        make_source(Path("port"), **settings)
