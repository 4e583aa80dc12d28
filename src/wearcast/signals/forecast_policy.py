"""A plant's hourly forecasts as the files that people know: a day's week, and next to the actual.

Each hour a model says the same hour 1 to 7 days ahead. The 24 answers of a day are a week in rows
of an hour, 168 of them. A value is the mean of the hour that ends a horizon after the window's last
row, and a row's time is that hour's start.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.clock import format_time, local_us
from wearcast.signals.contract import Contract, ForecastPart
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import Estimate
from wearcast.signals.rows import Rows

DAYS = 7
# Days ahead that have a file of their own.
FILE_DAYS = range(1, 7)
RUNS = 24
_HOUR_US = 3_600_000_000
_DAY_US = RUNS * _HOUR_US
_MEDIAN = 0.5
# Of the readings of a time that an actual value is the mean of, so many at the least are there.
_LEAST_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """Medians of all targets for one time.

    time_us: start of the time that the values are the means of. horizon_us: how far ahead. made_us:
    time of the last row that was looked at.
    """

    time_us: int
    horizon_us: int
    made_us: int
    values: tuple[float, ...]


def list_rows(estimates: Sequence[Estimate], contract: Contract) -> list[ForecastRow]:
    """All that estimates say, a row a time and horizon, in the order of time, nearest first.

    Raises:
        InputError: the contract is of no forecast, or an answer has no median, or lacks a target.
    """
    part = _part_of(contract)
    shift_us = round((contract.hop_s - part.mean_s) * 1e6)
    rows = []
    for estimate in estimates:
        values: dict[tuple[str, float], float] = {}
        for point in estimate.forecast.points:
            median = dict(point.values).get(_MEDIAN)
            if median is None:
                quantiles = ", ".join(f"{quantile:g}" for quantile, _ in point.values)
                raise InputError("quantiles", "0.5 among them", quantiles or "none")
            values[point.channel, point.horizon_s] = median
        for horizon_s in part.horizons_s:
            missing = [name for name in part.targets if (name, horizon_s) not in values]
            if missing:
                field = f"forecast at {format_time(estimate.window_end_us)}"
                raise InputError(field, f"{missing[0]} {horizon_s:g} s ahead", "none")
            horizon_us = round(horizon_s * 1e6)
            rows.append(
                ForecastRow(
                    time_us=estimate.window_end_us + horizon_us + shift_us,
                    horizon_us=horizon_us,
                    made_us=estimate.window_end_us,
                    values=tuple(values[name, horizon_s] for name in part.targets),
                )
            )
    return sorted(rows, key=lambda row: (row.time_us, row.horizon_us))


def group_days(estimates: Sequence[Estimate], contract: Contract) -> dict[str, list[Estimate]]:
    """Estimates by the day that the hours they have seen last lie in, such as "2020-12-31".

    Days are those of the contract's time zone; some may not have all their 24.
    """
    part = _part_of(contract)
    shift_us = round((contract.hop_s - part.mean_s) * 1e6)
    ends_us = np.array([estimate.window_end_us for estimate in estimates], dtype=np.int64)
    days = local_us(ends_us + shift_us, contract.time_zone or "UTC") // _DAY_US
    groups: dict[str, list[Estimate]] = {}
    for day, estimate in zip(days.tolist(), estimates, strict=True):
        groups.setdefault(format_time(day * _DAY_US)[:10], []).append(estimate)
    return groups


def list_week(estimates: Sequence[Estimate], contract: Contract) -> list[ForecastRow]:
    """The 168 rows of a day's 24 hourly estimates: the hours of the seven days after it.

    Raises:
        InputError: not 24 estimates, or not an hour apart; not 1 to 7 days ahead; not of hours.
    """
    part = _part_of(contract)
    wanted = tuple(day * _DAY_US / 1e6 for day in range(1, DAYS + 1))
    if part.horizons_s != wanted:
        got = ", ".join(f"{horizon_s / 86_400:g}" for horizon_s in part.horizons_s)
        raise InputError("horizons", "1 to 7 days", f"{got} days")
    if part.mean_s * 1e6 != _HOUR_US:
        raise InputError("mean", "an hour", f"{part.mean_s:g} s")
    if len(estimates) != RUNS:
        raise InputError("runs", f"{RUNS}, one an hour of a day", len(estimates))
    ends_us = sorted(estimate.window_end_us for estimate in estimates)
    for earlier, later in pairwise(ends_us):
        if later - earlier != _HOUR_US:
            after = f"{(later - earlier) / 1e6:g} s after {format_time(earlier)}"
            raise InputError("runs", "an hour from each to the next", after)
    return list_rows(estimates, contract)


def write_week(path: Path, estimates: Sequence[Estimate], contract: Contract) -> None:
    """Write the 168 rows of a day's 24 estimates: time, and a column for each target.

    Raises:
        InputError: as `list_week`.
    """
    _write(path, contract, list_week(estimates, contract))


def write_day_files(
    directory: Path, estimates: Sequence[Estimate], contract: Contract
) -> list[Path]:
    """Write `Day1prediction.csv` to `Day6prediction.csv`, 24 rows each, of a day's 24 estimates.

    Raises:
        InputError: as `list_week`.
    """
    rows = list_week(estimates, contract)
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for step in FILE_DAYS:
        path = directory / f"Day{step}prediction.csv"
        _write(path, contract, [row for row in rows if row.horizon_us == step * _DAY_US])
        paths.append(path)
    return paths


def join_actual(rows: Rows, estimates: Sequence[Estimate], contract: Contract) -> str:
    """CSV: actual values, and beside them what was said of them the shortest horizon before.

        time,flow_rate,pressure,flow_rate_predict,pressure_predict

    One row for each time that was forecast and that the rows reach; of several answers about a time
    the one that comes last. Actual values are means over the same time, empty where less than half
    of it is there.

    Raises:
        InputError: as `list_rows`; the rows lack a target, or don't fit a mean's length.
    """
    part = _part_of(contract)
    for name in part.targets:
        if name not in rows.channels:
            raise InputError("channels", f"{name} among them", ", ".join(rows.channels) or "none")
    length, rest = divmod(round(part.mean_s * 1e6), rows.step_us)
    if rest or not length:
        expected = f"a divisor of {part.mean_s:g} s"
        raise InputError("step", expected, f"{rows.step_us / 1e6:g} s")
    columns = [rows.column(name) for name in part.targets]
    shortest_us = round(part.horizons_s[0] * 1e6)
    newest: dict[int, ForecastRow] = {}
    for row in list_rows(estimates, contract):
        if row.horizon_us == shortest_us:
            newest[row.time_us] = row
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time", *part.targets, *(f"{name}_predict" for name in part.targets)])
    for time_us, row in newest.items():
        first, off = divmod(time_us - rows.start_us, rows.step_us)
        if off or first < 0 or first + length > len(rows):
            continue
        actual = [_mean_of(column[first : first + length]) for column in columns]
        writer.writerow([format_time(time_us), *actual, *map(_format, row.values)])
    return text.getvalue()


def _part_of(contract: Contract) -> ForecastPart:
    if contract.forecast is None:
        raise InputError("model", "one of kind forecast", contract.kind)
    return contract.forecast


def _mean_of(readings: NDArray[np.float64]) -> str:
    present = readings[np.isfinite(readings)]
    return _format(float(present.mean())) if len(present) >= _LEAST_SHARE * len(readings) else ""


def _write(path: Path, contract: Contract, rows: Sequence[ForecastRow]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time", *_part_of(contract).targets])
        for row in rows:
            writer.writerow([format_time(row.time_us), *map(_format, row.values)])


def _format(value: float) -> str:
    return f"{value:.6g}"
