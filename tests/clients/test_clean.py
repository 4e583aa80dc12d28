import json
from pathlib import Path

import program as process
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from wearcast.clients.cli.main import program
from wearcast.signals.cleaning import load_rows
from wearcast.signals.errors import InputError, MismatchError, WearcastError

# Out of order, one row twice, one missing, a text, and a gap of four.
PLANT = """\
일시,유량,압력,상태
2020-01-01 09:00,1.0,4.0,정상
2020-01-01 09:02,3.0,4.2,정상
2020-01-01 09:01,2.0,4.1,정상
2020-01-01 09:02,5.0,4.2,정상
2020-01-01 09:04,Bad,4.4,점검
2020-01-01 09:05,7.0,,정상
2020-01-01 09:06,8.0,,정상
2020-01-01 09:07,9.0,,정상
2020-01-01 09:08,10.0,,정상
2020-01-01 09:09,11.0,4.9,정상
"""


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    path = tmp_path / "plant.csv"
    path.write_bytes(PLANT.encode("cp949"))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(program, ["clean", *map(str, arguments)])


def fail(*arguments: object) -> WearcastError:
    """The error that the program turns into one line and an exit code."""
    result = run(*arguments)
    assert isinstance(result.exception, WearcastError), result.output
    return result.exception


def test_csv_becomes_clean_csv(plant: Path) -> None:
    out = plant.with_name("clean.csv")
    result = run(plant, "--out", out, "--time-zone", "Asia/Seoul")
    assert result.exit_code == 0
    # The gap of flow is two rows, that of pressure one and, on a line, four.
    assert out.read_text(encoding="utf-8").splitlines() == [
        "time,유량,압력,quality",
        "2020-01-01T00:00:00Z,1,4,",
        "2020-01-01T00:01:00Z,2,4.1,",
        "2020-01-01T00:02:00Z,4,4.2,",
        "2020-01-01T00:03:00Z,4,4.2,유량:FILLED;압력:FILLED",
        "2020-01-01T00:04:00Z,4,4.4,유량:FILLED",
        "2020-01-01T00:05:00Z,7,4.5,압력:FILLED",
        "2020-01-01T00:06:00Z,8,4.6000000000000005,압력:FILLED",
        "2020-01-01T00:07:00Z,9,4.7,압력:FILLED",
        "2020-01-01T00:08:00Z,10,4.800000000000001,압력:FILLED",
        "2020-01-01T00:09:00Z,11,4.9,",
    ]
    assert result.stdout.splitlines() == [
        "rows: 10 read, 10 kept, one each 60 s",
        "from 2020-01-01T00:00:00Z to 2020-01-01T00:09:00Z",
        "rows: 1 out of order, 1 of a time that was there already, 1 missing and inserted",
        "columns left out: 상태",
        "유량: texts 1 (row 6: 'Bad'), 2 filled forward",
        "압력: 1 filled forward, 4 filled linearly",
        f"{out}: 10 rows",
    ]


def test_csv_becomes_parquet_with_the_same_rows(plant: Path) -> None:
    for suffix in ("csv", "parquet"):
        assert run(plant, "--out", plant.with_name(f"clean.{suffix}")).exit_code == 0
    table = pq.read_table(plant.with_name("clean.parquet"))
    assert table.column_names == ["time", "유량", "압력", "quality"]
    names = ["유량", "압력"]
    first, second = (
        load_rows(plant.with_name(f"clean.{name}"), names) for name in ("csv", "parquet")
    )
    assert first.rows.start_us == second.rows.start_us
    assert first.rows.values.tolist() == second.rows.values.tolist()


def test_a_limit_of_0_fills_nothing(plant: Path) -> None:
    out = plant.with_name("clean.csv")
    run(plant, "--out", out, "--gap-limit", 0, "--column", "압력")
    assert out.read_text(encoding="utf-8").count("압력:MISSING") == 5
    assert "FILLED" not in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(("rule", "expected"), [("mean", "4"), ("first", "3"), ("last", "5")])
def test_which_of_two_readings_counts_can_be_chosen(plant: Path, rule: str, expected: str) -> None:
    out = plant.with_name("clean.csv")
    run(plant, "--out", out, "--column", "유량", "--duplicates", rule)
    assert f"2020-01-01T09:02:00Z,{expected}," in out.read_text(encoding="utf-8")


def test_longer_steps_are_means(plant: Path) -> None:
    out = plant.with_name("clean.csv")
    result = run(plant, "--out", out, "--step", "5min", "--column", "유량")
    # 1, 2, 3 and 5; a text is no reading.
    assert out.read_text(encoding="utf-8").splitlines()[1:] == [
        *("2020-01-01T09:00:00Z,2.75,", "2020-01-01T09:05:00Z,9,")
    ]
    assert "resampled: means of rows 60 s apart" in result.stdout


def test_json_says_it_all(plant: Path) -> None:
    out = plant.with_name("clean.pq")
    result = run(plant, "--out", out, "--json", "--drop-outliers", 1)
    facts = json.loads(result.stdout)
    assert facts["out"] == str(out)
    assert sorted(facts["bounds"]) == ["압력", "유량"]
    report = facts["report"]
    assert (report["read"], report["kept"], report["inserted"]) == (10, 10, 1)
    assert [channel["name"] for channel in report["channels"]] == ["유량", "압력"]
    assert report["channels"][0]["texts"] == {"count": 1, "row": 6, "text": "Bad"}


def test_bounds_are_of_the_first_share_of_the_rows_alone(tmp_path: Path) -> None:
    readings = [10, 11, 12, 13, 14, 99, 11, 99, 99, 99]
    rows = [f"2020-01-01 00:{minute:02},{value}" for minute, value in enumerate(readings)]
    path = tmp_path / "plant.csv"
    path.write_text("\n".join(["time,flow", *rows]))
    arguments = (path, "--out", tmp_path / "clean.csv", "--json", "--gap-limit", 0)
    # Quartiles 11 and 13 of the first five; those of all are 11.25 and 99, and drop nothing.
    facts = json.loads(run(*arguments, "--drop-outliers", 0.5).stdout)
    assert facts["bounds"] == {"flow": [8, 16]}
    assert facts["report"]["channels"][0]["outside"] == 4
    facts = json.loads(run(*arguments, "--drop-outliers", 1).stdout)
    assert facts["report"]["channels"][0]["outside"] == 0


def test_the_file_that_is_read_is_not_overwritten(plant: Path) -> None:
    before = plant.read_bytes()
    (plant.parent / "link.csv").symlink_to(plant)
    for name in ("plant.csv", "../" + plant.parent.name + "/plant.csv", "link.csv"):
        error = fail(plant, "--out", plant.parent / name)
        assert str(error).startswith("out: expected another file than the one that is read, got ")
        assert error.exit_code == 3
    assert plant.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["--out", "a.xls"], InputError, "out: expected a name that ends in .csv, .parquet, .pq"),
        (["--out", "no/a.csv"], InputError, "out: expected a file in a folder that is there, got"),
        (
            ["--column", "수온"],
            InputError,
            "plant.csv: channels: expected one column '수온', got no",
        ),
        (["--time", "유량"], InputError, "plant.csv: 유량: expected times (ISO 8601"),
        (["--time-zone", "Seoul"], InputError, "time_zone: expected a zone of the IANA database"),
        (
            ["--step", "30s"],
            MismatchError,
            "step: expected rows each 30 s or closer, got rows each",
        ),
    ],
)
def test_errors_name_field_expected_and_got(
    plant: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    kind: type[WearcastError],
    message: str,
) -> None:
    monkeypatch.chdir(plant.parent)
    error = fail(plant, "--out", "out.csv", *arguments)
    assert type(error) is kind
    assert message in str(error)
    assert [path.name for path in plant.parent.iterdir()] == ["plant.csv"]


@pytest.mark.parametrize(
    "arguments",
    [["--step", "30"], ["--gap-limit", "-1"], ["--duplicates", "all"], ["--drop-outliers", "0"]],
)
def test_a_bad_option_is_a_usage_error(plant: Path, arguments: list[str]) -> None:
    result = run(plant, "--out", plant.with_name("out.csv"), *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.output


def test_errors_become_one_line_and_an_exit_code(plant: Path) -> None:
    for step, code in (("30s", 5), ("1h", 0)):
        done = process.run("clean", plant, "--out", plant.with_name("out.csv"), "--step", step)
        assert done.returncode == code, done.stderr
    empty = plant.with_name("empty.csv")
    empty.touch()
    done = process.run("clean", empty, "--out", plant.with_name("out.csv"))
    assert done.returncode == 3
    assert done.stderr == "wearcast: empty.csv: expected a header and rows, got an empty file\n"


def test_help_starts_with_an_example() -> None:
    text = run("--help").stdout
    assert text.index("wearcast clean plant.csv --out") < text.index("Options:")
