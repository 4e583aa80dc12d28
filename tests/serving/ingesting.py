"""A client of IngestService made of the bare stubs, and a look into the server's store."""

import sqlite3
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode
from wire import TIMEOUT_S, failure

from wearcast.clients.edge.carriers.messages import encode_parcel
from wearcast.signals.parcel import Parcel
from wearcast.v1 import ingest_pb2 as pb
from wearcast.v1.ingest_pb2_grpc import IngestServiceStub

STORED, ALREADY_STORED = pb.INGEST_RESULT_STORED, pb.INGEST_RESULT_ALREADY_STORED
TABLES = ("parcels", "plant_rows", "plant_forecasts", "plant_alerts")


def send(address: str, parcel: Parcel | pb.IngestRequest) -> int:
    request = encode_parcel(parcel) if isinstance(parcel, Parcel) else parcel
    with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        return IngestServiceStub(channel).Ingest(request, timeout=TIMEOUT_S).result


def refused(address: str, request: pb.IngestRequest) -> tuple[StatusCode, str, str]:
    with pytest.raises(grpc.RpcError) as raised:
        send(address, request)
    got = failure(raised.value)
    return got.code, got.reason, got.text


def select(store: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute(query).fetchall()


def list_all(store: Path) -> list[list[tuple]]:
    return [select(store, f"SELECT * FROM {table}") for table in TABLES]


def has_tables(store: Path) -> bool:
    return bool(select(store, "SELECT name FROM sqlite_schema WHERE name = 'parcels'"))
