"""The tables that `wearcast evaluate rul` prints, in Markdown."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wearcast.training.curve import area_under_curve
from wearcast.training.rul.baselines import phm_score
from wearcast.training.rul.evaluate import (
    HORIZONS_S,
    TEST_RUL_S,
    BearingResult,
    TestResult,
    WayResult,
    lead_times_s,
)

Rows = list[list[str]]
# The threshold that a notice is given at; the contract's third.
ALARM = 0.9


def report_left_out(results: Sequence[BearingResult]) -> list[str]:
    """Life fraction, remaining life, paired gains and alarms of the bearings left out."""
    ways = list(results[0].ways)
    return [
        "## Life fraction of bearings left out",
        "RMSE and MAE (in brackets), mean over seeds; 0 is new, 1 is failed.",
        _fractions(results),
        "## Remaining life at 46 cuts from 50% to 95% of life",
        (
            "Score: PHM 2012, high is good, each way at its best quantile on the training "
            "bearings; MAE: of the median; coverage and width: of the 80% interval. A way that is "
            "told knows that the cuts lie between 50% and 95% of life; constant and k x elapsed "
            "learned it."
        ),
        _remaining(results, ways),
        "PHM 2012 score by bearing:",
        _by_bearing(results, ways, lambda way: way.score, "{:.3f}"),
        "Coverage of the 80% interval by bearing:",
        _by_bearing(results, ways, lambda way: way.coverage, "{:.2f}"),
        "MAE of the median by bearing, in seconds:",
        _by_bearing(results, ways, lambda way: way.mae_s, "{:,.0f}"),
        *_gains(results, ways),
        "## Alarm: the probability of failing within 10, 30 and 60 minutes, over whole lives",
        (
            "AUC pooled: all windows of all bearings left out against each other, bearings of "
            "equal weight; AUC within: of each bearing alone, then the mean (anything that only "
            "grows with age has 1). Lead time: mean and by bearing, at one threshold for all "
            "bearings that gives one false alarm a life on average. First seed. The line is the "
            "life fraction's line itself, without any prior."
        ),
        _alarms(results, ways),
        "## Notice: the line at or over 0.9",
        "When it was first given, as a share of life, and the time left then; by seed.",
        _notices(results),
    ]


def report_test(results: Sequence[TestResult]) -> list[str]:
    """What is said at the official cuts of the test bearings."""
    rows: Rows = []
    for bearing in dict.fromkeys(item.bearing for item in results):
        mine = [item for item in results if item.bearing == bearing]
        true = TEST_RUL_S[bearing]
        for way in mine[0].answers:
            point, median, low, high = np.mean([item.answers[way] for item in mine], axis=0)
            scores = [float(phm_score(np.array([value]), np.array([point]))[0]) for value in true]
            inside = "yes" if low <= true[0] <= high else "no"
            rows.append(
                [
                    bearing,
                    way,
                    " or ".join(f"{value:,.0f}" for value in true),
                    f"{point:,.0f}",
                    " or ".join(f"{score:.3f}" for score in scores),
                    f"{median:,.0f}",
                    f"{low:,.0f} to {high:,.0f}",
                    inside,
                ]
            )
    header = ["bearing", "way", "true s", "point s", "score", "median s", "80% interval s", "holds"]
    return [
        "## Official cuts of the test bearings",
        (
            "Trained on all learning bearings; means over seeds. The second figure for Bearing1_4 "
            "is the organisers'. So few cuts rank nothing: the score hangs on the draw."
        ),
        _table(header, rows),
    ]


def summarize(results: Sequence[BearingResult]) -> dict[str, Any]:
    """The means over seeds, then over bearings, as plain values."""
    ways = list(results[0].ways)
    return {
        "life_fraction_rmse": {
            name: _mean(results, lambda item, name=name: item.rmse[name])  # type: ignore[misc]
            for name in results[0].rmse
        },
        "ways": {
            way: {
                name: _mean(results, lambda item, w=way, n=name: getattr(item.ways[w], n))  # type: ignore[misc]
                for name in ("score", "mae_s", "last_hour_mae_s", "coverage", "width_s")
            }
            for way in ways
        },
    }


def _fractions(results: Sequence[BearingResult]) -> str:
    names = list(results[0].rmse)
    rows = []
    for bearing in _bearings(results):
        mine = [item for item in results if item.bearing == bearing]
        cells = [
            f"{np.mean([item.rmse[name] for item in mine]):.3f} "
            f"({np.mean([item.mae[name] for item in mine]):.3f})"
            for name in names
        ]
        rows.append([bearing, *cells])
    means = [
        f"{_mean(results, lambda item, n=name: item.rmse[n]):.3f} "  # type: ignore[misc]
        f"({_mean(results, lambda item, n=name: item.mae[n]):.3f})"  # type: ignore[misc]
        for name in names
    ]
    return _table(["bearing", *names], [*rows, ["mean", *means]])


def _remaining(results: Sequence[BearingResult], ways: Sequence[str]) -> str:
    columns = {
        "score": ("score", "{:.3f}"),
        "MAE s": ("mae_s", "{:,.0f}"),
        "MAE s, last hour": ("last_hour_mae_s", "{:,.0f}"),
        "coverage": ("coverage", "{:.2f}"),
        "width s": ("width_s", "{:,.0f}"),
    }
    rows = [
        [
            way,
            *(
                text.format(_mean(results, lambda item, w=way, n=name: getattr(item.ways[w], n)))  # type: ignore[misc]
                for name, text in columns.values()
            ),
        ]
        for way in ways
    ]
    return _table(["way", *columns], rows)


def _by_bearing(
    results: Sequence[BearingResult],
    ways: Sequence[str],
    pick: Callable[[WayResult], float],
    text: str,
) -> str:
    rows = []
    for way in ways:
        values = _per_bearing(results, lambda item, w=way: pick(item.ways[w]))  # type: ignore[misc]
        rows.append([way, *(text.format(value) for value in values)])
    return _table(["way", *_bearings(results)], rows)


def _gains(results: Sequence[BearingResult], ways: Sequence[str]) -> list[str]:
    """Score of our ways less that of the others, bearing by bearing."""
    if len(_bearings(results)) < 2:  # noqa: PLR2004 a standard error needs two
        return []
    ours, others = ways[:2], ways[2:]
    rows = []
    for mine in ours:
        cells = []
        for other in others:
            gain: NDArray[np.float64] = np.subtract(
                _per_bearing(results, lambda item, w=mine: item.ways[w].score),  # type: ignore[misc]
                _per_bearing(results, lambda item, w=other: item.ways[w].score),  # type: ignore[misc]
            )
            error = gain.std(ddof=1) / np.sqrt(len(gain))
            cells.append(f"{gain.mean():+.3f} ± {error:.3f}")
        rows.append([mine, *cells])
    return [
        (
            "Paired gain in score over each way without vibration, with its standard error over "
            "bearings:"
        ),
        _table(["way", *(f"over {other}" for other in others)], rows),
    ]


def _alarms(results: Sequence[BearingResult], ways: Sequence[str]) -> str:
    first = [item for item in results if item.seed == results[0].seed]
    remaining = [item.remaining_s for item in first]
    weights = [np.full(len(item), 1 / len(item)) for item in remaining]
    rows = []
    for place, horizon_s in enumerate(HORIZONS_S):
        for way in (*(way for way in ways if not way.endswith(", told")), "line"):
            scores = [
                item.line if way == "line" else item.ways[way].probabilities[:, place]
                for item in first
            ]
            pooled = area_under_curve(
                np.concatenate(scores),
                np.concatenate(remaining) <= horizon_s,
                np.concatenate(weights),
            )
            within = [
                area_under_curve(score, left <= horizon_s, weight)
                for score, left, weight in zip(scores, remaining, weights, strict=True)
            ]
            leads = lead_times_s(list(zip(scores, remaining, strict=True)), horizon_s)
            each = ", ".join(f"{lead:,.0f}" for lead in leads)
            rows.append(
                [
                    f"{horizon_s / 60:.0f} min",
                    way,
                    f"{pooled:.3f}",
                    f"{np.mean(within):.3f}",
                    f"{np.mean(leads):,.0f} ({each})",
                ]
            )
    return _table(["within", "way", "AUC pooled", "AUC within", "lead time s"], rows)


def _notices(results: Sequence[BearingResult]) -> str:
    rows = []
    for bearing in _bearings(results):
        cells = []
        for item in (item for item in results if item.bearing == bearing):
            over = np.flatnonzero(item.line >= ALARM)
            if not len(over):
                cells.append("never")
                continue
            left, life = item.remaining_s[over[0]], len(item.remaining_s)
            cells.append(f"{over[0] / life:.2f}, {left:,.0f} s")
        rows.append([bearing, *cells])
    return _table(["bearing", *(f"seed {item.seed}" for item in results[:: len(rows)])], rows)


def _bearings(results: Sequence[BearingResult]) -> list[str]:
    return list(dict.fromkeys(item.bearing for item in results))


def _per_bearing(
    results: Sequence[BearingResult], pick: Callable[[BearingResult], float]
) -> list[float]:
    """Mean over seeds for each bearing."""
    return [
        float(np.mean([pick(item) for item in results if item.bearing == bearing]))
        for bearing in _bearings(results)
    ]


def _mean(results: Sequence[BearingResult], pick: Callable[[BearingResult], float]) -> float:
    return float(np.mean(_per_bearing(results, pick)))


def _table(header: Sequence[str], rows: Rows) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
