"""`wearcast bench stores` measures each way of keeping rows."""

import re
import subprocess
import sys
from pathlib import Path

from wearcast.clients.cli.bench import make_report
from wearcast.clients.edge.store.bench import Cost, Part, measure_part

PROGRAM = "from wearcast.clients.cli.bench import command; command()"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, "stores", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_each_way_is_measured_and_reported(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    out = tmp_path / "stores.md"
    done = run("--rows", 1000, "--repeat", 2, "--dir", tmp_path / "here", "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == out.read_text()
    lines = re.findall(r"^\| (S[^|]*|C[^|]*|P[^|]*) \| ([\d,]+) \|", done.stdout, re.MULTILINE)
    assert lines == [
        ("SQLite", "1,000"),
        ("SQLite, a commit a row", "10"),
        ("CSV files", "1,000"),
        ("Parquet", "1,000"),
    ]
    assert "the\n2,038 rows/s of the system that it replaces" in done.stdout
    assert list((tmp_path / "here").iterdir()) == []


def test_means_stand_in_the_report() -> None:
    costs = {
        Part.SQLITE: [Cost(100, 0.5, 0.25, 50.0, 1_000_000), Cost(100, 1.0, 0.75, 60.0, 2_000_000)]
    }
    report = make_report("a machine", 100, costs)
    assert "| SQLite | 100 | 150 (100 to 200) | 0.750 | 0.500 | 55 | 1.5 |" in report
    assert "| Parquet | not measured: pyarrow is not installed |" in report
    assert "Means of N=2," in report


def test_what_was_written_was_kept(tmp_path: Path) -> None:
    for part in Part:
        folder = tmp_path / part.name
        folder.mkdir()
        cost = measure_part(part, 5_000, folder)
        assert cost.rows == (50 if part is Part.SQLITE_ROWS else 5_000)
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert cost.size_bytes >= cost.rows
        assert files != []
