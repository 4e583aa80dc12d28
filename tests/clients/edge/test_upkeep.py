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
