"""Rows judged, alarms raised, forecasts kept: in one go, or with the service restarted anywhere."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from driven_edge import Edge, at
from msgspec.structs import replace
from tiny_plant import MINUTE_US
from waiting import LONG_S, wait_until

from wearcast.clients.edge import inbox, service
from wearcast.clients.edge.readings import Reading
from wearcast.clients.edge.store.database import DamagedError, Database
from wearcast.signals.alerts import AlertKind
from wearcast.signals.errors import StoreError
from wearcast.signals.parcel import ParcelKind

RULES = {"rules": {"on_delay_s": 120, "off_delay_s": 180}}


def test_each_row_is_judged_and_each_forecast_kept(tmp_path: Path, plant_models: Path) -> None:
    with Edge(tmp_path, at("10:00"), models_dir=plant_models) as edge:
        edge.go(at("10:31"), without=[at("10:20")])
        rows = edge.store.table.read(0, 2**61)
        assert [row.stages for row in rows] == [
            (4, 4) if row.time_us == at("10:20") else (0, 0) for row in rows
        ]
        forecasts = edge.store.forecasts(0, 2**61)
        assert [it.window_end_us for it in forecasts] == [
            at(clock) for clock in ("10:04", "10:09", "10:14", "10:19", "10:24", "10:29")
        ]
        assert all(it.model == "tiny-forecast" for it in forecasts)
        assert len(edge.parcels(ParcelKind.FORECASTS)) == 6
        assert [len(it.rows) for it in edge.parcels(ParcelKind.ROWS)] == [10, 10, 10]


def test_alarm_is_raised_and_cleared_once_and_told_once(tmp_path: Path, plant_models: Path) -> None:
    away = range(at("10:10"), at("10:18"), MINUTE_US)
    with Edge(tmp_path, at("10:00"), models_dir=plant_models, alarms=RULES) as edge:
        edge.go(at("10:31"), without=away)
        kinds = [(it.kind, it.channel, it.cause) for it in edge.told]
        assert kinds == [
            (AlertKind.RAISED, "flow", "MISSING"),
            (AlertKind.RAISED, "pressure", "MISSING"),
            (AlertKind.CLEARED, "flow", ""),
            (AlertKind.CLEARED, "pressure", ""),
        ]
        assert edge.store.alerts(0, 2**61) == edge.told
        sent = [alert for it in edge.parcels(ParcelKind.ALERTS) for alert in it.alerts]
        assert sent == edge.told


def test_every_abnormal_reading_is_told_where_that_is_asked_for(
    tmp_path: Path, plant_models: Path
) -> None:
    emit = {"emit": "every"}
    with Edge(tmp_path, at("10:00"), models_dir=plant_models, alerts=emit) as edge:
        edge.go(at("10:05"), without=[at("10:02"), at("10:03")])
        assert [(it.kind, it.time_us, it.channel) for it in edge.told] == [
            (AlertKind.ABNORMAL, time_us, channel)
            for time_us in (at("10:02"), at("10:03"))
            for channel in ("flow", "pressure")
        ]


@pytest.mark.parametrize("cut", [1, 7, 12, 15, 19, 22, 25])
def test_restart_anywhere_changes_nothing(tmp_path: Path, plant_models: Path, cut: int) -> None:
    away = range(at("10:10"), at("10:18"), MINUTE_US)

    def run(folder: Path, cuts: list[int]) -> tuple[object, ...]:
        folder.mkdir()
        edge = Edge(folder, at("10:00"), models_dir=plant_models, alarms=RULES)
        told = []
        for minute in range(42):
            if minute in cuts:
                told += edge.told
                edge.__exit__()
                edge = Edge(folder, 0, models_dir=plant_models, alarms=RULES, clock=edge.clock)
            edge.go(at("10:00") + minute * MINUTE_US, without=away, flow=minute)
        with edge:
            return (
                edge.store.table.read(0, 2**61),
                edge.store.forecasts(0, 2**61),
                told + edge.told,
                [replace(parcel, key=parcel.key.rpartition("/")[0]) for parcel in edge.parcels()],
            )

    assert run(tmp_path / "cut", [cut, cut + 1, 30]) == run(tmp_path / "whole", [])


def test_store_that_fails_twice_loses_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("10:05"))
        begin, failures = edge.store.transaction, []

        @contextmanager
        def fail() -> Iterator[None]:
            if len(failures) == 1:  # while the service takes up where the store is
                failures.append("second")
                raise StoreError("the disk fails")
            with begin():
                yield
                if not failures and edge.store.table.newest_us() > at("10:05"):
                    failures.append("first")
                    raise StoreError("the disk fails")

        monkeypatch.setattr(edge.store, "transaction", fail)
        for minute in range(6, 10):
            edge.read(at("10:00") + minute * MINUTE_US)
        edge.clock.drive(at("10:09") + 10_000_000)
        thread = threading.Thread(target=edge.service.run, args=(stop,), daemon=True)
        thread.start()
        wait_until(lambda: edge.store.table.newest_us() >= at("10:08") and len(failures) > 1)
        stop.set()
        thread.join()
        times = [row.time_us for row in edge.store.table.read(0, 2**61)]
    assert times == list(range(at("10:00"), at("10:09"), MINUTE_US))


def test_store_that_is_damaged_meanwhile_ends_the_service_and_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "edge.sqlite"
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("20:00"))
        edge.store.maintain()
        with closing(Database(path)) as database:
            find = "SELECT rootpage FROM sqlite_schema WHERE name = 'pending'"
            ((page,),) = database.execute(find)
        with path.open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"\xff" * 4096)
        edge.store._database.execute("PRAGMA shrink_memory")  # noqa: SLF001  # pages are read anew
        edge.read(at("20:01"))
        with pytest.raises(DamagedError):
            edge.service.run(threading.Event())
    with Edge(tmp_path, at("20:02"), clock=edge.clock) as edge:
        assert "was damaged" in edge.store.set_aside
        assert len(edge.store.table.read(0, 2**61)) == 600


def test_source_that_fails_is_begun_again_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "_PAUSE_S", 0.01)
    with Edge(tmp_path, at("10:00")) as edge:
        edge.hand.give(Reading(at("10:00"), "flow", 1.0), position=7)
        edge.turn()
        edge.hand.fail(ZeroDivisionError("a fault"))
        edge.turn()
        assert edge.hand.runs.wait(LONG_S)
        assert edge.hand.position == 7
        edge.hand.give(Reading(at("10:01"), "flow", 2.0), position=8)
        edge.turn()
        assert len(edge.hand.acknowledged) == 2
        assert edge.service.problems == {}


def test_alerts_that_cannot_be_written_wait_and_the_rest_goes_on(
    tmp_path: Path, plant_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_TELL_PAUSE_S", 0.0)
    file = tmp_path / "folder" / "alerts.ndjson"
    alerts = {"emit": "every", "file": file}
    with Edge(tmp_path, at("10:00"), models_dir=plant_models, alerts=alerts) as edge:
        file.mkdir(parents=True)  # a folder where the file should be
        edge.go(at("10:05"), without=[at("10:02")])
        assert "alerts.ndjson" in edge.service.problems["alerts"]
        assert len(edge.store.table.read(0, 2**61)) == 5
        file.rmdir()
        edge.go(at("10:06"))
        assert edge.service.problems == {}
        assert len(file.read_text().splitlines()) == 2
