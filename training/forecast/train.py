"""From rows of a plant to a forecaster's checkpoint."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec
import numpy as np
import torch

from wearcast.signals.cleaning import fit_bounds
from wearcast.signals.clock import find_zone
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.forecast import hybrid, linear, lstm
from wearcast.training.forecast.artefact import make_checkpoint, summarize
from wearcast.training.forecast.config import Calendar, Fitting, ForecastConfig
from wearcast.training.forecast.conformal import calibrate, measure_coverage
from wearcast.training.forecast.model import Forecaster
from wearcast.training.forecast.windows import (
    Array,
    Lessons,
    Parts,
    Record,
    list_windows,
    make_record,
    split_rows,
)
from wearcast.training.loss import MemberEpoch

HOUR_S = 3600.0
DAY_S = 86_400.0
# Windows that are learned from at the most, evenly from the whole part: more than neighbours can
# tell apart.
_MOST = 100_000
_MOST_TO_CHOOSE = 4_096
_MOST_TO_CALIBRATE = 20_000
# Values of each horizon that a part has at the least.
_LEAST = 20
_ABSURD = 1e9
# Inputs of a channel to a linear map at the most; longer windows are pooled.
_MOST_INPUTS = 96


@dataclass(frozen=True)
class ForecastSettings:
    """What may be chosen; the defaults are those of a plant with hourly forecasts for a week.

    window: rows. horizons_s: from a window's last row to that of a value. mean_s: a value is the
    mean reading over so many seconds that end there; one step: the reading itself. every_s:
    forecasts are asked for where the clock shows a whole multiple, or None: with each row.
    calendar: the usual course that is taken off, "none", "day" or "week"; None: none for the lstm,
    else a week. recursive: go on from the first horizon with the model's own answers. split: of the
    rows in time, training, calibration and test, or training and test. epochs: so many, none
    skipped; None: as many as the architecture has at the most.
    """

    window: int = 60
    horizons_s: tuple[float, ...] = tuple(day * DAY_S for day in range(1, 8))
    mean_s: float = HOUR_S
    every_s: float | None = HOUR_S
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)
    calendar: Calendar | None = None
    recursive: bool = False
    split: tuple[int, ...] = (8, 1, 1)
    epochs: int | None = None


@dataclass(frozen=True)
class _Architecture:
    config: type[ForecastConfig]
    model: Callable[[Any], Forecaster]
    fitting: Fitting
    calendar: Calendar


_ARCHITECTURES = {
    "linear": _Architecture(linear.LinearConfig, linear.Linear, Fitting(), "week"),
    "lstm": _Architecture(lstm.LstmConfig, lstm.Lstm, lstm.FITTING, "none"),
    "hybrid": _Architecture(hybrid.HybridConfig, hybrid.Hybrid, hybrid.FITTING, "week"),
}


@dataclass(frozen=True, eq=False)
class Trained:
    """A forecaster and how it came about; `parts` of the record were used for what they say."""

    checkpoint: Checkpoint
    model: Forecaster
    history: list[MemberEpoch]
    parts: Parts
    record: Record
    interrupted: bool


def train_forecast(
    rows: Rows,
    architecture: str = "linear",
    *,
    targets: Sequence[str],
    units: Mapping[str, str] | None = None,
    settings: ForecastSettings | None = None,
    time_zone: str = "UTC",
    seed: int = 0,
    on_epoch: Callable[[MemberEpoch], None] = lambda _: None,
) -> Trained:
    """Fit a forecaster to all parts but the last; the test part's readings change nothing.

    targets: channels that are forecast; all channels of the rows are looked at. units: of each
    channel. time_zone: where hours and weekdays count; with no calendar it is UTC whatever is
    given, for such a graph is not told the time. The same rows, settings and seed give the same
    weights.

    Raises:
        InputError: a channel or setting that does not fit; too few rows.
    """
    settings, units = settings or ForecastSettings(), units or {}
    if architecture not in _ARCHITECTURES:
        raise InputError("architecture", " or ".join(_ARCHITECTURES), architecture)
    kind = _ARCHITECTURES[architecture]
    settings = replace(settings, calendar=settings.calendar or kind.calendar)
    find_zone(time_zone)
    zone = "UTC" if settings.calendar == "none" else time_zone
    config = _make_config(rows, kind, targets, settings)
    parts = split_rows(len(rows), settings.split, _count_least(rows, config, settings))
    _check_first_part(parts, config)
    seen = slice(0, parts.choose.stop)
    # A channel without a spread has none; then only what no sensor reads is left out.
    bounds = np.clip(np.array(fit_bounds(rows.values[seen])), -_ABSURD, _ABSURD)
    inside = (rows.values >= bounds[:, 0]) & (rows.values <= bounds[:, 1])
    # What the model is judged by is what was read.
    inside[parts.test.start :] = True
    sound = np.where(inside, rows.values, np.nan)
    _check_readings(rows, sound[seen])
    record = make_record(rows, sound, mean=config.mean, time_zone=zone, every_s=settings.every_s)
    history: list[MemberEpoch] = []

    def note(epoch: MemberEpoch) -> None:
        history.append(epoch)
        on_epoch(epoch)

    threads = torch.get_num_threads()
    # The matrices are small: threads would only wait for each other, and sum in another order.
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = kind.model(config)
            model.bounds.copy_(torch.from_numpy(bounds.T))
            model.fit_scaling(sound[seen], record.means[seen], record.minutes[seen].numpy())
            fitting = kind.fitting.for_sequence(config.sequence)
            if settings.epochs is not None:
                fitting = replace(fitting, epochs=settings.epochs, patience=settings.epochs)
            lessons = _make_lessons(record, config, parts)
            interrupted = model.fit(lessons, fitting, seed=seed, on_epoch=note)
        model.eval()
        windows = list_windows(
            record, config, parts.calibrate, due=True, most=_MOST_TO_CALIBRATE, lead_in=True
        )
        calibrate(model, windows)
        coverage = measure_coverage(model, windows)
    finally:
        torch.set_num_threads(threads)
    summary = summarize(rows, parts, bounds, history) | {
        "time_zone": zone,
        "seed": seed,
        "settings": msgspec.to_builtins(asdict(settings)),
        "interrupted": interrupted,
        "calibration_windows": len(windows),
        "calibration_coverage": {
            f"{quantile:g}": float(np.nanmean(coverage[..., place]))
            for place, quantile in enumerate(config.quantiles)
        },
    }
    checkpoint = make_checkpoint(
        rows, architecture, model, sound[seen], summary,
        units=units, time_zone=zone, every_s=settings.every_s,
    )  # fmt: skip
    return Trained(checkpoint, model, history, parts, record, interrupted)


def count_epochs(
    architecture: str, settings: ForecastSettings, *, channels: int, targets: int
) -> int:
    """How often `on_epoch` is called at the most; `channels` and `targets`: how many."""
    members = channels if settings.recursive else targets
    if architecture == "linear":
        return members * len(linear.PENALTIES)
    epochs = settings.epochs or _ARCHITECTURES[architecture].fitting.epochs
    return epochs * (members if architecture == "lstm" else 1)


def _make_config(
    rows: Rows, kind: _Architecture, targets: Sequence[str], settings: ForecastSettings
) -> ForecastConfig:
    unknown = [name for name in targets if name not in rows.channels]
    if not targets or unknown or len(set(targets)) < len(targets):
        expected = f"one or more of {', '.join(rows.channels)}, each once"
        raise InputError("targets", expected, ", ".join(unknown or targets) or "none")
    if settings.every_s is not None:
        _count_steps("every", settings.every_s, rows)
    sizes: dict[str, Any] = {
        "channels": len(rows.channels),
        "targets": [rows.channels.index(name) for name in targets],
        "sequence": settings.window,
        "horizons": [_count_steps("horizons", item, rows) for item in settings.horizons_s],
        "mean": _count_steps("mean", settings.mean_s, rows),
        "step_min": rows.step_us / 60e6,
        "quantiles": settings.quantiles,
        "calendar": settings.calendar,
        "recursive": settings.recursive,
    }
    if issubclass(kind.config, linear.LinearConfig):
        sizes["pool"] = linear.choose_pool(settings.window, _MOST_INPUTS)
    try:
        return msgspec.convert(sizes, kind.config)
    except msgspec.ValidationError as error:
        raise InputError("settings", "sizes that fit each other", error) from error


def _count_steps(field: str, seconds: float, rows: Rows) -> int:
    """Whole steps in a duration."""
    steps, rest = divmod(round(seconds * 1e6), rows.step_us)
    if rest or steps < 1:
        expected = f"whole steps of {rows.step_us / 1e6:g} s"
        raise InputError(field, expected, f"{seconds:g} s")
    return steps


def _count_least(rows: Rows, config: ForecastConfig, settings: ForecastSettings) -> int:
    """Rows that a part needs so that each horizon has some values in it."""
    every = 1 if settings.every_s is None else _count_steps("every", settings.every_s, rows)
    return config.mean + _LEAST * every


def _check_first_part(parts: Parts, config: ForecastConfig) -> None:
    """What is fitted to has a window, and after it a value of each horizon."""
    least = config.sequence + config.horizons[-1] + config.mean + _LEAST
    if len(parts.fit) < least:
        expected = f"{least} or more to fit to, for a window and the longest horizon"
        raise InputError("rows", expected, f"{len(parts.fit)} of {parts.test.stop}")


def _check_readings(rows: Rows, sound: Array) -> None:
    for name, column in zip(rows.channels, sound.T, strict=True):
        if not np.isfinite(column).any():
            raise InputError(name, "readings in the training part", "none")


def _make_lessons(record: Record, config: ForecastConfig, parts: Parts) -> Lessons:
    both = range(parts.choose.stop)
    return Lessons(
        fit=list_windows(record, config, parts.fit, due=False, most=_MOST),
        choose=list_windows(
            record, config, parts.choose, due=True, most=_MOST_TO_CHOOSE, lead_in=True
        ),
        learn=list_windows(record, config, both, due=False, most=_MOST),
    )
