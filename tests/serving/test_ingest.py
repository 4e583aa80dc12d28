"""What edge services send is kept once, whole or not at all, and safe before it is acknowledged."""

import json
import random
import resource
from contextlib import suppress
from pathlib import Path
from threading import Timer

import grpc
import pytest
from grpc import StatusCode
from ingesting import ALREADY_STORED, STORED, has_tables, list_all, refused, select, send
from msgspec.structs import replace
from parcels import MINUTE_US, START_US, alerts_parcel, forecasts_parcel, row, rows_parcel
from running import running_server

from wearcast.clients.edge.carriers.messages import encode_parcel
from wearcast.serving.store import Store
from wearcast.signals.clock import format_time
from wearcast.signals.plant_table import Columns, PlantRow


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("central") / "central.sqlite"


@pytest.fixture(scope="module")
def address(tiny_models, store):
    """A server with a store for all tests of this file; use an asset name of your own."""
    with running_server(tiny_models, "--store", str(store)) as server:
        yield server.address
        assert server.terminate() == 0


def test_rows_can_be_read_by_name(address, store):
    assert send(address, rows_parcel(0, "rows")) == STORED
    texts = select(store, "SELECT time, row FROM plant_rows WHERE asset = 'rows' ORDER BY time")
    assert [time for time, _ in texts] == [
        format_time(START_US + minute * MINUTE_US) for minute in range(10)
    ]
    assert json.loads(texts[3][1]) == {
        "flow_rate": 43.0,
        "pressure": None,
        "flow_rate_predict": None,
        "pressure_predict": 5.0,
        "flow_rate_actual_stage": 3,
        "all_multivariate_stage": None,
        "quality": ["MISSING"],
    }
    values = select(
        store,
        "SELECT name, value FROM plant_values WHERE asset = 'rows'"
        " AND time = '2024-05-01T00:02:00.000000Z' ORDER BY name",
    )
    assert values == [
        ("all_multivariate_stage", -1),
        ("flow_rate", 42.0),
        ("flow_rate_actual_stage", 2),
        ("flow_rate_predict", None),
        ("pressure", 5.25),
        ("pressure_predict", 5.0),
    ]
    ((*parcel, received),) = select(
        store,
        "SELECT kind, first_time, end_time, created, expected, complete, received FROM parcels"
        " WHERE key = 'rows/rows/0'",
    )
    assert parcel == [
        "ROWS",
        "2024-05-01T00:00:00.000000Z",
        "2024-05-01T00:10:00.000000Z",
        "2024-05-01T00:11:00.000000Z",
        10,
        0,
    ]
    assert received > "2024"


def test_the_same_key_again_changes_nothing(address, store):
    parcel = rows_parcel(0, "again")
    assert send(address, parcel) == STORED
    changed = replace(parcel, rows=tuple(row(minute) for minute in range(500, 510)))
    before = list_all(store)
    assert send(address, changed) == ALREADY_STORED
    assert list_all(store) == before


def test_a_row_that_has_changed_replaces_the_one_of_its_time(address, store):
    assert send(address, rows_parcel(0, "amended")) == STORED
    late = replace(row(4), readings=(-1.5, None))
    parcel = rows_parcel(1, "amended")
    assert send(address, replace(parcel, rows=(*parcel.rows, late))) == STORED
    values = select(
        store,
        "SELECT time, value FROM plant_values WHERE asset = 'amended' AND name = 'flow_rate'",
    )
    assert len(values) == 20
    assert dict(values)["2024-05-01T00:04:00.000000Z"] == -1.5


def test_columns_may_change_from_parcel_to_parcel(address, store):
    assert send(address, rows_parcel(0, "columns")) == STORED
    more = Columns((("level", "m"),))
    rows = (PlantRow(START_US - MINUTE_US, (2.5,), (None,), ()),)
    parcel = replace(rows_parcel(0, "columns"), key="columns/more", columns=more, rows=rows)
    assert send(address, parcel) == STORED
    query = "SELECT value FROM plant_values WHERE asset = 'columns' AND name = "
    assert select(store, f"{query}'level'") == [(2.5,)]
    assert len(select(store, f"{query}'flow_rate'")) == 10


def test_forecasts_and_alerts_have_their_tables(address, store):
    assert send(address, forecasts_parcel("both")) == STORED
    assert send(address, alerts_parcel("both")) == STORED
    first, second = "2024-05-01T00:00:00.000000Z", "2024-05-01T01:00:00.000000Z"
    assert select(store, "SELECT * FROM plant_forecast_values ORDER BY window_end, channel") == [
        ("both", "flow", end, channel, unit, 3600.0, quantile, value)
        for end in (first, second)
        for channel, unit, quantile, value in [
            ("flow_rate", "m3/h", 0.1, 38.5),
            ("flow_rate", "m3/h", 0.5, 40.0),
            ("pressure", "bar", 0.5, 5.5),
        ]
    ]
    after = "2024-05-01T00:00:00.000001Z"
    assert select(store, "SELECT * FROM plant_alerts ORDER BY id") == [
        ("both/1", "both", "RAISED", first, "actual", "flow_rate", "m3/h", 3, 0, 71.5, "",
         "flow-outlier", ""),
        ("both/2", "both", "DE_ESCALATED", after, "system", "", "", 1, 4, None, "MISSING",
         "flow-outlier", "MISSING GARBLED"),
    ]  # fmt: skip
    # The same alerts under another key are no new ones.
    assert send(address, replace(alerts_parcel("both"), key="both/alerts/1")) == STORED
    assert len(select(store, "SELECT * FROM plant_alerts")) == 2


def test_a_parcel_over_the_limit_is_refused(tiny_models, tmp_path):
    flags = ("--store", str(tmp_path / "central.sqlite"), "--max-message-bytes", "65536")
    day = tuple(row(minute) for minute in range(1440))
    with running_server(tiny_models, *flags) as server:
        got = refused(server.address, encode_parcel(replace(rows_parcel(0), rows=day)))
        assert got[:2] == (StatusCode.RESOURCE_EXHAUSTED, "OVERSIZED")
        assert send(server.address, rows_parcel(0)) == STORED


def test_without_a_file_nothing_is_acknowledged(tiny_server):
    got = refused(tiny_server.address, encode_parcel(rows_parcel(0)))
    text = "store: expected a file to keep parcels in (--store), got none"
    assert got == (StatusCode.FAILED_PRECONDITION, "NO_STORE", text)


def test_a_store_of_before_gets_the_tables(tiny_models, tmp_path):
    path = tmp_path / "old.sqlite"
    Store(path).close()
    assert not has_tables(path)
    with running_server(tiny_models, "--store", str(path)) as server:
        assert send(server.address, rows_parcel(0)) == STORED
    assert len(select(path, "SELECT * FROM plant_rows")) == 10


def test_a_store_that_cannot_be_written_acknowledges_nothing(tiny_models, tmp_path):
    path = tmp_path / "central.sqlite"
    with running_server(tiny_models, "--store", str(path)) as server:
        assert send(server.address, rows_parcel(0)) == STORED
        # No file of the server may grow: a full disk.
        _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, most))
        code, reason, _ = refused(server.address, encode_parcel(rows_parcel(1)))
        assert (code, reason) == (StatusCode.UNAVAILABLE, "STORE")
        assert len(select(path, "SELECT * FROM plant_rows")) == 10
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))
        assert send(server.address, rows_parcel(1)) == STORED
    assert len(select(path, "SELECT * FROM plant_rows")) == 20


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill_9_anywhere_leaves_each_parcel_whole(tiny_models, tmp_path, seed):
    path = tmp_path / "central.sqlite"
    chance = random.Random(seed)
    acknowledged = 0
    for last in (False, False, False, True):
        with running_server(tiny_models, "--store", str(path)) as server:
            if not last:
                # Somewhere in the middle of the work, wherever that happens to be.
                Timer(chance.uniform(0.01, 0.1), server.process.kill).start()
            with suppress(grpc.RpcError):
                while acknowledged < 400:
                    send(server.address, rows_parcel(acknowledged))
                    acknowledged += 1
            server.kill()
        # What was acknowledged is there, and of what was not all or nothing.
        if acknowledged:
            (count,) = select(path, "SELECT count(*) FROM parcels")[0]
            assert count in {acknowledged, acknowledged + 1}
            assert select(path, "SELECT count(*) FROM plant_rows") == [(10 * count,)]
    assert acknowledged == 400
