"""Answers in words: a line for each estimate, and a table of recordings."""

import itertools
import json
from collections.abc import Sequence

from wearcast.clients.results import Result, format_duration, format_horizon
from wearcast.clients.rows import Actuals, highest_stage, make_rows
from wearcast.signals.clock import format_time
from wearcast.signals.contract import Contract
from wearcast.signals.diagnosis import NOVEL, mean_votes
from wearcast.signals.estimate import (
    Estimate,
    FaultDiagnosis,
    Forecast,
    ForecastPoint,
    Outlier,
    RemainingLife,
)

STAGE_NAMES = ("normal", "interest", "caution", "alert", "severe")


def format_line(estimate: Estimate, asset: str, contract: Contract, *, as_json: bool) -> str:
    """One estimate as a line for people, or as a line of JSON for each of its rows."""
    if as_json:
        return "\n".join(
            json.dumps({"asset": asset, "model": contract.name, **row}, allow_nan=False)
            for row in make_rows(estimate, contract)
        )
    answer = estimate.answer
    if isinstance(answer, RemainingLife):
        text = _describe_life(answer)
    elif isinstance(answer, Forecast):
        text = _describe_forecast(answer)
    elif isinstance(answer, Outlier):
        text = _describe_stages(answer)
    else:
        text = _describe_diagnosis(answer)
    return f"{format_time(estimate.window_end_us)[:19]}Z  block {estimate.sequence:5d}  {text}"


def make_table(results: Sequence[Result]) -> str:
    """What the model said last of each recording, and how it did where that can be told."""
    contract = results[0].contract
    if contract.forecast is not None:
        header = ["recording", "forecasts", "channel", "ahead", "newest", "interval", "MAE so far"]
        rows = [row for result in results for row in _forecast_cells(result)]
    elif contract.outlier is not None:
        header = ["recording", "rows", *(f"stage {stage}" for stage in range(5)), "newest"]
        rows = [_stage_cells(result) for result in results]
    elif contract.fault is not None:
        header = ["recording", "windows", "diagnosis", "probability", "unknown", "changes"]
        header += ["labelled"] if any(result.labelled for result in results) else []
        rows = [_diagnosis_cells(result) for result in results]
    else:
        header = ["recording", "rows", "life", "remaining", "interval", "alarm"]
        rows = [_life_cells(result) for result in results]
    cells = [header, *(row + [""] * (len(header) - len(row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _describe_life(life: RemainingLife) -> str:
    low, high = format_duration(life.rul_low_s), format_duration(life.rul_high_s)
    return (
        f"life {life.life_fraction:.3f}  remaining {format_duration(life.rul_s):>12}"
        f" ({low} to {high})  {life.band.value.lower()}{'  ALARM' if life.alarm else ''}"
    )


def _describe_forecast(forecast: Forecast) -> str:
    """Each channel's nearest and farthest reading."""
    parts = []
    for channel in dict.fromkeys(point.channel for point in forecast.points):
        points = [point for point in forecast.points if point.channel == channel]
        ends = points if len(points) == 1 else [points[0], points[-1]]
        said = ", ".join(f"{format_horizon(end.horizon_s)} {_describe_point(end)}" for end in ends)
        parts.append(f"{channel} in {said}")
    return "; ".join(parts)


def _describe_point(point: ForecastPoint) -> str:
    return f"{_middle(point):.4g} {_interval(point)}{_unit(point.unit)}"


def _describe_stages(outlier: Outlier) -> str:
    stage = highest_stage(outlier)
    if stage is None:
        return "no detector applies"
    text = f"stage {stage} {STAGE_NAMES[stage]}"
    for item in outlier.stages:
        if item.stage:
            reading = "" if item.value is None else f" {item.value:.4g}{_unit(item.unit)}"
            why = item.cause.lower() or f"{item.percentile:.1f}%"
            text += f"; {f'{item.channel} {item.detector}'.strip()} {item.stage}{reading} ({why})"
    return text


def _describe_diagnosis(answer: FaultDiagnosis) -> str:
    """What it is, and what this window alone says: its three likeliest faults."""
    likeliest = sorted(answer.probabilities, key=lambda pair: -pair[1])[:3]
    said = ", ".join(f"{fault} {probability:.0%}" for fault, probability in likeliest)
    text = f"{answer.diagnosis or 'unknown'}; this window: {said}"
    if answer.novelty is None:
        return text
    return f"{text}; novelty {answer.novelty:.2f}{' UNKNOWN' * (answer.novelty >= NOVEL)}"


def _life_cells(result: Result) -> list[str]:
    if not result.estimates:
        return [result.name, "0"]
    life = result.estimates[-1].remaining_life
    low, high = format_duration(life.rul_low_s), format_duration(life.rul_high_s)
    return [
        result.name,
        str(len(result.estimates)),
        f"{life.life_fraction:.3f}",
        format_duration(life.rul_s),
        f"{low} to {high}",
        "yes" if life.alarm else "no",
    ]


def _forecast_cells(result: Result) -> list[list[str]]:
    part = result.contract.forecast
    if not result.estimates or part is None:
        return [[result.name, "0"]]
    actuals = Actuals(result.readings, part.mean_s) if result.readings is not None else None
    rows = []
    for place, newest in enumerate(result.estimates[-1].forecast.points):
        missed = []
        for estimate in result.estimates if actuals else ():
            time_us = estimate.window_end_us + newest.horizon_s * 1e6
            actual = actuals.at(newest.channel, time_us) if actuals else None
            if actual is not None:
                missed.append(abs(_middle(estimate.forecast.points[place]) - actual))
        rows.append(
            [
                result.name,
                str(len(result.estimates)),
                newest.channel,
                format_horizon(newest.horizon_s),
                f"{_middle(newest):.4g}{_unit(newest.unit)}",
                _interval(newest),
                f"{sum(missed) / len(missed):.3g} ({len(missed)})" if missed else "",
            ]
        )
    return rows


def _stage_cells(result: Result) -> list[str]:
    if not result.estimates:
        return [result.name, "0"]
    stages = [highest_stage(estimate.outlier) for estimate in result.estimates]
    newest = stages[-1]
    return [
        result.name,
        str(len(stages)),
        *(str(stages.count(stage)) for stage in range(5)),
        "none applies" if newest is None else STAGE_NAMES[newest],
    ]


def _diagnosis_cells(result: Result) -> list[str]:
    """The newest diagnosis, and its mean probability over the answers that it stands on.

    unknown: share of the windows whose own novelty says so. changes: of the stable diagnosis.
    """
    part = result.contract.fault
    label = [result.labelled] if result.labelled else []
    if not result.estimates or part is None:
        return [result.name, "0", *[""] * 4, *label]
    answers = [estimate.fault_diagnosis for estimate in result.estimates]
    newest = answers[-1]
    place = len(part.faults) if newest.unknown else part.faults.index(newest.diagnosis)
    novel = sum(answer.novelty is not None and answer.novelty >= NOVEL for answer in answers)
    told = [answer.diagnosis for answer in answers]
    return [
        result.name,
        str(len(answers)),
        newest.diagnosis or "unknown",
        f"{mean_votes(answers[-part.steady :])[place]:.0%}",
        f"{novel / len(answers):.0%}",
        str(sum(before != after for before, after in itertools.pairwise(told))),
        *label,
    ]


def _middle(point: ForecastPoint) -> float:
    return point.values[len(point.values) // 2][1]


def _interval(point: ForecastPoint) -> str:
    return f"({point.values[0][1]:.4g} to {point.values[-1][1]:.4g})"


def _unit(unit: str) -> str:
    return "" if unit in {"", "1"} else f" {unit}"
