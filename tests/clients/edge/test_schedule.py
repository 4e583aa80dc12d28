"""When the edge service sends, on a clock that the test drives."""

import shutil
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from driven_edge import Edge, at
from tiny_plant import MINUTE_US

from wearcast.clients.edge.progress import Progress
from wearcast.clients.edge.readings import Reading
from wearcast.signals.parcel import ParcelKind


def _spans(edge: Edge, kind: ParcelKind = ParcelKind.ROWS) -> list[tuple[int, int]]:
    return [(parcel.first_us, parcel.end_us) for parcel in edge.parcels(kind)]


def test_started_at_10_07_nothing_is_sent_at_10_11_and_the_first_at_10_21(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:07")) as edge:
        edge.go(at("10:20"))
        assert edge.parcels() == []
        edge.go(at("10:21"))
        (first,) = edge.parcels()
        assert (first.first_us, first.end_us) == (at("10:10"), at("10:20"))
        assert first.complete
        assert first.expected == 10
        # What was read before the first ten minutes comes with them.
        assert [row.time_us for row in first.rows] == [
            *(at("10:10") + minute * MINUTE_US for minute in range(10)),
            at("10:07"),
            at("10:08"),
            at("10:09"),
        ]


def test_send_minutes_are_1_11_21_31_41_51(tmp_path: Path) -> None:
    sent = {}
    with Edge(tmp_path, at("10:00")) as edge:
        for minute in range(1, 120):
            before = len(edge.parcels(ParcelKind.ROWS))
            edge.go(at("10:00") + minute * MINUTE_US)
            if len(edge.parcels(ParcelKind.ROWS)) > before:
                sent[minute] = len(edge.parcels(ParcelKind.ROWS)) - before
    assert sent == dict.fromkeys([11, 21, 31, 41, 51, 61, 71, 81, 91, 101, 111], 1)


def test_lost_sample_does_not_suppress_a_send_but_marks_it_incomplete(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("10:21"), without=[at("10:05")])
        first, second = edge.parcels(ParcelKind.ROWS)
        assert not first.complete
        assert len(first.rows) == first.expected == 10
        (lost,) = [row for row in first.rows if None in row.readings]
        assert lost.time_us == at("10:05")
        assert lost.quality == ("MISSING",)
        assert second.complete


def test_reading_that_comes_late_is_sent_with_the_next_rows(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("10:12"), without=[at("10:05")])
        edge.read(at("10:05") + 1_000_000, 7.0)
        edge.go(at("10:21"))
        _, second = edge.parcels(ParcelKind.ROWS)
        (late,) = [row for row in second.rows if row.time_us < second.first_us]
        assert (late.time_us, late.readings, late.quality) == (at("10:05"), (7.0, 4.0), ("LATE",))


@pytest.mark.parametrize("off", ["10:25", "11:55", "13:01"])
def test_restart_repeats_no_send_and_skips_none(tmp_path: Path, off: str) -> None:
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("10:22"))
    with Edge(tmp_path, at(off)) as edge:
        edge.go(at("13:11"))
        spans = _spans(edge)
    assert spans == [
        (first, first + 10 * MINUTE_US) for first in range(at("10:00"), at("13:10"), 10 * MINUTE_US)
    ]


def test_clock_set_back_repeats_no_send(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("11:01"))
    with Edge(tmp_path, at("10:30")) as edge:
        edge.go(at("11:21"))
        spans = _spans(edge)
        assert len(spans) == len(set(spans)) == 8
        # Two readings of one minute: the second has no place, and is kept all the same.
        assert edge.store.count_spare() == 0  # they have the same values
        edge.read(at("10:59") + 2_000_000, 9.0)
        edge.turn()
        assert edge.store.count_spare() == 1


def test_clock_set_years_ahead_is_one_parcel_of_the_time_between(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("10:11"))
        edge.clock.drive(at("10:00", day=3000))
        edge.go(at("10:11", day=3000))
        first, begun, between, *last_day, newest = _spans(edge)
        assert (first[0], begun[0], between[0]) == (at("10:00"), at("10:10"), at("10:20"))
        assert at("0:00", day=2998) < between[1] <= at("10:10", day=2999)
        assert newest == (at("10:00", day=3000), at("10:10", day=3000))
        assert len(last_day) <= 2 * 144
        assert len(edge.parcels(ParcelKind.DAY)) <= 3


@pytest.mark.parametrize(("day", "hours"), [(90, 23), (300, 25)])  # 31 March and 27 October 2024
def test_day_of_a_clock_change_is_sent_once_and_whole(tmp_path: Path, day: int, hours: int) -> None:
    with Edge(tmp_path, at("21:30", day=day - 1), time_zone="Europe/Berlin") as edge:
        edge.go(at("23:59", day=day))
        _, whole = edge.parcels(ParcelKind.DAY)
        assert whole.expected == len(whole.rows) == hours * 60
        assert whole.complete
        spans = _spans(edge)
        assert all(end == begin for (_, end), (begin, _) in pairwise(spans))


def test_days_are_those_of_the_time_zone(tmp_path: Path) -> None:
    with Edge(tmp_path, at("14:50"), time_zone="Asia/Seoul") as edge:
        edge.go(at("15:02"))
        (day,) = edge.parcels(ParcelKind.DAY)
        assert day.end_us == at("15:00")
        assert not day.complete
        assert len(day.rows) == 10


def test_late_reading_outlives_a_kill_right_after_it_was_stored(tmp_path: Path) -> None:
    away = [at("10:05")]
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("10:12"), without=away)
        edge.hand.give(Reading(at("10:05"), "flow", 7.0))
        # The store of a service that was killed once it had acknowledged the reading.
        edge.hand.acknowledged = Copying(tmp_path)
        edge.turn()
    with Edge(tmp_path / "killed", 0, clock=edge.clock) as edge:
        edge.go(at("10:21"))
        *_, newest = edge.parcels(ParcelKind.ROWS)
        assert (at("10:05"), 7.0) in [(row.time_us, row.readings[0]) for row in newest.rows]


class Copying(list[Reading]):
    """Copies the store into `killed` when a reading is acknowledged."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def extend(self, readings: Iterable[Reading]) -> None:
        super().extend(readings)
        killed = self._folder / "killed"
        killed.mkdir(exist_ok=True)
        for path in self._folder.glob("edge.sqlite*"):
            shutil.copy(path, killed)


@pytest.mark.parametrize("step_s", [7, 450, 3600])
def test_ten_minutes_of_steps_that_do_not_divide_them_are_complete(
    tmp_path: Path, step_s: int
) -> None:
    with Edge(tmp_path, at("10:00"), step_s=step_s) as edge:
        for time_us in range(at("10:00"), at("12:11"), step_s * 1_000_000):
            edge.clock.drive(time_us + 5_000_000)
            edge.read(time_us)
            edge.turn()
        parcels = edge.parcels(ParcelKind.ROWS)
        assert len(parcels) > 5
        for parcel in parcels:
            inside = [row for row in parcel.rows if row.time_us < parcel.end_us]
            inside = [row for row in inside if row.time_us >= parcel.first_us]
            assert len(inside) == parcel.expected
            assert parcel.complete


def test_backlog_behind_days_without_rows_is_sent_by_ten_minutes(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("10:21"))
    with Edge(tmp_path, at("10:00", day=9), clock=edge.clock) as edge:
        edge.clock.drive(at("10:00", day=9))
        edge.hand.caught_up = False
        for minute in range(200):  # the source was away too, and is five days behind
            edge.read(at("10:00", day=4) + minute * MINUTE_US)
            edge.turn()
        between, *later = _spans(edge)[2:]
        assert between[1] <= at("10:10", day=4)
        assert len(later) >= 18
        assert later[-1][1] == at("13:10", day=4)


def test_nothing_is_kept_for_a_receiver_that_there_is_not(tmp_path: Path) -> None:
    away = range(at("10:10"), at("10:40"), MINUTE_US)
    with Edge(tmp_path, at("10:00"), delivery=None) as edge:
        edge.go(at("11:00"), without=away)
        for time_us in away:
            edge.read(time_us)
        edge.turn()
        kept = edge.store.get("progress", Progress)
        assert kept.late_us == []
    with Edge(tmp_path, 0, clock=edge.clock) as edge:
        edge.go(at("11:21"))
        first, *_ = edge.parcels(ParcelKind.ROWS)
        # What was read before there was a receiver counts as sent.
        assert min(row.time_us for row in first.rows) > at("10:40")
