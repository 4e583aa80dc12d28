"""Remaining life at the cuts, by our way and by ways that need no vibration.

Each way is a distribution of the remaining life. Every one learns from the training bearings alone,
the point that it is scored at included.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import RulCalibration
from wearcast.signals.life import GRID_S, quantile_s, remaining_cdf
from wearcast.training.rul.calibration import (
    WHOLE_LIFE,
    HeldOut,
    Range,
    cross_distributions,
    fit_calibration,
    true_remaining_s,
    without_vibration,
)

Array = NDArray[np.float64]
# Ages and line values, float64 (N,) each, to distribution functions float64 (N, grid).
Answer = Callable[[Array, Array], Array]
# What the protocol's cuts lie between, with room for rounding to whole snapshots.
TOLD = (0.49, 0.96)
_CANDIDATES = np.linspace(0.02, 0.98, 97)


@dataclass(frozen=True)
class Way:
    """One way to answer; `point` is the quantile that scored best on the training bearings."""

    name: str
    answer: Answer
    point: float


def phm_score(true_s: Array, predicted_s: Array) -> Array:
    """Score of the PHM 2012 challenge, 1 for exact down to 0; late answers lose faster.

    Er = 100 (true - predicted) / true; exp(-ln(0.5) Er / 5) for Er <= 0, else exp(ln(0.5) Er / 20).
    Source: Nectoux et al., PRONOSTIA, PHM 2012.

    >>> phm_score(np.array([100.0, 100.0]), np.array([105.0, 80.0])).round(6).tolist()
    [0.5, 0.5]
    """
    error = 100 * (true_s - predicted_s) / true_s
    return np.asarray(np.exp(np.log(0.5) * np.where(error <= 0, -error / 5, error / 20)))


def make_ways(
    name: str,
    calibration: RulCalibration,
    lives_s: Mapping[str, float],
    held_out: Mapping[str, HeldOut],
) -> list[Way]:
    """Our ways and those without vibration, learned from the training bearings.

    calibration: as served. lives_s, held_out: of the training bearings.
    """
    silent = without_vibration(lives_s)
    heard = held_out or silent
    told = fit_calibration(lives_s, held_out, TOLD)
    plain = fit_calibration(lives_s, silent, weights=(0.0,))
    plain_told = fit_calibration(lives_s, silent, TOLD, weights=(0.0,))
    ages, true = _ages_and_truths(silent)
    ratios = true / ages
    return [
        _tune(name, _posterior(calibration), _cross(calibration, lives_s, heard), heard),
        _tune(f"{name}, told", _posterior(told, TOLD), _cross(told, lives_s, heard, TOLD), heard),
        _tune_in_sample("constant", lambda ages, _: _steps(np.tile(true, (len(ages), 1))), silent),
        _tune_in_sample("k x elapsed", lambda ages, _: _steps(np.outer(ages, ratios)), silent),
        _tune("prior", _posterior(plain), _cross(plain, lives_s, silent), silent),
        _tune(
            "prior, told",
            _posterior(plain_told, TOLD),
            _cross(plain_told, lives_s, silent, TOLD),
            silent,
        ),
    ]


def _posterior(calibration: RulCalibration, used_between: Range = WHOLE_LIFE) -> Answer:
    def answer(ages: Array, values: Array) -> Array:
        return np.stack(
            [
                remaining_cdf(calibration, age_s, value, used_between)
                for age_s, value in zip(ages, values, strict=True)
            ]
        )

    return answer


def _cross(
    calibration: RulCalibration,
    lives_s: Mapping[str, float],
    held_out: Mapping[str, HeldOut],
    used_between: Range = WHOLE_LIFE,
) -> dict[str, Array]:
    """Corrected answers for each training bearing by what the others teach."""
    crossed = cross_distributions(lives_s, held_out, calibration.fraction_weight, used_between)
    levels = calibration.levels
    return {
        name: np.interp(cdfs, levels, np.linspace(0, 1, len(levels)))
        for name, cdfs in crossed.items()
    }


def _tune(
    name: str, answer: Answer, crossed: Mapping[str, Array], held_out: Mapping[str, HeldOut]
) -> Way:
    def score(point: float) -> float:
        return float(
            np.mean(
                [
                    phm_score(true_remaining_s(held_out[bearing]), quantiles_s(cdfs, point)).mean()
                    for bearing, cdfs in crossed.items()
                ]
            )
        )

    return Way(name, answer, max(_CANDIDATES, key=score))


def _tune_in_sample(name: str, answer: Answer, silent: Mapping[str, HeldOut]) -> Way:
    crossed = {}
    for bearing, item in silent.items():
        ages = item.life_s - true_remaining_s(item)
        crossed[bearing] = answer(ages, np.zeros_like(ages))
    return _tune(name, answer, crossed, silent)


def quantiles_s(cdfs: Array, probability: float) -> Array:
    """Remaining seconds that each distribution function (N, grid) reaches a probability at."""
    return np.array([quantile_s(cdf, probability) for cdf in cdfs])


def _steps(samples: Array) -> Array:
    """Distribution functions (N, grid) of samples (N, samples)."""
    ordered = np.sort(samples, axis=1)
    return np.stack([np.searchsorted(row, GRID_S, side="right") / len(row) for row in ordered])


def _ages_and_truths(silent: Mapping[str, HeldOut]) -> tuple[Array, Array]:
    true = np.concatenate([true_remaining_s(item) for item in silent.values()])
    lives = np.concatenate(
        [np.full(len(true_remaining_s(item)), item.life_s) for item in silent.values()]
    )
    return lives - true, true
