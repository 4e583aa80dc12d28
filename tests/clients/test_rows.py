"""Forecasts and outlier stages as rows, as lines, as a table and as pictures."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from tiny_plant import FORECAST, MINUTE_US, MONDAY_US, OUTLIER, plant_rows

from wearcast.clients.cli.lines import format_line, make_table
from wearcast.clients.plot import draw_png
from wearcast.clients.results import Result, make_csv, make_json, write_results
from wearcast.clients.rows import Actuals, highest_stage, make_rows
from wearcast.signals.estimate import DetectorStage, Estimate, Forecast, ForecastPoint, Outlier
from wearcast.signals.rows import Rows

END_US = MONDAY_US + 4 * MINUTE_US


def forecast_at(minute: int) -> Estimate:
    points = [
        ForecastPoint("flow", "m3/h", horizon_s, ((0.1, 5.0), (0.5, 6.0), (0.9, 8.5)))
        for horizon_s in (60.0, 120.0)
    ]
    end_us = MONDAY_US + minute * MINUTE_US
    return Estimate(minute, end_us, (), Forecast(tuple(points)), FORECAST.name)


def outlier_of(*stages: DetectorStage) -> Estimate:
    return Estimate(4, END_US, ("MISSING",), Outlier(stages), OUTLIER.name)


ACTUAL = DetectorStage("actual", "flow", "m3/h", 2, 96.25, 7.5)
NIGHT = DetectorStage("night", "pressure", "bar", None, None, None)
STUCK = DetectorStage("system", "pressure", "bar", 4, 100.0, 4.0, "STUCK")
TOGETHER = DetectorStage("multivariate", "", "1", 1, 91.0, 2.5)


def test_a_forecast_is_a_row_for_each_channel_and_horizon_beside_what_was_read() -> None:
    first, second = make_rows(forecast_at(4), FORECAST, Actuals(plant_rows(6), 60.0))
    assert first == {
        "sequence": 4,
        "window_end": "2024-01-01T00:04:00.000000Z",
        "channel": "flow",
        "unit": "m3/h",
        "horizon_s": 60.0,
        "time": "2024-01-01T00:05:00.000000Z",
        "q0.1": 5.0,
        "q0.5": 6.0,
        "q0.9": 8.5,
        "actual": 5.0,
        "quality": "",
    }
    assert (second["time"], second["actual"]) == ("2024-01-01T00:06:00.000000Z", None)


@pytest.mark.parametrize(
    ("minute", "missing", "expected"),
    [(5, (), 4.0), (5, (4,), 4.0), (5, (4, 5), None), (2, (), 1.0), (1, (), None), (10, (), None)],
    ids=["whole", "one missing", "two missing", "first", "before", "after"],
)
def test_an_actual_is_the_mean_of_the_rows_that_end_then(
    minute: int, missing: tuple[int, ...], expected: float | None
) -> None:
    actuals = Actuals(plant_rows(10, missing=missing), 180.0)
    assert actuals.at("flow", MONDAY_US + minute * MINUTE_US) == expected
    assert actuals.at("level", MONDAY_US) is None


def test_an_outlier_is_a_row_with_a_column_for_each_detector_and_channel() -> None:
    (row,) = make_rows(outlier_of(ACTUAL, NIGHT, STUCK, TOGETHER), OUTLIER)
    assert row == {
        "sequence": 4,
        "window_end": "2024-01-01T00:04:00.000000Z",
        "stage": 4,
        "flow_actual_stage": 2,
        "flow_actual_percentile": 96.25,
        "flow_actual_value": 7.5,
        "pressure_night_stage": None,
        "pressure_night_percentile": None,
        "pressure_night_value": None,
        "pressure_system_stage": 4,
        "pressure_system_percentile": 100.0,
        "pressure_system_value": 4.0,
        "pressure_system_cause": "STUCK",
        "all_multivariate_stage": 1,
        "all_multivariate_percentile": 91.0,
        "all_multivariate_value": 2.5,
        "quality": "MISSING",
    }
    assert highest_stage(Outlier((NIGHT,))) is None


def test_lines_say_what_matters() -> None:
    line = format_line(forecast_at(4), "plant", FORECAST, as_json=False)
    assert line == (
        "2024-01-01T00:04:00Z  block     4  flow in 1 min 6 (5 to 8.5) m3/h, 2 min 6 (5 to 8.5)"
        " m3/h"
    )
    line = format_line(outlier_of(ACTUAL, NIGHT, STUCK), "plant", OUTLIER, as_json=False)
    assert line.endswith(
        "stage 4 severe; flow actual 2 7.5 m3/h (96.2%); pressure system 4 4 bar (stuck)"
    )
    nothing = format_line(outlier_of(NIGHT), "plant", OUTLIER, as_json=False)
    assert nothing.endswith("no detector applies")
    rows = [
        json.loads(line)
        for line in format_line(forecast_at(4), "plant", FORECAST, as_json=True).splitlines()
    ]
    assert [(row["asset"], row["model"], row["horizon_s"]) for row in rows] == [
        ("plant", FORECAST.name, 60.0),
        ("plant", FORECAST.name, 120.0),
    ]


SAID = ["plant", "3", "flow", "1", "6", "m3/h", "(5", "to", "8.5)"]


def test_the_table_of_forecasts_says_how_they_did() -> None:
    estimates = [forecast_at(minute) for minute in (2, 3, 4)]
    table = make_table([Result("plant", FORECAST, estimates, (), plant_rows(6))]).splitlines()
    # At minutes 3, 4 and 5 the flow was 3, 4 and 5; the median said 6.
    assert table[1].split() == [
        "plant",
        "3",
        "flow",
        "1",
        "min",
        "6",
        "m3/h",
        "(5",
        "to",
        "8.5)",
        "2",
        "(3)",
    ]
    assert table[2].split() == [
        "plant",
        "3",
        "flow",
        "2",
        "min",
        "6",
        "m3/h",
        "(5",
        "to",
        "8.5)",
        "1.5",
        "(2)",
    ]


def test_the_table_of_stages_counts_them() -> None:
    estimates = [outlier_of(ACTUAL), outlier_of(STUCK), outlier_of(NIGHT), outlier_of(ACTUAL)]
    table = make_table([Result("p", OUTLIER, estimates), Result("q", OUTLIER, [])]).splitlines()
    assert table[1].split() == ["p", "4", "0", "0", "2", "0", "1", "caution"]
    assert table[2].split() == ["q", "0"]


@pytest.mark.parametrize(
    ("contract", "estimates", "rows"),
    [
        (FORECAST, [forecast_at(4), forecast_at(9)], 4),
        (OUTLIER, [outlier_of(STUCK, NIGHT)], 1),
        (FORECAST, [], 0),
        (OUTLIER, [], 0),
    ],
    ids=["forecast", "outlier", "no forecast", "no outlier"],
)
def test_all_files_hold_the_same_rows(contract, estimates, rows: int, tmp_path: Path) -> None:
    result = Result("plant", contract, estimates, (), plant_rows(30))
    files = {path.suffix: path for path in write_results(tmp_path, result)}
    told = json.loads(files[".json"].read_text())["estimates"]
    assert len(told) == rows
    assert files[".csv"].read_text().count("\n") == rows + 1
    assert pyarrow.parquet.read_table(files[".parquet"]).to_pylist() == told
    assert files[".png"].read_bytes().startswith(b"\x89PNG")
    cells = list(csv.DictReader(io.StringIO(make_csv(result))))
    assert [cell["sequence"] for cell in cells] == [str(row["sequence"]) for row in told]
    assert make_json(result) == files[".json"].read_text()


def test_a_picture_needs_no_readings() -> None:
    rows = Rows(("flow", "pressure"), MONDAY_US, MINUTE_US, np.full((3, 2), np.nan))
    for readings in (None, rows):
        stages = [outlier_of(ACTUAL, NIGHT, STUCK, TOGETHER)] * 2
        for contract, estimates in ((FORECAST, [forecast_at(4)]), (OUTLIER, stages)):
            png = draw_png(Result("plant", contract, estimates, (), readings))
            assert png.startswith(b"\x89PNG")
