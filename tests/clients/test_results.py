import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from program import write_snapshot
from tiny import START_US, tiny_contract

from wearcast.clients.recordings import find_inputs
from wearcast.clients.results import Result, give_unique_names, make_json, write_results
from wearcast.clients.rows import make_rows
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import (
    Band,
    Crossing,
    CrossingState,
    Estimate,
    LifeLine,
    Quality,
    RemainingLife,
)

LIFE = RemainingLife(
    life_fraction=0.5,
    age_s=5000.0,
    rul_s=90.0,
    rul_low_s=30.0,
    rul_high_s=270.0,
    interval_probability=0.8,
    failure_probabilities=((600.0, 0.75), (1800.0, 0.9), (3600.0, 0.95)),
    line=LifeLine(
        20,
        0.95,
        0.001,
        (
            Crossing(0.9, CrossingState.ALREADY_CROSSED),
            Crossing(1.0, CrossingState.AHEAD, 50.0),
        ),
    ),
    band=Band.ALARM,
    alarm=True,
)
ESTIMATE = Estimate(7, START_US, (Quality.AFTER_GAP, Quality.CONSTANT), LIFE)


def test_row_holds_everything_under_its_name() -> None:
    assert make_rows(ESTIMATE, tiny_contract())[0] == {
        "sequence": 7,
        "window_end": "2023-11-14T22:13:20.000000Z",
        "age_s": 5000.0,
        "life_fraction": 0.5,
        "line_value": 0.95,
        "line_slope_per_s": 0.001,
        "line_reaches_0.9": "ALREADY_CROSSED",
        "line_reaches_0.9_at": None,
        "line_reaches_1.0": "AHEAD",
        "line_reaches_1.0_at": "2023-11-14T22:14:10.000000Z",
        "rul_s": 90.0,
        "rul_low_s": 30.0,
        "rul_high_s": 270.0,
        "failure_time": "2023-11-14T22:14:50.000000Z",
        "p_fail_10min": 0.75,
        "p_fail_30min": 0.9,
        "p_fail_60min": 0.95,
        "band": "ALARM",
        "alarm": True,
        "quality": "AFTER_GAP CONSTANT",
    }


def test_row_without_a_line_has_the_same_columns() -> None:
    life = structs.replace(LIFE, line=LifeLine(1, None, None, ()))
    (row,) = make_rows(replace(ESTIMATE, answer=life), tiny_contract())
    assert list(row) == list(make_rows(ESTIMATE, tiny_contract())[0])
    assert (row["line_value"], row["line_reaches_0.9"], row["line_reaches_1.0_at"]) == (None,) * 3


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_json_can_not_say_is_null(value: float) -> None:
    life = structs.replace(LIFE, rul_s=value, rul_high_s=value)
    result = Result("r", tiny_contract(), [replace(ESTIMATE, answer=life)])
    (row,) = json.loads(make_json(result), parse_constant=pytest.fail)["estimates"]
    assert (row["rul_s"], row["rul_high_s"], row["failure_time"]) == (None, None, None)


def test_crossing_after_the_year_9999_has_no_time() -> None:
    line = LifeLine(2, 0.1, 1e-13, (Crossing(1.0, CrossingState.AHEAD, 9e12),))
    estimate = replace(ESTIMATE, answer=structs.replace(LIFE, line=line))
    (row,) = make_rows(estimate, tiny_contract())
    assert (row["line_reaches_1.0"], row["line_reaches_1.0_at"]) == ("AHEAD", None)


def test_files_are_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("old")
    result = Result("r", tiny_contract(), [ESTIMATE], ["acc_00001.csv: rows"])
    paths = write_results(tmp_path, result)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert [path.suffix for path in paths] == [".json", ".csv", ".parquet", ".png"]
    assert (tmp_path / "r.csv").read_text().count("\n") == 2
    text = json.loads((tmp_path / "r.json").read_text())
    assert text["skipped"] == ["acc_00001.csv: rows"]
    assert (text["name"], text["model"], text["version"]) == ("r", "tiny", 1)


def test_name_of_an_asset_stays_inside_the_folder(tmp_path: Path) -> None:
    write_results(tmp_path / "out", Result("../line 2/pump", tiny_contract(), [ESTIMATE]))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / ".._line_2_pump.json").exists()


def test_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="out: expected a folder to write to"):
        write_results(tmp_path / "file", Result("r", tiny_contract(), [ESTIMATE]))


def test_names_differ_as_names_of_files_too() -> None:
    paths = [Path(text) for text in ("/a/x/B", "/b/x/B", "/a b/C", "/a_b/C", "/d e", "/d_e", "/F")]
    names = give_unique_names(paths)
    assert names == ["a-x-B", "b-x-B", "a b-C", "a_b-C-2", "d e", "d_e-2", "F"]


def test_paths_of_one_stem_are_recordings_of_their_own(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "b", 1)
    paths = [tmp_path / name for name in ("a.csv", "a.txt", "b", "b.csv", "c.csv", "c.csv")]
    names = [item.name for item in find_inputs(paths)]
    assert names == ["a.csv", "a.txt", "b", "b.csv", "c"]
