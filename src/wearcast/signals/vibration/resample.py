"""Brings signals of different rates to one: with an anti-alias filter, or along straight lines."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.vibration import Vibration

# Chosen: ratios of real rates have small terms, such as 92/125; any other is met to 1 in 20,000.
_MAX_TERM = 10_000
_MAX_RATIO = 1_000.0
# Kaiser, Nonrecursive digital filter design using the I0-sinh window function, 1974: 60 dB of
# attenuation need this beta, and this many periods of the lower rate to each side for a transition
# from 0.88 to 1 of the Nyquist frequency. 60 dB is chosen: a thousandth, below most sensors' noise.
_BETA = 5.65
_HALF_PERIODS = 32
_CUTOFF = 0.94


def resample(values: NDArray[np.floating], from_hz: float, to_hz: float) -> NDArray[np.float32]:
    """The same signals at another rate, float32 (..., ceil(n * to_hz / from_hz)).

    values: (..., n). What lies above the Nyquist frequency of the lower rate is 60 dB down, what
    lies below 0.88 of it is kept to a thousandth. Before and after the record the signal counts as
    its mean, so that the first and last 32 samples of the lower rate are less exact.

    Raises:
        InputError: a rate is not over 0, or one is more than 1,000 times the other.
    """
    ratio = _find_ratio(from_hz, to_hz)
    if ratio == 1 or values.shape[-1] == 0:
        return values.astype(np.float32)
    from scipy.signal import firwin, resample_poly  # noqa: PLC0415

    longer = max(ratio.numerator, ratio.denominator)
    taps = firwin(2 * _HALF_PERIODS * longer + 1, _CUTOFF / longer, window=("kaiser", _BETA))
    resampled: NDArray[np.float64] = resample_poly(
        np.asarray(values, np.float64),
        ratio.numerator,
        ratio.denominator,
        axis=-1,
        window=taps,
        padtype="mean",
    )
    return resampled.astype(np.float32)


def resample_linear(
    times_s: NDArray[np.float64], values: NDArray[np.floating], to_hz: float, count: int
) -> NDArray[np.float32]:
    """Values at 0, 1/to_hz, ... on straight lines between the samples, float32 (..., count).

    times_s: (n,), rising. values: (..., n). Nothing is filtered: what lies above the new Nyquist
    frequency comes back as another frequency. Beyond the first and the last sample their values
    hold, for up to one step.

    Raises:
        InputError: a time asked for lies further outside than that, or the rate is not over 0.
    """
    if not to_hz > 0:
        raise InputError("to_hz", "over 0", to_hz)
    wanted_s = np.arange(count) / to_hz
    step_s = (times_s[-1] - times_s[0]) / max(len(times_s) - 1, 1)
    outer_s = (times_s[0] - step_s * (1 + 1e-6), times_s[-1] + step_s * (1 + 1e-6))
    if count and not (outer_s[0] <= 0 and wanted_s[-1] <= outer_s[1]):
        expected = f"times that cover 0 to {wanted_s[-1]:g} s"
        raise InputError("times_s", expected, f"{times_s[0]:g} to {times_s[-1]:g} s")
    rows = np.reshape(values, (-1, values.shape[-1]))
    lines = [np.interp(wanted_s, times_s, row) for row in rows]
    return np.array(lines, np.float32).reshape(*values.shape[:-1], count)


def resample_vibration(vibration: Vibration, to_hz: float) -> Vibration:
    """The same recording at another rate; see `resample`."""
    if vibration.sample_rate_hz == to_hz:
        return vibration
    values = resample(vibration.values, vibration.sample_rate_hz, to_hz)
    return replace(vibration, sample_rate_hz=to_hz, values=values)


def _find_ratio(from_hz: float, to_hz: float) -> Fraction:
    """New samples for each old one, in terms small enough for a filter.

    >>> _find_ratio(1 / 0.000736, 1000.0), _find_ratio(12_000.0, 51_200.0)
    (Fraction(92, 125), Fraction(64, 15))
    """
    for name, rate_hz in (("from_hz", from_hz), ("to_hz", to_hz)):
        if not 0 < rate_hz < float("inf"):
            raise InputError(name, "over 0", rate_hz)
    if not 1 / _MAX_RATIO <= to_hz / from_hz <= _MAX_RATIO:
        raise InputError("to_hz", f"within {_MAX_RATIO:g} times {from_hz:g}", to_hz)
    if to_hz > from_hz:
        return 1 / Fraction(from_hz / to_hz).limit_denominator(_MAX_TERM)
    return Fraction(to_hz / from_hz).limit_denominator(_MAX_TERM)
