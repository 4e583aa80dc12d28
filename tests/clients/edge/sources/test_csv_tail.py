import csv
import random
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from live import pairs, running

from wearcast.clients.edge.readings import Batch, Reading
from wearcast.clients.edge.sources.csv_tail import CsvSettings, CsvSource
from wearcast.signals.clock import parse_time
from wearcast.signals.errors import InputError

CHANNELS = ("flow_rate", "pressure")
HEADER = "time,flow_rate,pressure\n"
START = datetime(2024, 5, 1, 9, 0, tzinfo=UTC)


def make_source(path: Path, **settings: object) -> CsvSource:
    return CsvSource(CsvSettings(type="csv", path=path, **settings), CHANNELS, lambda: 0)


def make_row(minute: int) -> str:
    moment = START + timedelta(minutes=minute)
    return f"{moment:%Y-%m-%d %H:%M},{40 + minute / 10},{5 + minute / 100}\n"


def make_pairs(minutes: range) -> list[tuple[str, float]]:
    return [
        pair
        for minute in minutes
        for pair in (("flow_rate", 40 + minute / 10), ("pressure", 5 + minute / 100))
    ]


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def read_all(path: Path, position: object = None, **settings: object) -> list[Batch]:
    """What is read up to the end of the file."""
    batches: list[Batch] = []
    source = make_source(path, follow=False, **settings)
    source.run(position, batches.append, threading.Event())
    assert source.ended
    assert source.caught_up
    return batches


def readings_of(batches: list[Batch]) -> list[Reading]:
    return [reading for batch in batches for reading in batch.readings]


def test_a_file_is_read_from_its_start_and_followed(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + make_row(0))
    with running(make_source(path)) as run:
        readings = run.take(2)
        assert pairs(readings) == make_pairs(range(1))
        assert readings[0].time_us == parse_time("2024-05-01T09:00Z")
        run.wait_for(lambda source: source.caught_up)
        append(path, make_row(1))
        assert pairs(run.take(2)) == make_pairs(range(1, 2))


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path: Path):
    path = tmp_path / "plant.csv"
    with running(make_source(path)) as run:
        run.wait_for(
            lambda source: source.problem == f"path: expected a file, got nothing at {path}"
        )
        assert not run.source.caught_up
        path.write_text(HEADER + make_row(0))
        assert pairs(run.take(2)) == make_pairs(range(1))
        run.wait_for(lambda source: not source.problem and source.caught_up)


def test_half_a_line_waits_for_its_end(tmp_path: Path):
    path = tmp_path / "plant.csv"
    row = make_row(1)
    path.write_text(HEADER + make_row(0) + row[:20])
    with running(make_source(path)) as run:
        assert len(run.take(2)) == 2
        run.wait_for(lambda source: source.caught_up)
        append(path, row[20:])
        assert pairs(run.take(2)) == make_pairs(range(1, 2))


def test_reading_goes_on_behind_the_position(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + "".join(map(make_row, range(3))))
    position = read_all(path)[-1].position
    assert read_all(path, position) == []
    append(path, make_row(3))
    assert pairs(readings_of(read_all(path, position))) == make_pairs(range(3, 4))


@pytest.mark.parametrize("seed", range(5))
def test_wherever_it_is_stopped_every_row_comes_once(tmp_path: Path, seed: int):
    generator = random.Random(seed)
    path = tmp_path / "plant.csv"
    text = HEADER + "".join(map(make_row, range(200)))
    path.write_text("")
    found, position, written = [], None, 0
    while written < len(text):
        step = generator.randrange(1, 2000)
        append(path, text[written : written + step])
        written += step
        with running(make_source(path), position) as run:
            run.wait_for(lambda source: source.caught_up or bool(source.problem))
            while not run.batches.empty():
                batch = run.batches.get()
                found += batch.readings
                position = batch.position
    assert pairs(found) == make_pairs(range(200))


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(tmp_path: Path):
    path, old = tmp_path / "plant.csv", tmp_path / "plant.csv.1"
    path.write_text(HEADER + make_row(0))
    with running(make_source(path)) as run:
        run.take(2)
        path.rename(old)
        append(old, make_row(1) + make_row(2).rstrip("\n"))
        path.write_text(HEADER + make_row(3))
        assert pairs(run.take(6)) == make_pairs(range(1, 4))
        append(path, make_row(4))
        assert pairs(run.take(2)) == make_pairs(range(4, 5))


def test_a_file_that_was_renamed_while_nobody_read_is_found(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + make_row(0))
    position = read_all(path)[-1].position
    append(path, make_row(1))
    path.rename(tmp_path / "plant.csv.1")
    path.write_text(HEADER + make_row(2))
    with running(make_source(path), position) as run:
        assert pairs(run.take(4)) == make_pairs(range(1, 3))


def test_a_cut_file_is_read_from_its_start(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + "".join(map(make_row, range(5))))
    with running(make_source(path)) as run:
        run.take(10)
        run.wait_for(lambda source: source.caught_up)
        path.write_text(HEADER + make_row(5))
        assert pairs(run.take(2)) == make_pairs(range(5, 6))


def test_a_file_cut_and_grown_beyond_the_old_end_is_read_from_its_start(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + make_row(0))
    position = read_all(path)[-1].position
    path.write_text(HEADER + "".join(map(make_row, range(1, 9))))
    assert pairs(readings_of(read_all(path, position))) == make_pairs(range(1, 9))


def test_a_longer_copy_of_the_file_is_read_on(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + make_row(0))
    with running(make_source(path)) as run:
        run.take(2)
        copy = tmp_path / "copy"
        copy.write_text(HEADER + make_row(0) + make_row(1))
        copy.replace(path)
        assert pairs(run.take(2)) == make_pairs(range(1, 2))


def test_what_is_no_number_is_garbled_and_an_empty_cell_is_missing(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + "2024-05-01T09:00Z,ERR,\n2024-05-01T09:01Z,1_0,inf\n")
    found = [(reading.value, reading.quality) for reading in readings_of(read_all(path))]
    assert found == [(None, ("GARBLED",)), (None, ()), (None, ("GARBLED",)), (None, ("GARBLED",))]


@pytest.mark.parametrize("row", ["2024-05-01T09:00Z,4", "2024-05-01T09:00Z,4,5,6"])
def test_a_row_of_another_width_is_garbled(tmp_path: Path, row: str):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + row + "\n")
    found = readings_of(read_all(path))
    assert pairs(found) == [("flow_rate", None), ("pressure", None)]
    assert {reading.quality for reading in found} == {("GARBLED",)}


def test_a_row_without_a_time_is_skipped_and_told(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + make_row(0) + "soon,1,2\n\n\0\0\0\n" + make_row(1))
    with running(make_source(path)) as run:
        assert pairs(run.take(4)) == make_pairs(range(2))
        assert run.source.problem == (
            r"time: expected a time, got '\x00\x00\x00' (2 skipped so far)"
        )
        append(path, make_row(2))
        run.take(2)
        run.wait_for(lambda source: not source.problem)


def test_an_open_quote_does_not_swallow_the_next_row(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + '2024-05-01 09:00,"1,2\n' + make_row(1))
    found = readings_of(read_all(path))
    assert pairs(found) == [("flow_rate", None), ("pressure", None), *make_pairs(range(1, 2))]


def test_columns_are_mapped_in_the_files_own_letters(tmp_path: Path):
    path = tmp_path / "plant.csv"
    text = "측정일시;유량;비고\r\n2024-05-01 오후 6:00;40,5;정상\r\n"
    path.write_bytes(text.encode("cp949"))
    batches = read_all(
        path,
        encoding="cp949",
        delimiter=";",
        decimal=",",
        time="측정일시",
        columns={"유량": "flow_rate"},
        time_zone="Asia/Seoul",
    )
    assert readings_of(batches) == [Reading(parse_time("2024-05-01T09:00Z"), "flow_rate", 40.5)]


def test_a_broken_letter_does_not_join_two_rows(tmp_path: Path):
    path = tmp_path / "plant.csv"
    row = make_row(0).encode().replace(b"40.0", b"4\xb0")
    path.write_bytes(HEADER.encode() + row.replace(b",5.0\n", b",\xb0\n") + make_row(1).encode())
    found = readings_of(read_all(path, encoding="cp949"))
    assert pairs(found) == [("flow_rate", None), ("pressure", None), *make_pairs(range(1, 2))]


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + make_row(0), encoding="utf-8-sig")
    assert pairs(readings_of(read_all(path))) == make_pairs(range(1))


def test_quoted_cells_are_read(tmp_path: Path):
    path = tmp_path / "plant.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([["time", "a, b", "flow_rate"], ["2024-05-01 09:00", "1,2", "40"]])
    assert pairs(readings_of(read_all(path))) == [("flow_rate", 40.0)]


def test_a_header_without_the_columns_is_told_until_the_file_is_mended(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text("time,level\n" + make_row(0))
    with running(make_source(path)) as run:
        run.wait_for(
            lambda source: (
                source.problem
                == "columns: expected flow_rate, pressure in the header, got time, level"
            )
        )
        path.write_text(HEADER + make_row(0))
        assert pairs(run.take(2)) == make_pairs(range(1))


def test_one_mapped_column_that_lacks_is_told_and_the_others_are_read(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text("time,F\n" + make_row(0).replace(",5.0", ""))
    columns = {"F": "flow_rate", "P": "pressure"}
    with running(make_source(path, columns=columns)) as run:
        assert pairs(run.take(1)) == [("flow_rate", 40.0)]
        run.wait_for(lambda source: source.caught_up)
        assert run.source.problem == "columns: expected P in the header, got time, F"


def test_an_endless_line_is_skipped(tmp_path: Path):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + "x" * 400_000 + "\n" + make_row(0))
    assert pairs(readings_of(read_all(path))) == make_pairs(range(1))


def test_the_hour_that_is_shown_twice_is_read_as_two(tmp_path: Path):
    path = tmp_path / "plant.csv"
    rows = ["2024-10-27 02:00,1,1\n", "2024-10-27 02:30,1,1\n", "2024-10-27 02:00,2,2\n"]
    path.write_text(HEADER + "".join(rows))
    batches = read_all(path, time_zone="Europe/Berlin", columns={"flow_rate": "flow_rate"})
    times = [reading.time_us for reading in readings_of(batches)]
    assert times == [parse_time(f"2024-10-27T{clock}Z") for clock in ("00:00", "00:30", "01:00")]
    append(path, "2024-10-27 02:30,2,2\n")
    again = read_all(path, batches[-1].position, time_zone="Europe/Berlin")
    assert readings_of(again)[0].time_us == parse_time("2024-10-27T01:30Z")


def test_what_is_no_channel_is_refused(tmp_path: Path):
    with pytest.raises(InputError) as caught:
        make_source(tmp_path / "plant.csv", columns={"F": "flow"})
    assert str(caught.value) == (
        "sources.csv.columns: expected channels among flow_rate, pressure, got 'flow'"
    )
