"""From what models said of bearings held out from them to the contract's `RulCalibration`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from wearcast.signals.contract import RulCalibration
from wearcast.signals.life import GRID_S, LifeTracker, fit_line, remaining_cdf

# Shares of life at which remaining life is judged: 46, evenly from 50% to 95%.
CUTS = tuple(np.linspace(0.5, 0.95, 46))
# Shares of life at which the weight of the life fraction is chosen: all of it counts in service.
WHOLE = tuple(np.linspace(0.05, 0.95, 46))
# Below this many bearings held out there is nothing to learn about errors: the prior stands alone.
LEAST_HELD_OUT = 3
WEIGHTS = (0.0, 0.1, 0.25, 0.5, 1.0)
WHOLE_LIFE = (0.0, 1.0)
_LEVELS = 21
# Nor do lives spread less, however alike the few that are known.
_LEAST_LOG_SPREAD = 0.05
# No model of life fraction errs less than this on a bearing it has not seen.
_LEAST_SPREAD = 0.05
# A line that follows the truth less than this says nothing that could be corrected.
_LEAST_SLOPE = 0.2
Range = tuple[float, float]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a model that never saw a run to failure said of it.

    fractions: float32 (N - sequence + 1,), life fraction of each window. life_s: the whole life.
    """

    fractions: NDArray[np.float32]
    life_s: float
    sequence: int
    hop_s: float

    def at(self, shares: tuple[float, ...], points: int) -> NDArray[np.float64]:
        """Rows (age_s, line value) at shares of life, the line through `points` fractions."""
        return _rows(self, shares, points)


@lru_cache(maxsize=256)
def _rows(item: HeldOut, shares: tuple[float, ...], points: int) -> NDArray[np.float64]:
    """What `HeldOut.at` gives; each weight that is tried asks for the same again."""
    rows = []
    for share in shares:
        seen = max(round(share * item.life_s / item.hop_s), item.sequence + 1)
        seen = min(seen, round(item.life_s / item.hop_s) - 1)  # before it has failed
        stop = seen - item.sequence + 1
        recent = item.fractions[max(0, stop - points) : stop].astype(np.float64)
        line = fit_line(np.arange(len(recent), dtype=np.float64) * item.hop_s, recent)
        rows.append((seen * item.hop_s, 0.0 if line is None else line[1]))
    return np.array(rows)


def fit_prior(lives_s: list[float]) -> tuple[float, float]:
    """Mean and spread of the logarithm of the next life, given some lives in seconds.

    The spread is that of a new draw, with the uncertainty of the mean in it.
    """
    logs = np.log(lives_s)
    spread = float(logs.std(ddof=1)) if len(logs) > 1 else 1.0
    return float(logs.mean()), max(spread * math.sqrt(1 + 1 / len(logs)), _LEAST_LOG_SPREAD)


def fit_calibration(
    lives_s: Mapping[str, float],
    held_out: Mapping[str, HeldOut],
    used_between: Range = WHOLE_LIFE,
    weights: Sequence[float] = WEIGHTS,
) -> RulCalibration:
    """Prior, weight of the life fraction, and correction of the distribution.

    lives_s: all training bearings' lives. The weight is the mean of `weights`, each as probable as
    it makes the true remaining lives over the whole of life, every bearing judged by what the
    others teach and counted as one observation, for its errors hang together. With too few bearings
    held out, the prior stands alone.
    """
    if len(held_out) < LEAST_HELD_OUT:
        held_out, weights = without_vibration(lives_s), (0.0,)
    mean, spread = fit_prior(list(lives_s.values()))
    prior = RulCalibration(prior_log_mean=mean, prior_log_sd=spread)
    shares = WHOLE if used_between == WHOLE_LIFE else CUTS

    likelihoods = [
        len(held_out) * log_likelihood(crossed, held_out, shares)
        for crossed in (
            cross_distributions(lives_s, held_out, weight, used_between, shares)
            for weight in weights
        )
    ]
    odds = np.exp(np.array(likelihoods) - max(likelihoods))
    weight = float(odds @ np.array(weights) / odds.sum())
    crossed = cross_distributions(lives_s, held_out, weight, used_between, shares)
    return msgspec.structs.replace(
        fit_fractions(prior, held_out),
        fraction_weight=weight,
        levels=fit_levels(crossed, held_out, shares),
    )


def without_vibration(lives_s: Mapping[str, float]) -> dict[str, HeldOut]:
    """Lives of which nothing is said, for answers that look at the age alone."""
    return {
        name: HeldOut(np.zeros(1, dtype=np.float32), life_s, sequence=1, hop_s=10.0)
        for name, life_s in lives_s.items()
    }


def fit_fractions(prior: RulCalibration, held_out: Mapping[str, HeldOut]) -> RulCalibration:
    """How the line follows the true life fraction, and how far it errs once corrected for that."""
    shares = tuple(np.linspace(0.05, 0.98, 47))
    values = np.concatenate(
        [item.at(shares, prior.line_points)[:, 1] for item in held_out.values()]
    )
    true = np.tile(shares, len(held_out))
    slope, intercept = np.polyfit(true, values, 1)
    if slope < _LEAST_SLOPE:
        slope, intercept = 1.0, 0.0
    errors = (values - intercept) / slope - true
    return msgspec.structs.replace(
        prior,
        fraction_intercept=float(intercept),
        fraction_slope=float(slope),
        fraction_sd=max(float(np.sqrt(np.mean(errors**2))), _LEAST_SPREAD),
    )


def cross_distributions(
    lives_s: Mapping[str, float],
    held_out: Mapping[str, HeldOut],
    weight: float,
    used_between: Range,
    shares: tuple[float, ...] = CUTS,
) -> dict[str, NDArray[np.float64]]:
    """For each bearing held out, what the other bearings' calibration says of it.

    Distribution functions float64 (shares, grid) at shares of life, before any correction.
    """
    answers = {}
    for name, item in held_out.items():
        mean, spread = fit_prior([life for other, life in lives_s.items() if other != name])
        prior = RulCalibration(prior_log_mean=mean, prior_log_sd=spread, fraction_weight=weight)
        others = {other: value for other, value in held_out.items() if other != name}
        calibration = fit_fractions(prior, others)
        tracker = LifeTracker(calibration)
        answers[name] = np.stack(
            [
                remaining_cdf(calibration, age_s, tracker.correct(value), used_between)
                for age_s, value in item.at(shares, calibration.line_points)
            ]
        )
    return answers


def true_remaining_s(item: HeldOut, shares: tuple[float, ...] = CUTS) -> NDArray[np.float64]:
    """True remaining seconds at shares of life, float64 (shares,)."""
    return np.asarray(item.life_s - item.at(shares, 2)[:, 0])


def log_likelihood(
    answers: Mapping[str, NDArray[np.float64]],
    held_out: Mapping[str, HeldOut],
    shares: tuple[float, ...],
) -> float:
    """Mean logarithm of the density of log remaining life at the truth; high is good."""
    middles = (np.log(GRID_S)[1:] + np.log(GRID_S)[:-1]) / 2
    total = 0.0
    for name, cdfs in answers.items():
        for cdf, true_s in zip(cdfs, true_remaining_s(held_out[name], shares), strict=True):
            density = np.interp(np.log(true_s), middles, np.diff(cdf) / np.diff(np.log(GRID_S)))
            total += math.log(density + 1e-6) / len(cdfs)
    return total / len(answers)


def fit_levels(
    answers: Mapping[str, NDArray[np.float64]],
    held_out: Mapping[str, HeldOut],
    shares: tuple[float, ...],
) -> tuple[float, ...]:
    """Quantiles of the distribution functions at the true remaining lives, 0 and 1 at the ends.

    Source: probability integral transform; Kuleshov, Fenner and Ermon, Accurate uncertainties for
    deep learning using calibrated regression, ICML 2018.
    """
    found = [
        np.interp(np.log(true_s), np.log(GRID_S), cdf)
        for name, cdfs in answers.items()
        for cdf, true_s in zip(cdfs, true_remaining_s(held_out[name], shares), strict=True)
    ]
    inner = np.quantile(found, np.linspace(0, 1, _LEVELS)[1:-1])
    return (0.0, *(float(level) for level in inner), 1.0)
