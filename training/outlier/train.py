"""Fit an outlier model to the rows of a plant: everything in closed form, nothing by chance."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from wearcast.signals.clock import format_time, local_us, minutes_of_week
from wearcast.signals.contract import Output
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.signals.stages import NIGHT, Side, check_side, parse_night
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.outlier.config import OutlierConfig, outlier_part
from wearcast.training.outlier.folds import standardise_held_out
from wearcast.training.outlier.model import OutlierModel
from wearcast.training.outlier.multivariate import fit_multivariate
from wearcast.training.outlier.night import fit_night
from wearcast.training.outlier.predicted import fit_weights
from wearcast.training.outlier.system import Limits, fit_limits
from wearcast.training.outlier.table import (
    Array,
    Baseline,
    Places,
    check_baseline,
    fit_table,
    hours_of_week,
    levels,
)

ARCHITECTURE = "outlier"
_DAY_US = 86_400_000_000
_FLOW = "flow"


@dataclass(frozen=True)
class OutlierSettings:
    """What may be chosen.

    baseline: what a reading's normal hangs on. sides: for channels by name which readings are
    unusual; others: high ones of a flow, both of everything else. flows: channels that have a least
    flow at night; None: those with "flow" in their name. ranges: physical ranges by channel, in its
    unit; others are taken from the training data. night: where the first and the last ten-minute
    slot of the night begin; None: no such detector. sequence, history, smoothing: in rows, see
    `OutlierConfig`.
    """

    baseline: Baseline = "hour-of-week"
    sides: Mapping[str, Side] = field(default_factory=dict)
    flows: tuple[str, ...] | None = None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    night: str | None = NIGHT
    sequence: int = 120
    history: int = 60
    smoothing: int = 10


def train_outlier(
    rows: Rows,
    *,
    units: Mapping[str, str],
    time_zone: str | None = "UTC",
    settings: OutlierSettings | None = None,
) -> Checkpoint:
    """Fit all detectors to rows that are mostly normal; the caller keeps rows back for tests.

    units: of each channel; "" where it has none. time_zone: where hours and weekdays count; None:
    the time of day is not looked at, which takes a global baseline and no night. The same rows give
    the same model.

    Raises:
        InputError: too few rows; a channel without readings; a setting that does not fit.
    """
    settings = settings or OutlierSettings()
    config = _make_config(rows, time_zone, settings)
    for name in units:
        if name not in rows.channels:
            raise InputError("unit", f"one of {', '.join(rows.channels)}", name)
    limits, values = _fit_system(rows, config, settings)
    rows = Rows(rows.channels, rows.start_us, rows.step_us, values)
    clock = minutes_of_week(rows.times_us, time_zone or "UTC")
    days = local_us(rows.times_us, time_zone or "UTC") // _DAY_US
    model = OutlierModel(config)
    model.system.load(limits)
    places = hours_of_week(clock) if config.clock else np.zeros(len(rows), dtype=np.int64)
    groups = levels(check_baseline(settings.baseline))
    if config.clock and len(groups[0]) == 1:  # a global baseline beside a night
        groups = [np.zeros(len(model.table.mean), dtype=np.int64)]
    spread = _fit_values(model, values, places, days, groups)
    if config.has_night:
        model.night.table.load(*fit_night(rows, clock, days, config))
    return Checkpoint(
        kind="outlier",
        architecture=ARCHITECTURE,
        config=msgspec.to_builtins(asdict(config)),
        state_dict=model.state_dict(),
        channels=tuple((name, units.get(name, "")) for name in config.channels),
        sample_rate_hz=1 / config.step_s,
        window=1,
        hop_s=config.step_s,
        sequence=config.sequence,
        outputs=_make_outputs(model, values),
        center=tuple(float(value) for value in np.nanmean(values, axis=0)),
        scale=tuple(float(value) for value in np.maximum(np.nanstd(values, axis=0), spread)),
        time_zone=time_zone if config.clock else None,
        missing=True,
        partial=True,
        outlier=outlier_part(config, {name: units.get(name, "") for name in config.channels}),
        training={"time_zone": time_zone or "UTC", **_summarize(rows, settings, limits)},
    )


def _make_config(rows: Rows, time_zone: str | None, settings: OutlierSettings) -> OutlierConfig:
    names = rows.channels
    for where, mentioned in (
        ("side", settings.sides),
        ("flow", settings.flows or ()),
        ("range", settings.ranges),
    ):
        for name in mentioned:
            if name not in names:
                raise InputError(where, f"some of {', '.join(names)}", name)
    if time_zone is None and (settings.baseline != "global" or settings.night is not None):
        raise InputError("time_zone", "one for baselines by time and for nights", "none")
    found = tuple(name for name in names if _FLOW in name.lower())
    flows = found if settings.flows is None else settings.flows
    # A leak lets more flow; of other channels nobody says which way is bad.
    usual: dict[str, Side] = {name: "upper" if name in flows else "both" for name in names}
    sides = tuple(check_side("side", settings.sides.get(name, usual[name])) for name in names)
    start, slots = (0, 0) if settings.night is None else parse_night(settings.night)
    try:
        return OutlierConfig(
            channels=names,
            sides=sides,
            flows=flows,
            step_s=rows.step_us / 1e6,
            sequence=settings.sequence,
            history=settings.history,
            smoothing=settings.smoothing,
            # A graph that never looks at its clock would lose that input when it is exported.
            clock=settings.baseline != "global" or slots > 0,
            night_start_min=start,
            night_slots=slots,
        )
    except ValueError as error:
        field_name, _, expected = str(error).partition(": expected ")
        raise InputError(field_name, expected, "another value") from error


def _fit_system(
    rows: Rows, config: OutlierConfig, settings: OutlierSettings
) -> tuple[list[Limits], Array]:
    """Limits of each sensor, and the readings within them; others are NaN."""
    if len(rows) < 2 * config.sequence:
        raise InputError("rows to fit to", f"{2 * config.sequence} or more", len(rows))
    values = rows.values.copy()
    limits = []
    for channel, name in enumerate(rows.channels):
        column = values[:, channel]
        low, high = settings.ranges.get(name, (-np.inf, np.inf))
        if not low < high:
            raise InputError(f"range of {name}", "LOW below HIGH", f"{low:g}:{high:g}")
        if not ((column >= low) & (column <= high)).any():
            raise InputError(name, "readings within the physical range", "none")
        limits.append(fit_limits(column, config.sequence, settings.ranges.get(name)))
        column[~((column >= limits[-1].low) & (column <= limits[-1].high))] = np.nan
    return limits, values


def _fit_values(
    model: OutlierModel,
    values: Array,
    places: Places,
    days: NDArray[np.int64],
    groups: list[Places],
) -> Array:
    """Fit what judges values; gives each channel's smallest standard deviation."""
    mean, sd = fit_table(values, places, days, groups)
    model.table.load(mean, sd)
    if len(groups) > 1:
        z = standardise_held_out(values, places, days, groups, model.config.sequence)
    else:  # one mean for all times is known well, and only a change of unit
        z = (values - mean[places]) / sd[places]
    weights, residuals = fit_weights(z, model.config)
    model.predicted.weights.copy_(torch.from_numpy(weights))
    # What is left by the forecast differs by hour of the day, but hardly by weekday.
    model.predicted.table.load(*fit_table(residuals, places, days, groups[:2]))
    if model.config.has_multivariate:
        model.multivariate.load(fit_multivariate(z, model.config.smoothing))
    return np.asarray(sd.min(axis=0))


def _make_outputs(model: OutlierModel, values: Array) -> tuple[Output, ...]:
    """What the graph gives, and how far another machine may be off.

    Values: a thousandth of the widest channel's spread, for sums of residuals and distances in
    float32; percentiles: a hundredth; stages and causes are whole numbers.
    """
    config = model.config
    points = (config.size * len(config.detectors) + config.has_multivariate,)
    widest = float(max(1.0, np.nanstd(values, axis=0).max()))
    return (
        Output("value", "", points, 1e-3 * widest),
        Output("percentile", "%", points, 1e-2),
        Output("stage", "", points, 0.5),
        Output("cause", "", points, 0.5),
    )


def _summarize(rows: Rows, settings: OutlierSettings, limits: list[Limits]) -> dict[str, Any]:
    return {
        "rows": len(rows),
        "from": format_time(rows.start_us),
        "to": format_time(rows.start_us + (len(rows) - 1) * rows.step_us),
        "known": {name: float(np.mean(~np.isnan(rows.column(name)))) for name in rows.channels},
        "settings": msgspec.to_builtins(asdict(settings)),
        "limits": {name: asdict(item) for name, item in zip(rows.channels, limits, strict=True)},
        "torch": str(torch.__version__),
    }
