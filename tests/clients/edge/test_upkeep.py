"""What is old goes, and nothing else."""

from pathlib import Path

from driven_edge import Edge, at
from tiny_plant import MINUTE_US

from wearcast.clients.edge.readings import Reading
from wearcast.signals.parcel import ParcelKind


def test_record_longer_than_history_is_kept_is_sent_whole(tmp_path: Path) -> None:
    minutes = [at("0:00") + number * MINUTE_US for number in range(4 * 1440)]
    store = {"path": tmp_path / "edge.sqlite", "keep_days": 1}
    with Edge(tmp_path, 0, clock_kind="readings", store=store) as edge:
        edge.hand.give(*(Reading(time_us, "flow", 1.0) for time_us in minutes))
        edge.turn()
        sent = [row for parcel in edge.parcels(ParcelKind.ROWS) for row in parcel.rows]
        assert [row.time_us for row in sent] == minutes[:-10]  # the last ten are open
        assert all(row.readings == (1.0, None) for row in sent)
        kept = [row.time_us for row in edge.store.table.read(0, 2**61)]
        assert kept == minutes[-len(kept) - 1 : -1]  # the last one is open
        assert 1440 <= len(kept) <= 2 * 1440


def test_clock_that_is_years_ahead_for_a_moment_purges_nothing(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("10:10"))
    with Edge(tmp_path, at("10:00", day=9000)) as edge:
        edge.go(at("10:02", day=9000))
    with Edge(tmp_path, at("10:20")) as edge:
        edge.go(at("10:30"))
        first, *_ = edge.store.table.read(0, 2**61)
        assert first.time_us == at("10:00")


def test_after_a_clock_that_was_years_ahead_rows_go_on_at_the_present(
    tmp_path: Path, plant_models: Path
) -> None:
    with Edge(tmp_path, at("10:00"), models_dir=plant_models) as edge:
        edge.go(at("10:10"))
    with Edge(tmp_path, at("10:00", day=9000), models_dir=plant_models) as edge:
        edge.go(at("10:02", day=9000))
    with Edge(tmp_path, at("10:30"), models_dir=plant_models) as edge:
        edge.go(at("11:05"))
        rows = edge.store.table.read(0, at("12:00"))
        assert [row.time_us for row in rows] == [
            *range(at("10:00"), at("10:11"), MINUTE_US),
            *range(at("10:30"), at("11:05"), MINUTE_US),
        ]
        assert {row.stages for row in rows} == {(0, 0)}
        keys = [parcel.key for parcel in edge.parcels()]
        assert len(keys) == len(set(keys))
        sent = [parcel.first_us for parcel in edge.parcels(ParcelKind.ROWS)]
        assert sent[-3:] == [at("10:30"), at("10:40"), at("10:50")]
        assert edge.store.count_spare() == 0


def test_clock_that_is_behind_writes_over_no_row(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00", day=1)) as edge:
        edge.go(at("15:00", day=1), flow=1.0)
    with Edge(tmp_path, at("11:00", day=1)) as edge:
        edge.go(at("11:05", day=1), flow=2.0)
    with Edge(tmp_path, at("15:05", day=1)) as edge:
        edge.go(at("15:10", day=1), flow=3.0)
        rows = {row.time_us: row.readings[0] for row in edge.store.table.read(0, 2**61)}
        assert rows[at("11:03", day=1)] == 1.0
        assert rows[at("15:05", day=1)] == 3.0
        assert edge.store.count_spare() == 6
