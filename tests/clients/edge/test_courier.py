"""The courier: each parcel arrives, whatever fails on the way, and its rows are stored once."""

import random
import resource
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from parcels import COLUMNS, rows_parcel
from receiver import receiving
from running import running_server
from waiting import LONG_S, wait_until

from wearcast.clients.edge.carriers import open_carrier
from wearcast.clients.edge.carriers.grpc_carrier import GrpcSettings
from wearcast.clients.edge.carriers.http_carrier import HttpSettings
from wearcast.clients.edge.courier import Courier
from wearcast.clients.edge.store.opening import open_store
from wearcast.clients.edge.store.outbox import Outbox
from wearcast.signals.parcel import Parcel


@pytest.fixture
def edge(tmp_path) -> Path:
    """An edge store with an empty outbox."""
    path = tmp_path / "edge.sqlite"
    open_store(path, COLUMNS).close()
    return path


def put(edge: Path, *parcels: Parcel) -> None:
    with closing(Outbox(edge)) as outbox:
        for parcel in parcels:
            outbox.send_later(parcel)


def count(edge: Path) -> tuple[int, int]:
    with closing(Outbox(edge)) as outbox:
        return outbox.count()


def central_rows(store: Path) -> tuple[int, int, int]:
    """Parcels, rows, and different times of rows in the central store."""
    query = "SELECT (SELECT count(*) FROM parcels), count(*), count(DISTINCT time) FROM plant_rows"
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute(query).fetchone()


def settings_of(where: str, timeout_s: float) -> GrpcSettings | HttpSettings:
    if where.startswith("http"):
        return HttpSettings(type="http", url=where, timeout_s=timeout_s)
    return GrpcSettings(type="grpc", address=where, timeout_s=timeout_s)


class Watched:
    """A carrier whose tries can be waited for."""

    def __init__(self, where: str, timeout_s: float = 30) -> None:
        self._carrier = open_carrier(settings_of(where, timeout_s))
        self._tries = threading.Semaphore(0)
        self.close = self._carrier.close

    def send(self, parcel: Parcel) -> None:
        self._tries.release()
        self._carrier.send(parcel)

    def wait_for_tries(self, number: int) -> None:
        for _ in range(number):
            assert self._tries.acquire(timeout=LONG_S)


@contextmanager
def courier_to(edge: Path, where: str):
    carrier = Watched(where)
    courier = Courier(edge, carrier, first_pause_s=0.01, longest_pause_s=0.1)
    courier.start()
    try:
        yield courier, carrier
    finally:
        assert courier.stop(LONG_S)


def test_all_that_waits_arrives_in_order_and_is_deleted(edge):
    put(edge, *(rows_parcel(number) for number in range(20)))
    with receiving() as receiver:
        with courier_to(edge, receiver.url) as (courier, _):
            assert courier.wait(LONG_S)
            assert courier.problem == ""
            put(edge, rows_parcel(20))
            courier.wake()
            assert courier.wait(LONG_S)
        keys = [receiver.next_post().headers["Idempotency-Key"] for _ in range(21)]
    assert keys == [f"plant/rows/{number}" for number in range(21)]
    assert count(edge) == (0, 0)


@pytest.mark.parametrize("answer", [503, 429, (429, {"Retry-After": "0"}), "cut", 302])
def test_what_fails_is_sent_again_under_the_same_key(edge, answer):
    put(edge, rows_parcel(0), rows_parcel(1))
    with receiving(answer, answer, answer) as receiver:
        with courier_to(edge, receiver.url) as (courier, _):
            assert courier.wait(LONG_S)
        posts = [receiver.next_post() for _ in range(5)]
        assert receiver.posts.empty()
    keys = [post.headers["Idempotency-Key"] for post in posts]
    assert keys == ["plant/rows/0"] * 4 + ["plant/rows/1"]
    assert len({post.body for post in posts[:4]}) == 1
    assert count(edge) == (0, 0)


def test_a_refused_parcel_is_parked_with_its_reason_and_the_next_goes_on(edge):
    put(edge, *(rows_parcel(number) for number in range(3)))
    with receiving(200, 400) as receiver:
        with courier_to(edge, receiver.url) as (courier, _):
            assert courier.wait(LONG_S)
        assert [receiver.next_post().headers["Idempotency-Key"][-1] for _ in range(3)] == [*"012"]
    assert count(edge) == (0, 1)
    with closing(Outbox(edge)) as outbox:
        (parked,) = outbox.refused()
    assert parked.key == "plant/rows/1"
    assert parked.reason.endswith("answered 400 Bad Request: the receiver's words")


def test_the_problem_is_told_until_it_is_over(edge):
    put(edge, rows_parcel(0))
    with receiving(*[503] * 1000) as receiver, courier_to(edge, receiver.url) as (courier, carrier):
        carrier.wait_for_tries(2)  # the second comes after the first was told
        assert "answered 503 Service Unavailable" in courier.problem
        assert not courier.wait(0)
        receiver.answers.clear()
        assert courier.wait(LONG_S)
        assert courier.problem == ""


def test_a_server_that_says_when_to_come_back_is_heeded(edge):
    put(edge, rows_parcel(0))
    with receiving((503, {"Retry-After": "9999"})) as receiver:
        with courier_to(edge, receiver.url) as (courier, _):
            receiver.next_post()
            # Its own pauses would be over many times by then.
            assert not courier.wait(0.5)
            courier.stop()  # and ends such a pause at once
        assert receiver.posts.empty()
    assert count(edge) == (1, 0)


def test_a_central_server_that_dies_again_and_again(edge, tiny_models, tmp_path, own_address):
    """Down half of the time, killed wherever it happens to be: every row exactly once."""
    store = tmp_path / "central.sqlite"
    flags = ("--store", str(store))
    chance = random.Random(5)
    parcels = iter([rows_parcel(number) for number in range(200)])
    with courier_to(edge, own_address) as (courier, carrier):
        for _ in range(4):
            put(edge, *(next(parcels) for _ in range(25)))
            courier.wake()
            with running_server(tiny_models, *flags, listen=own_address) as server:
                courier.wait(chance.uniform(0.01, 0.3))
                server.kill()
            put(edge, *(next(parcels) for _ in range(25)))
            carrier.wait_for_tries(3)
        with running_server(tiny_models, *flags, listen=own_address):
            assert courier.wait(LONG_S)
    assert count(edge) == (0, 0)
    assert central_rows(store) == (200, 2000, 2000)


COURIER = """
import sys
from pathlib import Path
from wearcast.clients.edge.carriers.grpc_carrier import GrpcCarrier, GrpcSettings
from wearcast.clients.edge.courier import Courier

carrier = GrpcCarrier(GrpcSettings(type="grpc", address=sys.argv[2]))
courier = Courier(Path(sys.argv[1]), carrier, first_pause_s=0.01)
courier.start()
print("started", flush=True)
assert courier.wait(240)
"""


def test_a_courier_that_dies_again_and_again(edge, tiny_models, tmp_path):
    store = tmp_path / "central.sqlite"
    chance = random.Random(6)
    put(edge, *(rows_parcel(number) for number in range(300)))
    with running_server(tiny_models, "--store", str(store)) as server:
        command = [sys.executable, "-c", COURIER, str(edge), server.address]
        for last in (False, False, False, True):
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert process.stdout.readline() == b"started\n"
            if not last:
                threading.Timer(chance.uniform(0.05, 0.3), process.kill).start()
            process.wait(LONG_S)
            process.stdout.close()
        assert process.returncode == 0
    assert count(edge) == (0, 0)
    assert central_rows(store) == (300, 3000, 3000)


def test_a_central_store_that_cannot_be_written_loses_nothing(edge, tiny_models, tmp_path):
    store = tmp_path / "central.sqlite"
    with running_server(tiny_models, "--store", str(store)) as server:
        _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        # No file of the server may grow: a full disk.
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, most))
        put(edge, rows_parcel(0))
        with courier_to(edge, server.address) as (courier, carrier):
            carrier.wait_for_tries(2)
            assert "store: " in courier.problem
            assert count(edge) == (1, 0)
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))
            assert courier.wait(LONG_S)
    assert central_rows(store) == (1, 10, 10)


def test_a_parcel_that_the_central_server_refuses_is_parked(edge, tiny_models, tmp_path):
    store = tmp_path / "central.sqlite"
    put(edge, replace(rows_parcel(0), asset="line\nbreak"), rows_parcel(1))
    with (
        running_server(tiny_models, "--store", str(store)) as server,
        courier_to(edge, server.address) as (courier, _),
    ):
        assert courier.wait(LONG_S)
    assert count(edge) == (0, 1)
    assert central_rows(store) == (1, 10, 10)


def test_stopping_does_not_wait_for_a_server_that_is_silent(edge):
    put(edge, rows_parcel(0))
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        carrier = Watched(f"127.0.0.1:{silent.getsockname()[1]}", timeout_s=600)
        courier = Courier(edge, carrier)
        courier.start()
        carrier.wait_for_tries(1)
        # It hangs up when its patience is over; the thread then may take a moment to notice.
        wait_until(lambda: courier.stop(patience_s=0.2))
    assert count(edge) == (1, 0)


def test_an_outbox_that_cannot_be_read_is_a_problem_and_no_end(tmp_path):
    edge = tmp_path / "edge.sqlite"
    edge.mkdir()
    with receiving() as receiver, courier_to(edge, receiver.url) as (courier, _):
        while not courier.problem:
            assert not courier.wait(0.01)
        assert str(edge) in courier.problem
        edge.rmdir()
        open_store(edge, COLUMNS).close()
        put(edge, rows_parcel(0))
        assert courier.wait(LONG_S)
        assert receiver.next_post().headers["Idempotency-Key"] == "plant/rows/0"
