"""How fast the shaft turns, from the vibration alone: by which shift its spectrum fits a template.

On a logarithmic axis of frequency a faster shaft only shifts what hangs on it, such as the mesh of
the teeth and its sidebands; what the structure and the mains give stays where it is. So the mean
spectra at the speeds of the training are taken apart into a part by order, which may shift and adds
to the spectrum, and a part by frequency. A window's speed is the shift that makes the first part
fit best what the second leaves of its spectrum. That reaches to speeds that were never seen, the
less so the fewer were: with two or three, the parts are not told apart well, and a window is drawn
to the speeds that were.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from wearcast.training.gear.examples import Examples

Array = NDArray[np.float64]

# Chosen: lines half a percent apart.
_STEP = 0.005
_LOWEST_HZ = 20.0
# Each line is seen beside the mean of those up to 30% below and above, as far as a factor of 20.
# Chosen.
_AROUND = 121
_MOST = 3.0
# Speeds are looked for so many times below and above those of the training. Chosen.
_BEYOND = 4.0
# Rounds of taking apart. Chosen: the last changes no line by more than 0.02.
_ROUNDS = 30
# So many times longer by zeros, so that lines between those of a window can be read off.
_PADDING = 4
_SMALL = 1e-12


@dataclass(frozen=True, eq=False)
class ShaftTemplate:
    """What shifts with the shaft, and what does not.

    fastest: log of the highest speed that is looked for. by_frequency: float64 (lines,). by_order:
    float64 (lines + shifts - 1,), at the fastest speed from its first line on.
    """

    fastest: float
    by_frequency: Array
    by_order: Array

    def find_speeds(self, examples: Examples) -> Array:
        """Speed of each window, float64 (n,), in the unit of the training's."""
        rest = _whiten(examples) - self.by_frequency
        shifted = sliding_window_view(self.by_order, len(self.by_frequency))
        size = np.sqrt(np.sum(shifted**2, axis=1)) + _SMALL
        fits = rest @ shifted.T / size
        speeds: Array = np.exp(self.fastest - _STEP * fits.argmax(axis=1))
        return speeds


def fit_shaft(examples: Examples) -> ShaftTemplate:
    """The template of windows whose speeds are known."""
    spectra = _whiten(examples)
    fastest = np.log(examples.speeds.max() * _BEYOND)
    shifts = round((fastest - np.log(examples.speeds.min() / _BEYOND)) / _STEP) + 1
    means = {
        round((fastest - np.log(speed)) / _STEP): spectra[examples.speeds == speed].mean(axis=0)
        for speed in np.unique(examples.speeds)
    }
    lines = spectra.shape[1]
    by_frequency, by_order = np.zeros(lines), np.zeros(lines + shifts - 1)
    count = np.zeros_like(by_order)
    for shift in means:
        count[shift : shift + lines] += 1
    for _ in range(_ROUNDS):
        by_order[:] = 0
        for shift, mean in means.items():
            by_order[shift : shift + lines] += mean - by_frequency
        by_order = np.maximum(by_order, 0) / np.maximum(count, 1)
        rests = [mean - by_order[shift : shift + lines] for shift, mean in means.items()]
        by_frequency = np.mean(rests, axis=0)
    return ShaftTemplate(float(fastest), by_frequency, by_order)


def read_lines(signal: Array, frequencies_hz: Array, sample_rate_hz: float) -> Array:
    """Power at given frequencies by linear interpolation, float64 (n, sensors, k).

    signal: float64 (n, sensors, samples). frequencies_hz: float64 (k,), or (n, k) of each window.
    """
    samples = signal.shape[-1]
    spectrum = np.fft.rfft(signal * np.hanning(samples), _PADDING * samples, axis=-1)
    power = np.abs(spectrum / samples) ** 2
    places = np.atleast_2d(frequencies_hz)[:, None] * _PADDING * samples / sample_rate_hz
    below = np.clip(places.astype(np.int64), 0, power.shape[-1] - 2)
    share = np.clip(places - below, 0, 1)
    shape = (*power.shape[:-1], places.shape[-1])
    low, high = (
        np.take_along_axis(power, np.broadcast_to(at, shape), axis=-1) for at in (below, below + 1)
    )
    lines: Array = low * (1 - share) + high * share
    return lines


def _whiten(examples: Examples) -> Array:
    """Log spectrum less its mean around each line, over both sensors, float64 (n, lines)."""
    centred = examples.values - examples.values.mean(axis=-1, keepdims=True, dtype=np.float64)
    highest_hz = examples.sample_rate_hz / 2
    frequencies = np.exp(np.arange(np.log(_LOWEST_HZ), np.log(highest_hz), _STEP))
    logs = np.log(read_lines(centred, frequencies, examples.sample_rate_hz) + _SMALL)
    half = _AROUND // 2
    padded = np.pad(logs, ((0, 0), (0, 0), (half, half)), mode="edge")
    sums = np.cumsum(np.pad(padded, ((0, 0), (0, 0), (1, 0))), axis=-1)
    means = (sums[..., _AROUND:] - sums[..., :-_AROUND]) / _AROUND
    whitened: Array = np.clip(logs - means, -_MOST, _MOST).mean(axis=1)
    return whitened
