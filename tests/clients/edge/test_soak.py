"""A real edge service follows a simulated plant; the checks of the soak hold, and find faults."""

import importlib.util
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def _soak(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, BENCHMARKS / "soak.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def checks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak_checks", BENCHMARKS / "soak_checks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_day_is_kept_judged_and_sent_and_what_is_lost_is_found(
    tmp_path: Path, checks: ModuleType
) -> None:
    done = _soak("--days", 1, "--folder", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    plant, central, edge = (
        tmp_path / name for name in ("plant.csv", "central.sqlite", "edge.sqlite")
    )
    with closing(sqlite3.connect(central)) as store, store:
        store.execute("DELETE FROM plant_rows WHERE time LIKE '%T12:00:00%'")
        store.execute(
            "UPDATE plant_rows SET row = json_set(row, '$.pressure', 9) WHERE time LIKE '%T13:00:%'"
        )
        store.execute("DELETE FROM plant_forecasts WHERE window_end LIKE '%T07:%'")
        store.execute("DELETE FROM parcels WHERE first_time LIKE '%T05:20:%'")
    problems = [problem.partition(":")[0] for problem in checks.check_rows(plant, central)]
    assert problems == ["rows", "row 2020-01-01 13", "parcels of ten minutes"]
    problems = [text.partition(",")[0] for text in checks.check_forecasts(plant, central, edge)]
    assert problems == [
        "forecasts: expected 24",
        "forecast of 2020-01-01 07:59:00: expected as the service keeps it",
    ]


def test_what_grows_is_found(checks: ModuleType) -> None:
    def sample(day: float, rss_mb: float, store_mb: float) -> object:
        return checks.Sample(day, rss_mb, store_mb, rows=10, waiting=5, outbox_mb=1.0)

    flat = [sample(hour / 24, 100.0, 5.0) for hour in range(30 * 24)]
    assert [*checks.check_memory(flat), *checks.check_store(flat, 7)] == []
    growing = [sample(it.day, 100 + it.day, 5 + it.day / 5) for it in flat]
    assert [*checks.check_memory(growing), *checks.check_store(growing, 7)] == [
        "memory: expected about 101.5 MB as on day 2, got 125.0",
        "store: expected about 5.7 MB as on day 9, got 9.0",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("table", ["sqlite", "csv"])
def test_a_month_leaves_memory_and_files_as_they_are(table: str) -> None:
    done = _soak("--days", 30, "--table", table)
    assert done.returncode == 0, done.stdout + done.stderr
