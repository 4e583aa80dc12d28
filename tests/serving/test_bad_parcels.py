"""Parcels that are not what they should be are refused by name, and leave no trace."""

import math
from collections.abc import Callable

import pytest
from grpc import StatusCode
from ingesting import STORED, list_all, refused, send
from parcels import alerts_parcel, forecasts_parcel, rows_parcel
from running import running_server

from wearcast.clients.edge.carriers.messages import encode_parcel
from wearcast.signals.parcel import Parcel
from wearcast.v1 import ingest_pb2 as pb


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("central") / "central.sqlite"


@pytest.fixture(scope="module")
def address(tiny_models, store):
    with running_server(tiny_models, "--store", str(store)) as server:
        assert send(server.address, rows_parcel(7)) == STORED
        yield server.address
        assert server.terminate() == 0


def first_rows() -> Parcel:
    return rows_parcel(0)


def change(
    make: Callable[[], Parcel], edit: Callable[[pb.IngestRequest], None]
) -> pb.IngestRequest:
    request = encode_parcel(make())
    edit(request)
    return request


def name_a_channel_time(request: pb.IngestRequest) -> None:
    request.columns.channels.pop()
    request.columns.channels[0].name = "time"


BAD = {
    "key: expected 1 to 1000 printable characters, got 0 characters: ''": (
        first_rows, lambda it: it.ClearField("key"),
    ),
    "asset: expected 1 to 200 printable characters, got 3 characters: 'a\\nb'": (
        first_rows, lambda it: setattr(it, "asset", "a\nb"),
    ),
    "kind: expected one of ROWS, DAY, FORECASTS, ALERTS, got 0": (
        first_rows, lambda it: it.ClearField("kind"),
    ),
    "kind: expected one of ROWS, DAY, FORECASTS, ALERTS, got 9": (
        first_rows, lambda it: setattr(it, "kind", 9),
    ),
    "first: expected a time, got none": (first_rows, lambda it: it.ClearField("first")),
    "created: expected a time from 1970 to 9998, UTC, got -1 s and 0 ns after 1970": (
        first_rows, lambda it: setattr(it.created, "seconds", -1),
    ),
    "end: expected a time not before first, got 1970-01-01T00:00:00Z": (
        first_rows, lambda it: it.end.FromSeconds(0),
    ),
    "columns.channels: expected one channel or more, got none": (
        first_rows, lambda it: it.ClearField("columns"),
    ),
    "columns: expected names that are unique and not empty, got time, time, time_predict, "
    "flow_rate_actual_stage, all_multivariate_stage, quality": (
        first_rows,
        name_a_channel_time,
    ),
    "rows[2].readings: expected 2 (as in columns), got 1": (
        first_rows, lambda it: it.rows[2].readings.pop(),
    ),
    "rows[0].stages: expected 2 (as in columns), got 3": (
        first_rows, lambda it: it.rows[0].stages.append(1),
    ),
    "rows[9].stages: expected -2 to 4, got 5": (
        first_rows, lambda it: it.rows[9].stages.__setitem__(1, 5),
    ),
    "rows[1].readings: expected a finite number, got inf": (
        first_rows, lambda it: it.rows[1].readings.__setitem__(0, math.inf),
    ),
    "rows[1].time: expected a time, got none": (
        first_rows, lambda it: it.rows[1].ClearField("time"),
    ),
    "forecasts[1].model: expected a name, got none": (
        forecasts_parcel, lambda it: it.forecasts[1].ClearField("model"),
    ),
    "forecasts[0].estimate.answer: expected forecast, got outlier": (
        forecasts_parcel, lambda it: it.forecasts[0].estimate.outlier.SetInParent(),
    ),
    "forecasts[0].estimate.forecast.points.values.value: expected a finite number, got nan": (
        forecasts_parcel,
        lambda it: setattr(
            it.forecasts[0].estimate.forecast.points[0].values[0], "value", math.nan
        ),
    ),
    "alerts[1].asset: expected the parcel's, 'plant', got 'other'": (
        alerts_parcel, lambda it: setattr(it.alerts[1], "asset", "other"),
    ),
    "alerts[0].stage: expected NORMAL to SEVERE, got 1": (
        alerts_parcel, lambda it: setattr(it.alerts[0], "stage", 1),
    ),
    "alerts[0].value: expected a finite number, got nan": (
        alerts_parcel, lambda it: setattr(it.alerts[0], "value", math.nan),
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_bad_input(address, store, text):
    before = list_all(store)
    reason = (
        "TIME" if "expected a time, " in text or "expected a time from" in text else "BAD_INPUT"
    )
    got = refused(address, change(*BAD[text]))
    assert got == (StatusCode.INVALID_ARGUMENT, reason, text)
    assert list_all(store) == before
