import csv
import io

import msgspec
import numpy as np
import pytest

from wearcast.signals.clock import format_time, parse_time
from wearcast.signals.contract import Channel, Contract, ForecastPart, Output
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import Estimate, Forecast, ForecastPoint
from wearcast.signals.forecast_policy import (
    group_days,
    join_actual,
    list_week,
    write_day_files,
    write_week,
)
from wearcast.signals.rows import Rows

HOUR_S, DAY_S = 3600, 86_400
START_US = parse_time("2024-01-01T00:00:00Z")
TARGETS = ("flow_rate", "pressure")
CONTRACT = Contract(
    name="plant",
    version=1,
    kind="forecast",
    channels=(Channel("flow_rate", "m3/h"), Channel("pressure", "bar")),
    sample_rate_hz=1 / 60,
    window=1,
    hop_s=60.0,
    sequence=60,
    batch_sizes=(1,),
    outputs=tuple(Output(name, "", (7, 3)) for name in TARGETS),
    weights_sha256="0" * 64,
    missing=True,
    every_s=3600.0,
    forecast=ForecastPart(
        TARGETS, tuple(float(day * DAY_S) for day in range(1, 8)), (0.1, 0.5, 0.9), 3600.0
    ),
)


def say(hour: int, values=None) -> Estimate:
    """What is said when an hour of the record is over: of each hour its number, and a tenth."""
    points = []
    for channel, factor in zip(TARGETS, (1, 0.1), strict=True):
        for day in range(1, 8):
            value = factor * (hour + 24 * day) if values is None else values
            triple = ((0.1, value - 1), (0.5, value), (0.9, value + 1))
            points.append(ForecastPoint(channel, "", float(day * DAY_S), triple))
    end_us = START_US + ((hour + 1) * 60 - 1) * 60_000_000
    return Estimate(hour, end_us, (), Forecast(tuple(points)))


def read(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


def at(hour: int) -> str:
    return format_time(START_US + hour * HOUR_S * 1_000_000)


DAY = [say(hour) for hour in range(24)]


def test_24_runs_of_7_values_are_168_rows_in_the_order_of_time():
    shuffled = [DAY[place] for place in np.random.default_rng(0).permutation(24)]
    rows = list_week(shuffled, CONTRACT)
    assert [format_time(row.time_us) for row in rows] == [at(hour) for hour in range(24, 192)]
    assert [row.values[0] for row in rows] == list(range(24, 192))


def test_each_day_has_a_file_of_24_rows_up_to_the_sixth(tmp_path):
    paths = write_day_files(tmp_path, DAY, CONTRACT)
    assert [path.name for path in paths] == [f"Day{day}prediction.csv" for day in range(1, 7)]
    assert sorted(tmp_path.iterdir()) == paths
    for day, path in enumerate(paths, 1):
        rows = read(path)
        assert [row["time"] for row in rows] == [at(24 * day + hour) for hour in range(24)]
        assert [float(row["pressure"]) for row in rows] == pytest.approx(
            [0.1 * (24 * day + hour) for hour in range(24)]
        )


def test_the_week_is_one_file_of_168_rows(tmp_path):
    write_week(tmp_path / "week.csv", DAY, CONTRACT)
    rows = read(tmp_path / "week.csv")
    assert list(rows[0]) == ["time", *TARGETS]
    assert [float(row["flow_rate"]) for row in rows] == list(range(24, 192))


@pytest.mark.parametrize(
    ("zone", "sizes"),
    [
        (None, {"2024-01-01": 24, "2024-01-02": 24}),
        ("Asia/Seoul", {"2024-01-01": 15, "2024-01-02": 24, "2024-01-03": 9}),
    ],
)
def test_hours_belong_to_the_day_of_the_plants_clock(zone, sizes):
    contract = msgspec.structs.replace(CONTRACT, time_zone=zone)
    groups = group_days([say(hour) for hour in range(48)], contract)
    assert {day: len(group) for day, group in groups.items()} == sizes


@pytest.mark.parametrize(
    ("estimates", "message"),
    [
        (DAY[:23], "runs: expected 24, one an hour of a day, got 23"),
        (
            [*DAY[:23], say(24)],
            "runs: expected an hour from each to the next, got 7200 s after 2024-01-01T22:59:00",
        ),
    ],
)
def test_a_day_without_its_24_runs_is_refused(estimates, message, tmp_path):
    with pytest.raises(InputError) as caught:
        write_day_files(tmp_path / "days", estimates, CONTRACT)
    assert str(caught.value).startswith(message)
    assert not (tmp_path / "days").exists()


def test_other_horizons_are_refused():
    part = msgspec.structs.replace(CONTRACT.forecast, horizons_s=(86_400.0, 259_200.0))
    with pytest.raises(InputError, match="horizons: expected 1 to 7 days, got 1, 3 days"):
        list_week(DAY, msgspec.structs.replace(CONTRACT, forecast=part))


def test_a_model_of_another_kind_is_refused():
    contract = msgspec.structs.replace(CONTRACT, kind="outlier", forecast=None)
    with pytest.raises(InputError, match="model: expected one of kind forecast, got outlier"):
        list_week(DAY, contract)


def test_the_value_of_a_day_before_stands_beside_the_actual():
    minutes = np.repeat(np.arange(30.0), 60)
    values = np.stack([minutes + 100, minutes], axis=1)
    values[25 * 60 : 25 * 60 + 31, 0] = np.nan  # more than half of hour 25
    values[26 * 60 : 26 * 60 + 30, 0] = np.nan  # half of hour 26
    rows = Rows(TARGETS, START_US, 60_000_000, values)
    got = list(csv.DictReader(io.StringIO(join_actual(rows, DAY, CONTRACT))))
    assert list(got[0]) == ["time", *TARGETS, "flow_rate_predict", "pressure_predict"]
    assert [row["time"] for row in got] == [at(hour) for hour in range(24, 30)]
    assert [row["flow_rate"] for row in got] == ["124", "", "126", "127", "128", "129"]
    assert [row["flow_rate_predict"] for row in got] == [str(hour) for hour in range(24, 30)]


def test_of_two_answers_about_a_time_the_later_counts():
    rows = Rows(TARGETS, START_US, 60_000_000, np.zeros((25 * 60, 2)))
    older = msgspec.structs.replace(CONTRACT.forecast, horizons_s=CONTRACT.forecast.horizons_s[:1])
    contract = msgspec.structs.replace(CONTRACT, forecast=older)
    text = join_actual(rows, [say(0, 5.0), say(0, 6.0)], contract)
    assert text.splitlines()[1].endswith(",6,6")
