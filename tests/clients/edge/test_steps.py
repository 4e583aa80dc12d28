"""From readings to rows."""

import shutil
from pathlib import Path

import pytest
from driven_edge import Edge, at
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_plant import MINUTE_US

from wearcast.clients.edge.readings import Reading
from wearcast.signals.plant_table import PlantRow

S = 1_000_000


def _rows(edge: Edge) -> list[PlantRow]:
    return edge.store.table.read(0, 2**61)


def test_readings_of_one_minute_are_averaged(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00")) as edge:
        for second, flow in ((1, 2.0), (20, 4.0), (59, 9.0)):
            edge.read(at("10:00") + second * S, flow)
        edge.go(at("10:01"))
        (first, *_) = _rows(edge)
        # The reading of go itself is one more, of second 1, and a second one of that time.
        assert first.readings[0] == 5.0
        assert edge.store.count_spare() == 1


def test_step_is_closed_after_its_grace_and_not_before(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00"), grace_s=20) as edge:
        edge.read(at("10:00") + S)
        edge.clock.drive(at("10:01") + 19 * S)
        edge.turn()
        assert _rows(edge) == []
        edge.clock.drive(at("10:01") + 20 * S)
        edge.turn()
        assert len(_rows(edge)) == 1


def test_step_is_not_closed_while_a_source_is_behind(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:30")) as edge:
        edge.hand.caught_up = False
        edge.turn()
        edge.read(at("10:00"), 2.0)
        edge.turn()
        assert _rows(edge) == []
        edge.read(at("10:03"), 3.0)
        edge.read(at("10:02"), 1.0)  # out of order
        edge.turn()
        assert [row.readings[0] for row in _rows(edge)] == [2.0, None, 1.0]
        edge.hand.caught_up = True
        edge.turn()
        assert _rows(edge)[-1].time_us == at("10:28")


def test_minutes_that_nobody_read_are_rows_with_a_flag(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("10:05"))
    with Edge(tmp_path, at("10:30")) as edge:
        edge.go(at("10:32"), without=[at("10:31")])
        flags = {row.time_us: row.quality for row in _rows(edge)}
    assert flags[at("10:04")] == ()
    assert flags[at("10:06")] == ("OFF",)  # the service was not running
    assert flags[at("10:31")] == ("MISSING",)


def test_more_than_a_day_that_nobody_read_is_left_out(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("10:05"))
    with Edge(tmp_path, at("10:30", day=2)) as edge:
        edge.go(at("10:32", day=2))
        times = [row.time_us for row in _rows(edge)]
    assert times == [
        *range(at("10:00"), at("10:06"), MINUTE_US),
        at("10:30", day=2),
        at("10:31", day=2),
    ]


def test_what_is_no_number_is_flagged_and_kept(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00")) as edge:
        edge.hand.give(
            Reading(at("10:00"), "flow", None, ("GARBLED",)),
            Reading(at("10:00"), "pressure", 1e30),
            Reading(at("10:01"), "flow", float("nan")),
            Reading(at("10:01"), "pressure", 4.0),
        )
        edge.clock.drive(at("10:02") + 6 * S)
        edge.turn()
        first, second = _rows(edge)
        assert (first.readings, first.quality) == ((None, None), ("GARBLED", "MISSING"))
        assert (second.readings, second.quality) == ((None, 4.0), ("GARBLED", "MISSING"))
        assert edge.store.count_spare() == 1  # 1e30 is a number, if no plant's


def test_late_reading_fills_its_place_and_a_second_one_is_kept_apart(tmp_path: Path) -> None:
    with Edge(tmp_path, at("10:00")) as edge:
        edge.go(at("10:05"), without=[at("10:02")])
        edge.hand.give(Reading(at("10:02"), "flow", 7.0))
        edge.turn()
        edge.hand.give(Reading(at("10:02"), "flow", 7.0), Reading(at("10:02") + S, "flow", 8.0))
        edge.turn()
        late = _rows(edge)[2]
        assert late.readings == (7.0, None)
        assert late.quality == ("LATE", "MISSING")
        assert edge.store.count_spare() == 1
        assert len(edge.hand.acknowledged) == 5 * 2 + 3


@settings(max_examples=30, deadline=None)
@given(
    readings=st.lists(
        st.tuples(
            st.integers(0, 9 * 60 - 1),
            st.sampled_from(["flow", "pressure"]),
            st.one_of(st.none(), st.floats(-1e6, 1e6)),
        ),
        min_size=1,
        max_size=40,
    ),
    cuts=st.sets(st.integers(0, 40), max_size=3),
)
def test_no_reading_is_lost_in_whatever_order_and_however_often_it_comes(
    tmp_path_factory, readings: list[tuple[int, str, float | None]], cuts: set[int]
) -> None:
    """Each number is in a row's mean, or kept apart; a restart changes nothing."""
    folder = tmp_path_factory.mktemp("edge")
    edge = Edge(folder, at("10:00"))
    clock = edge.clock
    for number, (second, channel, value) in enumerate(readings):
        if number in cuts:
            edge.__exit__()
            edge = Edge(folder, 0, clock=clock)
        reading = Reading(at("10:00") + second * S, channel, value)
        edge.hand.give(reading)
        if number % 3 == 0:
            edge.hand.give(reading)  # sent again
        if number % 5 == 0:
            clock.drive(reading.time_us)
        edge.turn()
    clock.drive(at("10:10"))
    edge.turn()
    rows = {row.time_us: row for row in _rows(edge)}
    spare = edge.store.spare(0, 2**61)
    pending = edge.store.pending(0, 2**61)
    for second, channel, value in readings:
        time_us = at("10:00") + second * S
        known = Reading(time_us, channel, value)
        if value is not None:
            assert known in pending or known in spare
            if known in pending:
                row = rows[time_us // MINUTE_US * MINUTE_US]
                assert row.readings[["flow", "pressure"].index(channel)] is not None
    edge.__exit__()


@pytest.mark.parametrize("table", ["sqlite", "csv"])
@pytest.mark.parametrize("time_us", [-62_135_596_800_000_000, -1, 253_402_351_199_000_000])
def test_reading_of_a_time_that_no_row_can_have_is_kept_apart(
    tmp_path: Path, table: str, time_us: int
) -> None:
    store = {"path": tmp_path / "edge.sqlite", "table": table}
    with Edge(tmp_path, at("10:00"), store=store) as edge:
        edge.read(time_us)
        edge.go(at("10:05"))
        edge.read(time_us)
        edge.go(at("10:12"))
        assert [row.time_us for row in _rows(edge)][:2] == [at("10:00"), at("10:01")]
        assert edge.store.count_spare() == 4
        assert len(edge.parcels()) == 1


def test_csv_row_of_a_turn_that_was_cut_off_leaves_nothing_over(tmp_path: Path) -> None:
    store = {"path": tmp_path / "edge.sqlite", "table": "csv"}
    with Edge(tmp_path, at("10:00"), store=store) as edge:
        for second in (1, 21, 41):
            edge.read(at("10:00") + second * S, float(second))
        edge.turn()
        for path in tmp_path.glob("edge.sqlite*"):
            shutil.copy(path, tmp_path / f"before-{path.name}")
        edge.clock.drive(at("10:01") + 6 * S)
        edge.turn()
        rows = _rows(edge)
    for path in tmp_path.glob("edge.sqlite*"):
        path.unlink()
    for path in tmp_path.glob("before-*"):
        path.rename(tmp_path / path.name.removeprefix("before-"))
    with Edge(tmp_path, 0, clock=edge.clock, store=store) as edge:
        edge.turn()
        assert _rows(edge) == rows
        assert rows[0].readings == (21.0, 4.0)
        assert edge.store.count_spare() == 0
