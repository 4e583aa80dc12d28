"""Rows judged, alarms raised, forecasts kept: in one go, or with the service restarted anywhere."""

from pathlib import Path

import pytest
from driven_edge import Edge, at
from tiny_plant import MINUTE_US

from wearcast.signals.alerts import AlertKind
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
                edge.parcels(),
            )

    assert run(tmp_path / "cut", [cut, cut + 1, 30]) == run(tmp_path / "whole", [])
