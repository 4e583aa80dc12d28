import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wearcast.signals.cleaning import Cleaned, load_rows
from wearcast.signals.cleaning.plant_file import read_plant_file
from wearcast.signals.cleaning.raw_table import RawTable, Unread
from wearcast.signals.errors import InputError, MismatchError

DATA = Path(__file__).parents[3].parent / "shared" / "data"
MINUTE_US = 60_000_000
START_US = 1_577_836_800_000_000  # 2020-01-01
MINUTES = 527_041


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plant.csv"


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def minutes(raw: RawTable) -> list[float]:
    """Times in minutes after the start of 2020."""
    return ((raw.times_us - START_US) / MINUTE_US).tolist()


def cells(raw: RawTable) -> list[list[float | None]]:
    """Readings row by row, None where there is none."""
    return [[None if math.isnan(cell) else cell for cell in row] for row in raw.values.tolist()]


PLAIN = "time,flow,pressure\n2020-01-01 00:00,1.5,4\n2020-01-01 00:01,,-5e-1\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_cells_are_read_whatever_parts_them(
    path: Path, encoding: str, delimiter: str, end: str
) -> None:
    text = PLAIN.replace("flow", "유량").replace(",", delimiter).replace("\n", end)
    raw = read_plant_file(write(path, text, encoding))
    assert raw.names == ("유량", "pressure")
    assert minutes(raw) == [0, 1]
    assert cells(raw) == [[1.5, 4], [None, -0.5]]


def test_cp949(path: Path) -> None:
    # Hangul in the header, in a text column and in place of a number.
    text = "일시,유량,상태\n2020-01-01 00:00,1.5,정상\n2020-01-01 00:01,점검,정상\n"
    raw = read_plant_file(write(path, text, "cp949"), ["유량"])
    assert raw.names == ("유량",)
    assert cells(raw) == [[1.5], [None]]
    assert raw.texts == {"유량": Unread(1, 3, "점검")}
    # In the rows alone: the header is ASCII.
    text = "time,flow\n2020-01-01 오후 1:00,1.5\n2020-01-01 오후 1:01,점검\n"
    raw = read_plant_file(write(path, text, "cp949"))
    assert minutes(raw) == [780, 781]
    assert raw.texts == {"flow": Unread(1, 3, "점검")}


def test_hangul_of_single_letters_is_the_same_name(path: Path) -> None:
    apart = "\u110b\u1172\u1105\u1163\u11bc"  # 유량, as some systems write it
    write(path, PLAIN.replace("flow", apart))
    assert read_plant_file(path, ["유량"]).names == ("유량",)


def test_columns_are_picked_by_name_in_the_order_asked_for(path: Path) -> None:
    write(path, "b,time,text,a\n2,2020-01-01 00:00,x,1\n")
    assert cells(read_plant_file(path, ["a", "b"])) == [[1, 2]]
    raw = read_plant_file(path)
    assert (raw.names, raw.left_out) == (("b", "a"), ("text",))


def test_all_columns_with_numbers_are_taken_wherever_the_numbers_are(path: Path) -> None:
    rows = [f"2020-01-01 {row // 60 % 24:02}:{row % 60:02},,,x" for row in range(1440)]
    rows[-1] = "2020-01-01 23:59,1,,2"
    raw = read_plant_file(write(path, "time,late,never,mixed\n" + "\n".join(rows)))
    assert (raw.names, raw.left_out) == (("late", "mixed"), ("never",))
    assert raw.texts["mixed"] == Unread(1439, 2, "x")


def test_text_in_numbers_is_missing_and_counted_with_an_example(path: Path) -> None:
    numbers = ["1", "Bad", " 2 ", "+3", '"4"', "inf", "1e999", "#N/A", "nan", "1_0", "0x1", ".5"]
    rows = [f"2020-01-01 00:{row:02},{number},7" for row, number in enumerate(numbers)]
    raw = read_plant_file(write(path, "time,a,b\n" + "\n".join(rows) + "\n"))
    nothing = [None] * 5
    expected = [1, None, 2, 3, 4, *nothing, None, 0.5]
    assert [row[0] for row in cells(raw)] == expected
    # Bad, inf, 1e999, 1_0 and 0x1; what stands for an empty cell is no text.
    assert raw.texts == {"a": Unread(5, 3, "Bad")}
    assert raw.values[:, 1].tolist() == [7] * 12


def test_decimal_commas_are_read_where_no_comma_parts_cells(path: Path) -> None:
    text = "time;a;b\n31.01.2020 00:00;1,5;2\n31.01.2020 00:01;x;-2,5e1\n"
    raw = read_plant_file(write(path, text))
    assert cells(raw) == [[1.5, 2], [None, -25]]
    raw = read_plant_file(write(path, text.replace("x", "3,25")))
    assert cells(raw) == [[1.5, 2], [3.25, -25]]


def test_broken_rows_and_rows_without_a_time_are_left_out_and_counted(path: Path) -> None:
    text = (
        "\ntime,a,b\n2020-01-01 00:00,1,2\n2020-01-01 00:01,1\n,3,4\nlater,5,6\n"
        "2020-01-01 00:02,7,8\n2020-01-01 00:03,1,2,3\n2020-01-01 00:04,9,\n2020-01-01 00:0"
    )
    raw = read_plant_file(write(path, text))
    assert minutes(raw) == [0, 2, 4]
    assert cells(raw) == [[1, 2], [7, 8], [9, None]]
    assert raw.broken == Unread(3, 4, "2020-01-01 00:01,1")
    assert raw.untimed is not None
    assert (raw.untimed.count, raw.untimed.text) == (2, "")


def test_times_without_an_offset_are_of_the_time_zone(path: Path) -> None:
    raw = read_plant_file(write(path, PLAIN), time_zone="Asia/Seoul")
    assert minutes(raw) == [-540, -539]
    raw = read_plant_file(write(path, PLAIN.replace(" 00:01", " 00:01Z")), time_zone="Asia/Seoul")
    assert minutes(raw) == [-540, 1]


@pytest.mark.parametrize(
    "times",
    [
        pa.array([START_US, START_US + MINUTE_US], pa.timestamp("us")),
        pa.array(
            [START_US * 1000, (START_US + MINUTE_US) * 1000], pa.timestamp("ns", "Asia/Seoul")
        ),
        pa.array([START_US // 1_000_000, START_US // 1_000_000 + 60], pa.timestamp("s")),
        pa.array([START_US // 1_000_000, START_US // 1_000_000 + 60]),
        pa.array([START_US / 1e6, START_US / 1e6 + 60]),
        pa.array([202001010000, 202001010001]),
        pa.array(["2020-01-01 00:00", "2020-01-01 00:01"], pa.large_string()),
        pa.array(["2020-01-01 00:00", "2020-01-01 00:01"]).dictionary_encode(),
    ],
    ids=str,
)
def test_parquet_is_read_whatever_its_types(path: Path, times: pa.Array) -> None:
    columns = {
        "time": times,
        "double": pa.array([1.5, None]),
        "nan": pa.array([math.nan, 2.5]),
        "float": pa.array([0.5, 1.5], pa.float32()),
        "whole": pa.array([None, 7], pa.int16()),
        "text": ["3", "Bad"],
    }
    # Known by what is in it: the name says CSV.
    pq.write_table(pa.table(columns), path)
    raw = read_plant_file(path)
    assert raw.names == ("double", "nan", "float", "whole", "text")
    assert minutes(raw) == [0, 1]
    assert cells(raw) == [[1.5, None, 0.5, None, 3], [None, 2.5, 1.5, 7, None]]
    assert raw.texts == {"text": Unread(1, 2, "Bad")}


def test_a_dated_parquet_file_begins_at_midnight_of_the_time_zone(path: Path) -> None:
    days = pa.array([18262, 18263], pa.date32())
    pq.write_table(pa.table({"a": [1.0, 2.0], "날짜": days, "on": [True, False]}), path)
    raw = read_plant_file(path, ["on"], time_zone="Asia/Seoul")
    assert minutes(raw) == [-540, 900]
    assert cells(raw) == [[1], [0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"plant.csv: expected a header and rows, got an empty file"),
        (b"\r\n\r\n", r"plant.csv: expected a header and rows, got an empty file"),
        (b"time,a\n", r"plant.csv: rows: expected 1 or more, got 0"),
        (b"time,a,b\n2020-01-01,1\n", r"columns: expected 3 as in the header, got 2 in the rows"),
        (
            b"2020-01-01,1\n2020-01-02,2\n",
            r"header: expected names of columns, got '2020-01-01, 1'",
        ),
        (b"a,b\n1,2\n", r"plant.csv: time: expected a column of times, got columns a, b"),
        (b"time,a\nx,1\ny,2\n", r"plant.csv: time: expected times \(ISO 8601, .* got 'x'"),
        (b"time,a\n,1\n,2\n", r"plant.csv: time: expected times \(ISO 8601, .* got empty cells"),
        (b"time,a\n2020-01-01,x\n", r"plant.csv: channels: expected columns of numbers, got none"),
        (b"time,a\n2020-01-01,\n", r"plant.csv: channels: expected columns of numbers, got none"),
        (b"time\n2020-01-01\n", r"plant.csv: channels: expected columns of numbers, got none"),
        (b"time,a,a\n2020-01-01,1,2\n", r"header: expected one column 'a', got 2 among time, a, a"),
        ("time,a\n".encode("utf-16"), r"plant.csv: encoding: expected UTF-8 or cp949, got UTF-16"),
        (b"t\xff,a\n2020-01-01,1\n", r"encoding: expected UTF-8 or cp949, got a header b't\\xff"),
        (b"time,a\n2020-01-01,1\n2020-01-02,\xff\n", r"cp949, got other bytes in row 3"),
        (b"PAR1 and no more", r"plant.csv: expected a Parquet file, got "),
    ],
)
def test_a_file_that_can_not_be_read_is_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_plant_file(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": ["flow", "level"]}, r"channels: expected one column 'level', got none among"),
        ({"channels": ["flow", "flow"]}, r"expected each once, and not the times 'time', got flow"),
        ({"channels": ["time"]}, r"expected each once, and not the times 'time', got time"),
        ({"channels": []}, r"channels: expected columns of numbers, got none"),
        ({"channels": ["text"]}, r"text: expected a column of numbers, got texts: 2 \(row 2: 'x'"),
        ({"time": "at"}, r"time: expected one column 'at', got none among time, flow, text"),
        ({"time": "flow"}, r"flow: expected times \(ISO 8601, .* got '1.5'"),
        ({"time_zone": "Mars"}, r"time_zone: expected a zone of the IANA database"),
    ],
)
@pytest.mark.parametrize("parquet", [False, True])
def test_columns_that_can_not_be_read_are_named(
    path: Path, arguments: dict, message: str, *, parquet: bool
) -> None:
    if parquet:
        columns = {"time": ["2020-01-01", "2020-01-02"], "flow": [1.5, 2], "text": ["x", "y"]}
        pq.write_table(pa.table(columns), path)
        message = message.replace("row 2", "row 1")
    else:
        write(path, "time,flow,text\n2020-01-01,1.5,x\n2020-01-02,2,y\n")
    with pytest.raises(InputError, match=message):
        read_plant_file(path, **arguments)


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(InputError, match=f"{path.name}: expected a readable file, got "):
            read_plant_file(path)


def test_an_empty_parquet_file_is_refused(path: Path) -> None:
    pq.write_table(
        pa.table({"time": pa.array([], pa.string()), "a": pa.array([], pa.int8())}), path
    )
    with pytest.raises(InputError, match=r"plant.csv: rows: expected 1 or more, got 0"):
        read_plant_file(path)


def test_loading_fills_nothing_unless_told(path: Path) -> None:
    write(path, "time,a\n2020-01-01 00:00,1\n2020-01-01 00:01,\n2020-01-01 00:02,3\n")
    rows = load_rows(path, ["a"]).rows
    assert np.isnan(rows.column("a")).tolist() == [False, True, False]
    assert load_rows(path, ["a"], gap_limit=1).rows.column("a").tolist() == [1, 1, 3]
    assert load_rows(path, ["a"], step_s=180).rows.column("a").tolist() == [2]


def test_rows_further_apart_than_asked_for_do_not_fit(path: Path) -> None:
    message = r"plant.csv: step: expected rows each 1 s or closer, got rows each 60 s in the file"
    with pytest.raises(MismatchError, match=message) as caught:
        load_rows(write(path, PLAIN), ["flow"], step_s=1)
    assert (caught.value.field, caught.value.exit_code) == ("step", 5)


def test_a_year_of_minutes_and_15_columns(path: Path) -> None:
    names = [
        *("유량", "압력", "수온", "탁도", "염소", "산도", "전도도", "수위"),
        *("전류", "전압", "개도", "회전수", "진동", "전력", "토출압력"),
    ]
    stamps = np.arange("2020-01-01T00:00", "2021-01-01T00:01", dtype="datetime64[m]")
    rest = ",2.25" * 14
    lines = [f"{stamp},{row % 97}.5{rest}" for row, stamp in enumerate(stamps.astype(str).tolist())]
    assert len(lines) == MINUTES
    kept = lines[:1000] + lines[1002:300_000] + [lines[299_999]] * 3 + lines[300_000:]
    kept[5] = kept[5].replace(",5.5,", ",,")
    header = ",".join(["일시", *names]).encode("cp949")
    path.write_bytes(header + b"\n" + "\n".join(kept).encode())
    cleaned = load_rows(path, names, gap_limit=60)
    report = cleaned.report
    assert (report.read, report.kept) == (MINUTES + 1, MINUTES)
    assert (report.inserted, report.duplicates, report.unsorted) == (2, 3, 0)
    assert [channel.forward for channel in report.channels] == [3] + [2] * 14
    assert [channel.empty for channel in report.channels] == [0] * 15
    expected = np.arange(MINUTES) % 97 + 0.5
    expected[[5, 1000, 1001]] = expected[[4, 999, 999]]
    np.testing.assert_array_equal(cleaned.rows.column("유량"), expected)
    assert (cleaned.rows.values[:, 1:] == 2.25).all()


def real(name: str) -> Cleaned:
    if not (DATA / name).exists():
        pytest.skip(f"needs ../shared/data/{name}")
    return load_rows(DATA / name)


def test_files_of_others_are_read() -> None:
    skab = real("skab/valve1/1.csv")  # `;`, a reading a second, some missing
    assert (skab.report.step_s, skab.report.read, skab.report.inserted) == (1, 1145, 56)
    assert skab.rows.channels[-3:] == ("Volume Flow RateRMS", "anomaly", "changepoint")
    nab = real("nab/machine_temperature_system_failure.csv")
    assert (nab.report.step_s, nab.report.duplicates, nab.report.kept) == (300, 12, 22_683)
    ett = real("ett/ETTh1.csv")
    assert (ett.report.step_s, ett.report.kept, len(ett.rows.channels)) == (3600, 17_420, 7)
