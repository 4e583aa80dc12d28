"""Estimates in SQLite come back as they went in."""

import asyncio
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import naive_estimates
from tiny import wearing_block

from wearcast.serving.store import KEPT_IN_MEMORY, SeriesKey, Store
from wearcast.signals.clock import format_time
from wearcast.signals.errors import InputError, StoreError
from wearcast.signals.estimate import (
    Band,
    Crossing,
    CrossingState,
    DetectorStage,
    Estimate,
    FaultDiagnosis,
    Forecast,
    ForecastPoint,
    LifeLine,
    Outlier,
    Quality,
    RemainingLife,
)

KEY = SeriesKey("pump", "tiny", 1)
ESTIMATES = naive_estimates(wearing_block(number, 41.3) for number in range(50))

FORECAST = Estimate(
    7,
    60_000_000,
    (Quality.MISSING,),
    Forecast(
        (
            ForecastPoint("flow", "m3/h", 3600.0, ((0.1, 1.5), (0.5, 2.0), (0.9, 2.5))),
            ForecastPoint("pressure", "bar", 3600.0, ((0.5, 4.0),)),
        )
    ),
    "forecast",
)
OUTLIER = Estimate(
    7,
    60_000_000,
    (),
    Outlier(
        (
            DetectorStage("actual", "flow", "m3/h", 2, 96.5, 2.5),
            DetectorStage("night", "pressure", "bar", None, None, None),
            DetectorStage("system", "pressure", "bar", 4, 100.0, None, "MISSING"),
        )
    ),
    "outlier",
)

FAULT = Estimate(
    7,
    60_000_000,
    (Quality.CLIPPED,),
    FaultDiagnosis((("normal", 0.25), ("looseness", 0.75)), 0.5, "looseness", unknown=False),
    "fault",
)

number = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | number
lines = st.builds(
    LifeLine,
    points=st.integers(0, 100),
    value=maybe,
    slope_per_s=maybe,
    crossings=st.lists(
        st.builds(Crossing, level=number, state=st.sampled_from(CrossingState), remaining_s=maybe),
        max_size=3,
    ).map(tuple),
)
estimates = st.builds(
    Estimate,
    sequence=st.integers(0, 2**63 - 1),
    window_end_us=st.integers(0, 250_000_000_000_000_000),
    quality=st.lists(st.sampled_from(Quality), max_size=4).map(tuple),
    answer=st.builds(
        RemainingLife,
        life_fraction=number,
        age_s=number,
        rul_s=number,
        rul_low_s=number,
        rul_high_s=number,
        interval_probability=number,
        failure_probabilities=st.lists(st.tuples(number, number), max_size=3).map(tuple),
        line=lines,
        band=st.sampled_from(Band),
        alarm=st.booleans(),
    ),
)


async def everything(store: Store, key: SeriesKey = KEY, sequence: int = -1) -> list[Estimate]:
    return [item async for page in store.after(key, sequence) for item in page]


def rows(path: Path, table: str = "estimates") -> list[tuple]:
    connection = sqlite3.connect(path)
    found = connection.execute(f"SELECT * FROM {table} ORDER BY asset, sequence").fetchall()
    connection.close()
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(estimates, max_size=6, unique_by=lambda item: item.sequence))
def test_every_estimate_comes_back_exactly(tmp_path_factory, given_estimates):
    path = tmp_path_factory.mktemp("store") / "estimates.sqlite"

    async def write():
        store = Store(path)
        await store.save(KEY, given_estimates)
        store.close()

    async def read():
        store = Store(path)
        found = await everything(store)
        store.close()
        return found

    asyncio.run(write())
    assert asyncio.run(read()) == sorted(given_estimates, key=lambda item: item.sequence)


@pytest.mark.parametrize("in_memory", [True, False])
def test_reading(tmp_path, in_memory):
    async def work():
        store = Store(None if in_memory else tmp_path / "estimates.sqlite")
        await store.save(KEY, ESTIMATES)
        await store.save(KEY._replace(asset="other"), ESTIMATES[:3])
        await store.save(KEY._replace(version=2), ESTIMATES[:2])
        assert await store.last(KEY, 5) == ESTIMATES[-5:]
        assert await store.last(KEY, 500) == ESTIMATES
        assert await everything(store, sequence=40) == ESTIMATES[-9:]
        assert await everything(store, KEY._replace(asset="other")) == ESTIMATES[:3]
        assert await store.last(KEY._replace(model="gone"), 5) == []
        store.close()

    asyncio.run(work())


@pytest.mark.parametrize("in_memory", [True, False])
def test_memory_holds_the_newest_of_each_series(tmp_path, in_memory):
    many = [replace(ESTIMATES[-1], sequence=n) for n in range(KEPT_IN_MEMORY)]
    # A gap in the numbers loses nothing: so many estimates are kept, not so many numbers.
    later = [replace(ESTIMATES[-1], sequence=10**9 + n) for n in range(250)]

    async def work():
        store = Store(None if in_memory else tmp_path / "estimates.sqlite")
        other = KEY._replace(asset="other")
        await store.save(other, ESTIMATES)
        await store.save(KEY, many)
        for estimate in later:
            await store.save(KEY, [estimate])
        kept, whole = await everything(store), [*many, *later]
        assert kept == (whole[-len(kept) :] if in_memory else whole)
        assert not in_memory or KEPT_IN_MEMORY <= len(kept) < KEPT_IN_MEMORY + 100
        assert await everything(store, other) == ESTIMATES
        store.close()

    asyncio.run(work())


def test_saved_twice_is_there_once(tmp_path):
    path = tmp_path / "estimates.sqlite"

    async def work():
        store = Store(path)
        await asyncio.gather(*(store.save(KEY, ESTIMATES[n : n + 10]) for n in range(0, 40, 3)))
        await store.save(KEY, ESTIMATES)
        assert await everything(store) == ESTIMATES
        store.close()

    asyncio.run(work())
    assert len(rows(path)) == len(ESTIMATES)


def test_the_view_of_remaining_life_says_what_the_estimate_says(tmp_path):
    path = tmp_path / "estimates.sqlite"

    async def work():
        store = Store(path)
        await store.save(KEY, ESTIMATES)
        store.close()

    asyncio.run(work())
    for row, estimate in zip(rows(path, "remaining_life"), ESTIMATES, strict=True):
        life = estimate.remaining_life
        assert row[:5] == (*KEY, estimate.sequence, format_time(estimate.window_end_us))
        assert row[5:12] == (
            life.life_fraction,
            life.age_s,
            life.rul_s,
            life.rul_low_s,
            life.rul_high_s,
            life.band,
            life.alarm,
        )
    assert rows(path)[0][4] == "2023-11-14T22:13:40.002461Z"


def test_all_kinds_come_back_exactly_and_have_views(tmp_path):
    path = tmp_path / "estimates.sqlite"

    async def work():
        store = Store(path)
        for estimate in (FORECAST, OUTLIER, FAULT):
            key = KEY._replace(model=estimate.model)
            await store.save(key, [estimate])
            assert await everything(store, key) == [estimate]
        store.close()

    asyncio.run(work())
    head = ("pump", "forecast", 1, 7, "1970-01-01T00:01:00.000000Z")
    assert rows(path, "forecasts") == [
        (*head, "flow", "m3/h", 3600.0, 0.1, 1.5),
        (*head, "flow", "m3/h", 3600.0, 0.5, 2.0),
        (*head, "flow", "m3/h", 3600.0, 0.9, 2.5),
        (*head, "pressure", "bar", 3600.0, 0.5, 4.0),
    ]
    head = ("pump", "outlier", 1, 7, "1970-01-01T00:01:00.000000Z")
    assert rows(path, "outlier_stages") == [
        (*head, "actual", "flow", "m3/h", 2, 96.5, 2.5, ""),
        (*head, "night", "pressure", "bar", None, None, None, ""),
        (*head, "system", "pressure", "bar", 4, 100.0, None, "MISSING"),
    ]
    head = ("pump", "fault", 1, 7, "1970-01-01T00:01:00.000000Z")
    assert rows(path, "fault_diagnoses") == [
        (*head, "looseness", 0, 0.5, "normal", 0.25),
        (*head, "looseness", 0, 0.5, "looseness", 0.75),
    ]
    assert rows(path, "remaining_life") == []


def test_a_store_made_before_there_was_a_view_gets_it(tmp_path):
    path = tmp_path / "estimates.sqlite"
    asyncio.run(write_many(path))
    with sqlite3.connect(path) as connection:
        connection.execute("DROP VIEW fault_diagnoses")
    connection.close()

    async def work():
        store = Store(path)
        await store.save(KEY._replace(model="fault"), [FAULT])
        store.close()

    asyncio.run(work())
    assert [row[-2:] for row in rows(path, "fault_diagnoses")] == [
        ("normal", 0.25),
        ("looseness", 0.75),
    ]


def test_a_store_of_an_older_format_is_refused(tmp_path):
    path = tmp_path / "estimates.sqlite"
    asyncio.run(write_many(path))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(InputError, match="of format 1, not 2: begin a new one"):
        Store(path)


def test_asset_names_are_only_names(tmp_path):
    key = KEY._replace(asset="'); DROP TABLE estimates; --")

    async def work():
        store = Store(tmp_path / "estimates.sqlite")
        await store.save(key, ESTIMATES)
        assert await everything(store, key) == ESTIMATES
        store.close()

    asyncio.run(work())


def test_first_age_stays(tmp_path):
    async def work():
        store = Store(tmp_path / "estimates.sqlite")
        assert await store.remember_age(KEY, 12.5) == 12.5
        assert await store.remember_age(KEY, 99.0) == 12.5
        assert await store.remember_age(KEY._replace(version=2), 99.0) == 99.0
        store.close()
        again = Store(tmp_path / "estimates.sqlite")
        assert await again.remember_age(KEY, 0.0) == 12.5
        again.close()

    asyncio.run(work())


def test_a_save_that_fails_spoils_no_other_of_the_same_commit(tmp_path):
    path = tmp_path / "estimates.sqlite"
    bad = [ESTIMATES[0], replace(ESTIMATES[1], sequence=None)]

    async def work():
        store = Store(path)
        # While another process holds the file, the first save waits, and the others behind it.
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assets = ["first", "a", "bad", "b"]
        saves = [
            asyncio.create_task(
                store.save(KEY._replace(asset=asset), bad if asset == "bad" else ESTIMATES)
            )
            for asset in assets
        ]
        await asyncio.sleep(0.3)
        other.execute("COMMIT")
        other.close()
        ends = await asyncio.gather(*saves, return_exceptions=True)
        assert [type(end) for end in ends] == [type(None), type(None), StoreError, type(None)]
        assert str(ends[2]) == "store: NOT NULL constraint failed: estimates.sequence"
        store.close()

    asyncio.run(work())
    assert len(rows(path)) == 3 * len(ESTIMATES)


def test_what_a_save_keeps_beside_its_estimates_is_undone_with_them(tmp_path):
    path = tmp_path / "estimates.sqlite"

    def keep(asset):
        def work(connection):
            connection.execute("INSERT INTO kept VALUES (?)", (asset,))
            if asset == "bad":
                connection.execute("INSERT INTO nowhere VALUES (1)")

        return work

    async def work():
        store = Store(path)
        await store.run(lambda connection: connection.execute("CREATE TABLE kept (asset TEXT)"))
        # While another process holds the file, the first save waits, and the others behind it.
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        saves = [
            asyncio.create_task(
                store.save(KEY._replace(asset=asset), ESTIMATES, None if plain else keep(asset))
            )
            for asset, plain in [("first", True), ("a", False), ("bad", False), ("b", True)]
        ]
        await asyncio.sleep(0.3)
        other.execute("COMMIT")
        other.close()
        ends = await asyncio.gather(*saves, return_exceptions=True)
        assert [str(end) for end in ends] == [
            "None",
            "None",
            "store: no such table: nowhere",
            "None",
        ]
        kept = await store.run(
            lambda connection: connection.execute("SELECT * FROM kept").fetchall()
        )
        assert kept == [("a",)]
        store.close()

    asyncio.run(work())
    assert {row[0] for row in rows(path)} == {"first", "a", "b"}
    assert len(rows(path)) == 3 * len(ESTIMATES)


SECOND_WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30)
print("ready", flush=True)
for number in range(200):
    with connection:
        connection.execute("INSERT INTO series VALUES (?, 'by hand', 1, 0)", (str(number),))
"""


def test_a_second_process_writes_too(tmp_path):
    path = tmp_path / "estimates.sqlite"

    async def work():
        store = Store(path)
        command = [sys.executable, "-c", SECOND_WRITER, str(path)]
        second = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        await second.stdout.readline()
        saves = 0
        while second.returncode is None or saves < 20:
            await store.save(KEY._replace(asset=f"asset {saves}"), ESTIMATES)
            saves += 1
        assert await second.wait() == 0
        store.close()
        return saves

    saves = asyncio.run(work())
    assert len(rows(path)) == saves * len(ESTIMATES)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM series").fetchone() == (200,)
    connection.close()


def test_no_database(tmp_path):
    path = tmp_path / "estimates.sqlite"
    path.write_bytes(b"this is no database, " * 100)
    with pytest.raises(InputError, match=r"store: expected an SQLite file .* file is not a"):
        Store(path)


async def write_many(path: Path) -> None:
    """Estimates of three assets, 300 of each: several hundred pages."""
    store = Store(path)
    for asset in ("a", "b", "c"):
        many = [replace(ESTIMATES[-1], sequence=number) for number in range(300)]
        await store.save(KEY._replace(asset=asset), many)
    store.close()


def overwrite(path: Path, first: int, last: int) -> None:
    content = bytearray(path.read_bytes())
    content[first:last] = b"\xff" * (last - first)
    path.write_bytes(content)


@pytest.mark.parametrize("pages", [(0, 1), (1, 2), (2, 3), (3, 4), (1, 9999)])
def test_damaged_database(tmp_path, pages):
    path = tmp_path / "estimates.sqlite"
    asyncio.run(write_many(path))
    first, last = (min(4096 * page, path.stat().st_size) for page in pages)
    overwrite(path, first, last)
    with pytest.raises(InputError, match=f"store: expected .* got {path}: "):
        Store(path)


def test_cut_off_database(tmp_path):
    path = tmp_path / "estimates.sqlite"
    asyncio.run(write_many(path))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=f"store: expected .* got {path}: .*malformed"):
        Store(path)


def test_database_without_our_tables(tmp_path):
    path = tmp_path / "estimates.sqlite"
    asyncio.run(write_many(path))
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE series")
    connection.close()
    with pytest.raises(InputError, match=f"store: expected .* got {path}: no such table: series"):
        Store(path)


def test_damage_inside_is_told_by_what_meets_it(tmp_path):
    """The start does not read years of rows; a damaged row spoils only its own reading."""
    path = tmp_path / "estimates.sqlite"
    asyncio.run(write_many(path))
    middle = path.stat().st_size // 2 // 4096
    overwrite(path, middle * 4096, (middle + 1) * 4096)

    async def work():
        store = Store(path)
        assert len(await store.last(KEY._replace(asset="a"), 20)) == 20
        with pytest.raises(StoreError, match="store: database disk image is malformed"):
            await everything(store, KEY._replace(asset="b"))
        store.close()

    asyncio.run(work())


def test_database_of_another_program(tmp_path):
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE estimates (cost REAL)")
    connection.close()
    with pytest.raises(InputError, match=r"other\.sqlite: another program's"):
        Store(path)


def test_folder_is_missing(tmp_path):
    with pytest.raises(InputError, match="unable to open database file"):
        Store(tmp_path / "gone" / "estimates.sqlite")
