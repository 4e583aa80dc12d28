import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wearcast.signals.clock import parse_time
from wearcast.signals.simulation.plant_demand import STEP_US
from wearcast.signals.simulation.plant_faults import NO_FAULTS, Event, Rates
from wearcast.signals.simulation.plant_log import TEXTS, name_labels, order_lines, write_plant
from wearcast.signals.simulation.plant_simulation import Plant, simulate_plant


def read_lines(path: Path) -> list[list[str]]:
    with path.open(encoding="ascii", newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["time", "flow_rate", "pressure"]
    return lines


def stamp(minute: int) -> str:
    """Of the two days from 2020-02-29 on."""
    day, of_day = divmod(minute, 1_440)
    return f"{('2020-02-29', '2020-03-01')[day]} {of_day // 60:02d}:{of_day % 60:02d}:00"


def write_events(folder: Path, *events: Event) -> list[list[str]]:
    plant = Plant(start="2020-02-29", days=1, rates=NO_FAULTS, events=events)
    path = folder / "plant.csv"
    count = write_plant(path, simulate_plant(plant))
    lines = read_lines(path)
    assert len(lines) == count
    return lines


def test_a_plants_file_holds_what_was_measured(tmp_path: Path) -> None:
    simulated = simulate_plant(Plant(days=60, seed=2))
    path = tmp_path / "plant.csv"
    count = write_plant(path, simulated)
    lines = read_lines(path)
    gaps = np.isnan(simulated.measured.values).all(axis=1).sum()
    twice = sum(label.kind == "duplicate" for label in simulated.labels)
    assert count == len(lines) == 60 * 1_440 + 1 - gaps + twice
    read = np.full_like(simulated.measured.values, np.nan)
    seen = set()
    words = set()
    for text, *cells in lines:
        row = (parse_time(text) - simulated.measured.start_us) // STEP_US
        if row in seen:
            continue
        seen.add(row)
        for column, cell in enumerate(cells):
            try:
                read[row, column] = float(cell)
            except ValueError:
                words.add(cell)
    np.testing.assert_array_equal(read, simulated.measured.values)
    assert len(seen) == count - twice
    assert words
    assert words <= set(TEXTS)


def test_labels_read_back(tmp_path: Path) -> None:
    simulated = simulate_plant(Plant(days=60, seed=2))
    write_plant(tmp_path / "plant.csv", simulated)
    with (tmp_path / "plant.labels.csv").open(encoding="ascii", newline="") as file:
        labels = list(csv.DictReader(file))
    assert list(labels[0]) == ["start", "end", "kind", "channel"]
    read = [
        (label["kind"], label["channel"], parse_time(label["start"]), parse_time(label["end"]))
        for label in labels
    ]
    assert read == [
        (label.kind, label.channel, label.start_us, label.end_us) for label in simulated.labels
    ]
    assert len(read) > 50


def test_a_sound_plant_has_a_line_each_minute_and_no_labels(tmp_path: Path) -> None:
    lines = write_events(tmp_path)
    assert [line[0] for line in lines] == [stamp(minute) for minute in range(1_441)]
    assert all(cell[-2] == "." for _, cell, _ in lines)
    assert all(cell[-3] == "." for _, _, cell in lines)
    assert (tmp_path / "plant.labels.csv").read_text() == "start,end,kind,channel\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plant.csv", "plant.labels.csv"]


def test_rows_of_a_gap_are_absent(tmp_path: Path) -> None:
    stamps = [line[0] for line in write_events(tmp_path, Event("gap", 1_438, 2))]
    assert stamps == [stamp(minute) for minute in (*range(1_438), 1_440)]


@pytest.mark.parametrize(("size", "ratio"), [(0.0, 1.0), (-0.1, 0.9)])
def test_a_duplicate_is_a_stamp_that_stands_twice(
    tmp_path: Path, size: float, ratio: float
) -> None:
    lines = write_events(tmp_path, Event("duplicate", 600, 1, size=size))
    assert len(lines) == 1_442
    first, second = lines[600:602]
    assert first[0] == second[0] == stamp(600)
    assert float(second[1]) == pytest.approx(float(first[1]) * ratio, abs=0.06)
    assert first[2] == second[2]
    assert lines[602][0] == stamp(601)


def test_a_row_out_of_order_is_late(tmp_path: Path) -> None:
    lines = write_events(tmp_path, Event("disorder", 600, 4))
    expected = [*range(600), 601, 602, 603, 600, *range(604, 1_441)]
    assert [line[0] for line in lines] == [stamp(minute) for minute in expected]


@pytest.mark.parametrize(("channel", "column"), [("flow_rate", 1), ("pressure", 2)])
def test_a_text_stands_in_its_cell_alone(tmp_path: Path, channel: str, column: int) -> None:
    lines = write_events(tmp_path, Event("text", 600, len(TEXTS), channel))
    touched = lines[600 : 600 + len(TEXTS)]
    assert {line[column] for line in touched} == set(TEXTS)
    assert all(float(line[3 - column]) > 0 for line in touched)
    assert all(float(line[column]) > 0 for line in lines if line not in touched)


def test_what_was_there_is_replaced(tmp_path: Path) -> None:
    write_events(tmp_path, Event("gap", 600, 100))
    assert len(write_events(tmp_path)) == 1_441
    assert name_labels(tmp_path / "plant.csv").read_text() == "start,end,kind,channel\n"


def order_naively(events: tuple[Event, ...], rows: int) -> tuple[list[int], dict[int, float]]:
    """Lines by moving one at a time."""
    lines = [(row, 0.0, False) for row in range(rows)]
    for event in events:
        rows_here = range(rows)[event.span]
        at = lines.index((event.start_min, 0.0, False))
        if event.kind == "gap":
            lines = [line for line in lines if line[0] not in rows_here]
        elif event.kind == "duplicate":
            lines.insert(at + 1, (event.start_min, event.size, True))
        elif event.kind == "disorder":
            lines.insert(at + event.minutes - 1, lines.pop(at))
    seconds = {at: size for at, (_, size, is_second) in enumerate(lines) if is_second}
    return [row for row, _, _ in lines], seconds


@st.composite
def events_apart(draw: st.DrawFn) -> tuple[Event, ...]:
    events, start = [], 0
    for kind in draw(st.lists(st.sampled_from(["gap", "duplicate", "disorder", "leak"]))):
        start += draw(st.integers(0, 5))
        minutes = 1 if kind == "duplicate" else draw(st.integers(2, 6))
        events.append(Event(kind, start, minutes, size=draw(st.sampled_from([0.0, 0.1]))))
        start += minutes
    return tuple(events)


@given(events=events_apart(), more=st.integers(0, 5))
def test_lines_are_ordered_as_one_would_by_hand(events: tuple[Event, ...], more: int) -> None:
    rows = max((event.span.stop for event in events), default=1) + more
    lines, seconds = order_lines(events, rows)
    expected, expected_seconds = order_naively(events, rows)
    assert lines.tolist() == expected
    assert seconds == expected_seconds


def test_a_busy_year_has_every_flaw_of_a_log(tmp_path: Path) -> None:
    simulated = simulate_plant(Plant(days=20, rates=Rates(disorders=200, texts=200)))
    write_plant(tmp_path / "plant.csv", simulated)
    stamps = [parse_time(line[0]) for line in read_lines(tmp_path / "plant.csv")]
    steps = np.diff(np.array(stamps)) // STEP_US
    kinds = [label.kind for label in simulated.labels]
    assert (steps == 0).sum() == kinds.count("duplicate")
    assert (steps < 0).sum() == kinds.count("disorder")
    assert (np.diff(np.unique(stamps)) > STEP_US).sum() <= kinds.count("gap")
