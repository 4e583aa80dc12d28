"""Parcels as bodies of HTTP requests, JSON or CSV, with the same names in both.

Rows have the columns of the plant's table; forecasts a line for each channel, horizon and quantile;
alerts a line each. Times are ISO 8601, UTC. Nothing is null in JSON and empty in CSV; quality is a
list in JSON and flags with a space between in CSV.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from wearcast.clients.edge.carriers.carrier import RefusedError
from wearcast.signals.clock import format_time
from wearcast.signals.parcel import Parcel

_FORECAST_NAMES = (
    "model", "window_end", "channel", "unit", "horizon_s", "time", "quantile", "value"
)  # fmt: skip
_ALERT_NAMES = (
    "id", "kind", "time", "detector", "channel", "unit", "stage", "previous_stage", "value",
    "cause", "model", "quality",
)  # fmt: skip


class _Part(NamedTuple):
    """One kind of content as a table."""

    name: str
    names: Sequence[str]
    lines: Iterable[Sequence[Any]]


def to_json(parcel: Parcel) -> bytes:
    """The parcel as one JSON object."""
    units = parcel.columns.channels if parcel.columns else ()
    content: dict[str, Any] = {
        "key": parcel.key,
        "asset": parcel.asset,
        "kind": parcel.kind.value,
        "first": format_time(parcel.first_us),
        "end": format_time(parcel.end_us),
        "created": format_time(parcel.created_us),
        "expected": parcel.expected,
        "complete": parcel.complete,
        "units": dict(units),
    }
    for part in _split(parcel):
        content[part.name] = [dict(zip(part.names, line, strict=True)) for line in part.lines]
    return msgspec.json.encode(content)


def to_csv(parcel: Parcel) -> bytes:
    """The content of the parcel as one table; what else it says has to go into headers.

    Raises:
        RefusedError: it holds several kinds of content.
    """
    kept = [part for part in _split(parcel) if getattr(parcel, part.name)]
    if len(kept) > 1:
        got = " and ".join(part.name for part in kept)
        raise RefusedError(f"parcel: expected one kind of content, as it goes as CSV, got {got}")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for part in kept or [_own_part(parcel)]:
        writer.writerow(part.names)
        for line in part.lines:
            writer.writerow([" ".join(item) if isinstance(item, tuple) else item for item in line])
    return text.getvalue().encode()


def _own_part(parcel: Parcel) -> _Part:
    """The part that a parcel of this kind has; for one with nothing in it."""
    name = parcel.kind.value.lower()
    return next((part for part in _split(parcel) if part.name == name), _split(parcel)[0])


def _split(parcel: Parcel) -> list[_Part]:
    names = parcel.columns.names if parcel.columns else ["time", "quality"]
    rows = (
        (format_time(row.time_us), *row.readings, *row.predictions, *row.stages, row.quality)
        for row in parcel.rows
    )
    return [
        _Part("rows", names, rows),
        _Part("forecasts", _FORECAST_NAMES, _forecast_lines(parcel)),
        _Part("alerts", _ALERT_NAMES, _alert_lines(parcel)),
    ]


def _forecast_lines(parcel: Parcel) -> Iterator[Sequence[Any]]:
    for estimate in parcel.forecasts:
        for point in estimate.forecast.points:
            time = format_time(estimate.window_end_us + round(point.horizon_s * 1e6))
            for quantile, value in point.values:
                yield (
                    estimate.model,
                    format_time(estimate.window_end_us),
                    point.channel,
                    point.unit,
                    point.horizon_s,
                    time,
                    quantile,
                    value,
                )


def _alert_lines(parcel: Parcel) -> Iterator[Sequence[Any]]:
    for alert in parcel.alerts:
        yield (
            alert.id,
            alert.kind.value,
            format_time(alert.time_us),
            alert.detector,
            alert.channel,
            alert.unit,
            alert.stage,
            alert.previous_stage,
            alert.value,
            alert.cause,
            alert.model,
            alert.quality,
        )
