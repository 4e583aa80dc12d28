"""Forecasters on the test part of a record, beside what needs no model, all on the same values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.training.forecast.baselines import list_baselines
from wearcast.training.forecast.model import predict_windows
from wearcast.training.forecast.train import ForecastSettings, Trained, train_forecast
from wearcast.training.forecast.windows import Array, Places, Windows, list_windows
from wearcast.training.loss import MemberEpoch
from wearcast.training.resources import StepCost, measure

# A residual further out than so many of its standard deviations is an outlier.
SIGMAS = 2.0


@dataclass(frozen=True)
class Score:
    """How far forecasts were off; a residual is the actual value less the predicted one.

    bias: mean of predicted less actual. outliers: residuals further than two standard deviations
    from 0, and centred: from their mean. Variances are over the count, not one less.
    """

    count: int
    rmse: float
    mae: float
    bias: float
    actual_mean: float
    actual_variance: float
    predicted_mean: float
    predicted_variance: float
    residual_mean: float
    residual_variance: float
    residual_min: float
    residual_max: float
    outliers: int
    outliers_centred: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Answers to the test part's windows.

    ends_us: int64 (n,), time of each window's last row. actual: float64 (n, targets, horizons), NaN
    where not scored. models: by name float64 (n, targets, horizons, quantiles). baselines: by name
    float64 (n, targets, horizons). left_out: models that could not be, with the reason.
    """

    targets: tuple[str, ...]
    units: tuple[str, ...]
    settings: ForecastSettings
    sizes: dict[str, int]
    ends_us: NDArray[np.int64]
    actual: Array
    models: dict[str, Array]
    baselines: dict[str, Array]
    losses: dict[str, list[MemberEpoch]]
    left_out: dict[str, str]
    costs: list[StepCost]

    @property
    def ways(self) -> dict[str, Array]:
        """Point forecasts by name, float64 (n, targets, horizons): of models the median."""
        middle = self.settings.quantiles.index(0.5)
        medians = {name: answers[..., middle] for name, answers in self.models.items()}
        return medians | self.baselines


def evaluate_forecast(
    rows: Rows,
    models: Sequence[str],
    *,
    targets: Sequence[str],
    variants: Sequence[bool] = (False, True),
    units: Mapping[str, str] | None = None,
    settings: ForecastSettings | None = None,
    time_zone: str = "UTC",
    seed: int = 0,
    on_trained: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Train each model in each variant on the first parts, and let all answer the last.

    variants: recursive or not. A recursive one that the settings don't allow is left out. A value
    is scored if it and all answers to it are there: so the figures of all are of the same values.

    Raises:
        InputError: as `train_forecast`, of a direct model; no window to score.
    """
    settings = settings or ForecastSettings()
    trained: dict[str, Trained] = {}
    left_out: dict[str, str] = {}
    costs: list[StepCost] = []
    for model, recursive in product(models, variants):
        name = f"{model}, {'recursive' if recursive else 'direct'}"
        try:
            with measure(f"train {name}", costs):
                trained[name] = train_forecast(
                    rows, model, targets=targets, units=units, time_zone=time_zone, seed=seed,
                    settings=replace(settings, recursive=recursive),
                )  # fmt: skip
        except InputError as error:
            if not recursive or not trained:
                raise
            left_out[name] = str(error.__cause__ or error)
        on_trained()
    windows = {name: list_test_windows(item) for name, item in trained.items()}
    # Time zones whose hours begin apart: what a model without a calendar is asked at other times.
    ends = _common([item.ends for item in windows.values()])
    windows = {name: replace(item, ends=ends) for name, item in windows.items()}
    answers = {}
    for name, item in trained.items():
        with measure(f"answer {name}", costs):
            answers[name] = predict_windows(item.model, windows[name]).astype(np.float64)
    first = next(iter(windows.values()))
    has_calendar = [name for name in trained if trained[name].model.config.calendar != "none"]
    calendar = (trained[has_calendar[0]].model, windows[has_calendar[0]]) if has_calendar else None
    baselines = list_baselines(first, calendar)
    # float64 as recorded: `Windows.targets` rounds to float32.
    actual = first.targets(ends).numpy().astype(np.float64)
    for way in baselines.values():
        actual = np.where(np.isfinite(way), actual, np.nan)
    kept = np.isfinite(actual).any(axis=(1, 2))
    if not kept.any():
        raise InputError("rows", "windows in the test part whose values followed", "none")
    parts = next(iter(trained.values())).parts
    return Evaluation(
        targets=tuple(targets),
        units=tuple((units or {}).get(name, "") for name in targets),
        settings=settings,
        sizes={
            "rows": len(rows),
            "training rows": len(parts.training),
            "test rows": len(parts.test),
            "test windows": int(kept.sum()),
            "values scored": int(np.isfinite(actual).sum()),
        },
        ends_us=rows.times_us[ends[kept]],
        actual=actual[kept],
        models={name: item[kept] for name, item in answers.items()},
        baselines={name: item[kept] for name, item in baselines.items()},
        losses={name: item.history for name, item in trained.items()},
        left_out=left_out,
        costs=costs,
    )


def list_test_windows(trained: Trained) -> Windows:
    """The windows of the test part that forecasts are asked of; all their rows lie in it."""
    return list_windows(trained.record, trained.model.config, trained.parts.test, due=True)


def score(actual: Array, predicted: Array) -> Score:
    """Figures over all values that are there; arrays of one shape, NaN where not scored.

    Raises:
        InputError: there is none.
    """
    present = np.isfinite(actual) & np.isfinite(predicted)
    actual, predicted = actual[present], predicted[present]
    if not len(actual):
        raise InputError("values", "1 or more to score", 0)
    residuals = actual - predicted
    plain, centred = (
        find_outliers(actual, predicted, centred=centred) for centred in (False, True)
    )
    return Score(
        count=len(actual),
        rmse=float(np.sqrt(np.mean(residuals**2))),
        mae=float(np.mean(np.abs(residuals))),
        bias=float(-residuals.mean()),
        actual_mean=float(actual.mean()),
        actual_variance=float(actual.var()),
        predicted_mean=float(predicted.mean()),
        predicted_variance=float(predicted.var()),
        residual_mean=float(residuals.mean()),
        residual_variance=float(residuals.var()),
        residual_min=float(residuals.min()),
        residual_max=float(residuals.max()),
        outliers=int(plain.sum()),
        outliers_centred=int(centred.sum()),
    )


def find_outliers(actual: Array, predicted: Array, *, centred: bool) -> NDArray[np.bool_]:
    """Residuals further than two standard deviations from 0, or from their mean if centred."""
    residuals = actual - predicted
    present = residuals[np.isfinite(residuals)]
    if not len(present):
        return np.zeros(residuals.shape, np.bool_)
    middle = present.mean() if centred else 0.0
    # NaN is never further.
    far: NDArray[np.bool_] = np.abs(residuals - middle) > SIGMAS * present.std()
    return far


def measure_interval(actual: Array, low: Array, high: Array) -> tuple[float, float]:
    """Share of values from low to high, and the mean width; NaN without any value."""
    present = np.isfinite(actual)
    if not present.any():
        return float("nan"), float("nan")
    inside = (actual >= low) & (actual <= high)
    return float(inside[present].mean()), float((high - low)[present].mean())


def _common(places: Sequence[Places]) -> Places:
    shared = places[0]
    for other in places[1:]:
        shared = np.intersect1d(shared, other)
    return shared
