"""An edge store keeps what it was given, once."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from edge_stores import COLUMNS, DAY_US, START_US, make_row, opened
from parcels import forecasts_parcel, rows_parcel

from wearcast.clients.edge.readings import Reading
from wearcast.clients.edge.store.edge_store import EdgeStore
from wearcast.clients.edge.store.opening import reopen_store
from wearcast.clients.edge.store.outbox import Outbox, RefusedParcel
from wearcast.signals.alerts import Alert, AlertKind
from wearcast.signals.errors import InputError
from wearcast.signals.plant_table import Columns

FOREVER_US = 2**60
FORECAST = forecasts_parcel().forecasts[0]


class Mark(msgspec.Struct, frozen=True):
    number: int
    names: tuple[str, ...]


@pytest.fixture
def store(tmp_path: Path):
    with opened(tmp_path / "edge.sqlite") as made:
        yield made


def make_alert(number: int, time_us: int) -> Alert:
    return Alert(
        f"plant/{number}", "plant", AlertKind.RAISED, time_us, "actual", "flow_rate", "m3/h",
        3, 0, 41.5,
    )  # fmt: skip


def test_a_value_comes_back_as_its_type(store: EdgeStore) -> None:
    assert store.get("mark", Mark) is None
    for mark in (Mark(1, ("a",)), Mark(2, ("b", "c"))):
        store.put("mark", mark)
        assert store.get("mark", Mark) == mark


def test_a_transaction_that_fails_leaves_nothing(store: EdgeStore) -> None:
    def write() -> None:
        with store.transaction():
            store.put("mark", 1)
            store.table.write([make_row(0)])
            store.send_later(rows_parcel(0))
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert store.get("mark", int) is None
    assert store.table.read(0, FOREVER_US) == []
    assert store.outbox.count() == (0, 0)
    with store.transaction():
        store.put("mark", 2)
    assert store.get("mark", int) == 2


def test_readings_wait_once_each_by_time_and_channel(store: EdgeStore) -> None:
    first = Reading(20, "pressure", 4.25)
    second = Reading(20, "flow_rate", None, ("GARBLED",))
    third = Reading(10, "pressure", 4.0)
    assert store.add_readings([first, second, third]) == []
    assert store.add_readings([third, first, second]) == []
    assert store.pending(0, 100) == [third, second, first]
    assert store.pending(10, 20) == [third]
    assert store.oldest_pending_us() == 10
    assert store.drop_pending(20) == 1
    assert store.pending(0, 100) == [second, first]
    store.drop_pending(21)
    assert store.oldest_pending_us() is None


def test_readings_without_a_place_are_given_back(store: EdgeStore) -> None:
    store.add_readings([Reading(20, "flow_rate", 1.0)])
    other, early, good = (
        Reading(20, "flow_rate", 2.0),
        Reading(9, "flow_rate", 1.0),
        Reading(30, "flow_rate", 3.0),
    )
    assert store.add_readings([other, early, good], not_before_us=10) == [early, other]
    assert store.pending(0, 100) == [Reading(20, "flow_rate", 1.0), good]


def test_spare_readings_are_all_kept(store: EdgeStore) -> None:
    reading = Reading(20, "flow_rate", 2.0, ("GARBLED",))
    store.keep_spare(reading, 50)
    store.keep_spare(reading, 60)
    assert store.count_spare() == 2
    assert store.spare(0, 100) == [reading, reading]


def test_forecasts_come_back_by_their_windows_end(store: EdgeStore) -> None:
    end_us = FORECAST.window_end_us
    store.add_forecast(FORECAST)
    store.add_forecast(FORECAST)
    assert store.forecasts(end_us, end_us + 1) == [FORECAST]
    assert store.forecasts(end_us - 1, end_us) == []


def test_the_newest_word_on_a_time_counts(store: EdgeStore) -> None:
    store.add_next_day("flow_rate", 0, 100, 1.0)
    store.add_next_day("pressure", 0, 100, 4.0)
    store.add_next_day("flow_rate", 50, 150, 2.0)
    said = {time: store.next_day(time) for time in (-1, 0, 49, 50, 99, 100, 149, 150)}
    assert said == {
        -1: {},
        0: {"flow_rate": 1.0, "pressure": 4.0},
        49: {"flow_rate": 1.0, "pressure": 4.0},
        50: {"flow_rate": 2.0, "pressure": 4.0},
        99: {"flow_rate": 2.0, "pressure": 4.0},
        100: {"flow_rate": 2.0},
        149: {"flow_rate": 2.0},
        150: {},
    }


def test_alerts_are_kept_once_by_their_id(store: EdgeStore) -> None:
    alerts = [make_alert(1, 20), make_alert(2, 10), make_alert(3, 20)]
    store.add_alerts(alerts)
    store.add_alerts([make_alert(1, 30), make_alert(4, 30)])
    assert [alert.id[-1] for alert in store.alerts(0, 100)] == ["2", "1", "3", "4"]
    assert store.alerts(10, 20) == [alerts[1]]


def test_parcels_leave_in_order_and_only_when_sent(store: EdgeStore) -> None:
    parcels = [rows_parcel(0), forecasts_parcel(), rows_parcel(1)]
    for parcel in [*parcels, *parcels]:
        store.send_later(parcel)
    with closing(Outbox(store.path)) as outbox:
        number, parcel = outbox.oldest_parcel()
        assert (parcel, outbox.oldest_parcel()) == (parcels[0], (number, parcel))
        behind, parcel = outbox.oldest_parcel(number)
        assert parcel == parcels[1]
        outbox.refuse(behind, "asset: expected plant")
        outbox.sent(number)
        last, parcel = outbox.oldest_parcel()
        assert parcel == parcels[2]
        outbox.sent(last)
        assert outbox.oldest_parcel() is None
    assert store.outbox.count() == (0, 1)
    expected = RefusedParcel(behind, parcels[1].key, "asset: expected plant")
    assert store.outbox.refused() == [expected]


def test_commands_of_another_process_are_taken_once(store: EdgeStore) -> None:
    with closing(reopen_store(store.path)) as other:
        other.ask({"do": "acknowledge", "tag": ["actual", "flow_rate"]})
        other.ask({"do": "shelve", "until_us": 5})

    def take() -> None:
        with store.transaction():
            assert len(store.take_commands()) == 2
            raise KeyError

    with pytest.raises(KeyError):
        take()
    assert [command["do"] for command in store.take_commands()] == ["acknowledge", "shelve"]
    assert store.take_commands() == []


@pytest.mark.parametrize("kind", ["sqlite", "csv"])
def test_history_is_purged_and_unsent_parcels_are_not(tmp_path: Path, kind: str) -> None:
    with opened(tmp_path / "edge.sqlite", kind) as store:
        fill(store, 2000)
        before = store.size_bytes()
        border_us = START_US + DAY_US
        assert store.purge(border_us) == 1440 * 4 + 2
        store.maintain()
        assert [row.time_us for row in store.table.read(0, FOREVER_US)] == [
            make_row(number).time_us for number in range(1440, 2000)
        ]
        assert len(store.alerts(0, FOREVER_US)) == 560
        assert store.count_spare() == 560
        assert store.next_day(border_us) == {"flow_rate": 2.0}
        assert store.outbox.count() == (1, 0)
        assert store.get("mark", int) == 7
        assert store.size_bytes() < before / 2
        assert store.check() == ""


def fill(store: EdgeStore, count: int) -> None:
    """Rows, alerts, readings and spare readings of so many minutes, and one of all else."""
    rows = [make_row(number) for number in range(count)]
    with store.transaction():
        store.table.write(rows)
        store.add_alerts([make_alert(number, row.time_us) for number, row in enumerate(rows)])
        readings = [Reading(row.time_us, "flow_rate", 1.0) for row in rows]
        store.add_readings(readings)
        for reading in readings:
            store.keep_spare(reading, 0)
        store.add_next_day("flow_rate", START_US, START_US + DAY_US - 1, 1.0)
        store.add_next_day("flow_rate", START_US, START_US + DAY_US + 1, 2.0)
        store.add_forecast(FORECAST)
        store.send_later(rows_parcel(0))
        store.put("mark", 7)


def test_people_read_alerts_and_forecasts_with_select(store: EdgeStore) -> None:
    store.add_alerts([make_alert(1, START_US)])
    store.add_forecast(FORECAST)
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT * FROM alerts").fetchall() == [
            ("2024-05-01T00:00:00.000000Z", "RAISED", "actual", "flow_rate", "m3/h", 3, 0, 41.5,
             "", "", "plant/1"),
        ]  # fmt: skip
        points = "SELECT channel, horizon_s, quantile, value FROM forecasts"
        assert connection.execute(points).fetchall() == [
            (point.channel, point.horizon_s, quantile, value)
            for point in FORECAST.forecast.points
            for quantile, value in point.values
        ]


@pytest.mark.parametrize("kind", ["sqlite", "csv"])
def test_a_second_process_opens_a_store_as_it_was_made(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "edge.sqlite"
    with opened(path, kind) as store, closing(reopen_store(path)) as other:
        assert other.table.columns == COLUMNS
        store.table.write([make_row(0)])
        assert other.table.read(0, FOREVER_US) == [make_row(0)]


def test_what_is_no_store_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"store: expected an SQLite file of .*: no file"):
        reopen_store(tmp_path / "edge.sqlite")
    assert list(tmp_path.iterdir()) == []
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as connection:
        connection.execute("CREATE TABLE mine (number)")
    content = (tmp_path / "other.sqlite").read_bytes()
    for set_aside in (False, True):
        with (
            pytest.raises(InputError, match=r"other\.sqlite: another program's"),
            opened(tmp_path / "other.sqlite", set_aside=set_aside),
        ):
            pass
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [content]


def test_a_store_of_a_newer_format_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "edge.sqlite"
    with opened(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(InputError, match="of format 9, not 1: begin a new one"), opened(path):
        pass


def test_units_and_kinds_of_tables_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "edge.sqlite"
    with opened(path):
        pass
    litres = Columns((("flow_rate", "l/s"),))
    expected = r"channels.flow_rate.unit: expected m3/h, as in .*, got l/s: begin a new store"
    with pytest.raises(InputError, match=expected), opened(path, columns=litres):
        pass
    with pytest.raises(InputError, match=r"table: expected sqlite, as .*csv"), opened(path, "csv"):
        pass
