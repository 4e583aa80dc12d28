"""Estimates as flat rows, for JSON, CSV and Parquet; None stands for "there is none".

Times are ISO 8601 UTC, `_s` is seconds, `quality` holds flags with a space between.
"""

import math

import numpy as np

from wearcast.signals.clock import format_time
from wearcast.signals.contract import Contract
from wearcast.signals.estimate import (
    CrossingState,
    Estimate,
    FaultDiagnosis,
    Forecast,
    Outlier,
    RemainingLife,
)
from wearcast.signals.rows import Rows

Value = str | int | float | bool | None
Row = dict[str, Value]


class Actuals:
    """What was really read at the times that forecasts are for."""

    def __init__(self, readings: Rows, mean_s: float) -> None:
        self._readings = readings
        self._count = max(round(mean_s * 1e6 / readings.step_us), 1)

    def at(self, channel: str, time_us: float) -> float | None:
        """Mean reading over the rows that end at a time; None unless more than half are there."""
        readings = self._readings
        if channel not in readings.channels:
            return None
        end = round((time_us - readings.start_us) / readings.step_us) + 1
        if not self._count <= end <= len(readings):
            return None
        rows = readings.column(channel)[end - self._count : end]
        there = rows[~np.isnan(rows)]
        return float(there.mean()) if 2 * len(there) > self._count else None


def make_rows(estimate: Estimate, contract: Contract, actuals: Actuals | None = None) -> list[Row]:
    """One estimate as rows: a forecast has one for each channel and horizon, all others have one.

    Remaining life: life_fraction and line_value are 0 new, 1 failed; line_reaches_LEVEL is
    NO_CROSSING, AHEAD or ALREADY_CROSSED, line_reaches_LEVEL_at says when, with AHEAD; p_fail_Nmin
    is the probability of failing within N minutes. Forecast: qQ is the quantile Q, actual what was
    read then, where the record reaches so far. Outlier: stage is the highest one of all detectors;
    CHANNEL_DETECTOR_stage is empty where a detector does not apply, `all` stands for all channels
    together; CHANNEL_system_cause says what is wrong with a sensor. Fault: diagnosis and unknown
    are stable over time; novelty and p_FAULT, the probability of a fault, are of this window alone.
    """
    head: Row = {"sequence": estimate.sequence, "window_end": format_time(estimate.window_end_us)}
    tail: Row = {"quality": " ".join(estimate.quality)}
    answer = estimate.answer
    if isinstance(answer, RemainingLife):
        parts = [_life_row(answer, estimate.window_end_us, contract)]
    elif isinstance(answer, Forecast):
        parts = _forecast_rows(answer, estimate.window_end_us, actuals)
    elif isinstance(answer, Outlier):
        parts = [_outlier_row(answer)]
    else:
        parts = [_diagnosis_row(answer)]
    return [_finite(head | part | tail) for part in parts]


def _life_row(life: RemainingLife, end_us: int, contract: Contract) -> Row:
    row: Row = {
        "age_s": life.age_s,
        "life_fraction": life.life_fraction,
        "line_value": life.line.value,
        "line_slope_per_s": life.line.slope_per_s,
    }
    crossings = {crossing.level: crossing for crossing in life.line.crossings}
    thresholds = contract.rul.thresholds if contract.rul is not None else ()
    for level in thresholds[2:]:
        crossing = crossings.get(level)
        ahead = crossing is not None and crossing.state is CrossingState.AHEAD
        name = f"line_reaches_{level}"
        row[name] = None if crossing is None else crossing.state.value
        row[f"{name}_at"] = (
            _format_later(end_us, crossing.remaining_s) if crossing is not None and ahead else None
        )
    row |= {
        "rul_s": life.rul_s,
        "rul_low_s": life.rul_low_s,
        "rul_high_s": life.rul_high_s,
        "failure_time": _format_later(end_us, life.rul_s),
    }
    for horizon_s, probability in life.failure_probabilities:
        row[f"p_fail_{horizon_s / 60:g}min"] = probability
    return row | {"band": life.band.value, "alarm": life.alarm}


def _forecast_rows(forecast: Forecast, end_us: int, actuals: Actuals | None) -> list[Row]:
    rows = []
    for point in forecast.points:
        row: Row = {
            "channel": point.channel,
            "unit": point.unit,
            "horizon_s": point.horizon_s,
            "time": _format_later(end_us, point.horizon_s),
        }
        row |= {f"q{quantile:g}": value for quantile, value in point.values}
        row["actual"] = (
            actuals.at(point.channel, end_us + point.horizon_s * 1e6) if actuals else None
        )
        rows.append(row)
    return rows


def _outlier_row(outlier: Outlier) -> Row:
    row: Row = {"stage": highest_stage(outlier)}
    for item in outlier.stages:
        name = f"{item.channel or 'all'}_{item.detector}"
        row[f"{name}_stage"] = item.stage
        row[f"{name}_percentile"] = item.percentile
        row[f"{name}_value"] = item.value
        if item.detector == "system":
            row[f"{name}_cause"] = item.cause
    return row


def _diagnosis_row(answer: FaultDiagnosis) -> Row:
    row: Row = {
        "diagnosis": answer.diagnosis,
        "unknown": answer.unknown,
        "novelty": answer.novelty,
    }
    return row | {f"p_{fault}": probability for fault, probability in answer.probabilities}


def highest_stage(outlier: Outlier) -> int | None:
    """The highest stage of all detectors; None where none applies."""
    return max((item.stage for item in outlier.stages if item.stage is not None), default=None)


def _format_later(time_us: int, later_s: float | None) -> str | None:
    if later_s is None or not math.isfinite(later_s):
        return None
    try:
        return format_time(time_us + round(later_s * 1e6))
    except OverflowError:  # after the year 9999: a line that hardly rises
        return None


def _finite(row: Row) -> Row:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
