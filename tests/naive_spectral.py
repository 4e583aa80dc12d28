"""What the spectral model computes, again, line by line and with full-length transforms."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FLOOR = 1e-8


def normalise(signal: Array) -> Array:
    """(channels, n), mean 0, rms 1."""
    away = signal - signal.mean(axis=1, keepdims=True)
    return away / np.sqrt((away**2).mean(axis=1, keepdims=True))


def taper(samples: int) -> Array:
    """A periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)


def power_spectrum(signal: Array) -> Array:
    """(channels, n // 2 + 1), tapered."""
    return np.abs(np.fft.rfft(normalise(signal) * taper(signal.shape[1]))) ** 2


def envelope_spectrum(channel: Array, carriers: int, carrier: int) -> Array:
    """Power of the squared envelope of one carrier band, by a transform of the whole length."""
    samples = len(channel)
    width = samples // 2 // carriers
    low = max(carrier * width, samples // 128)
    full = np.fft.fft(normalise(channel[None])[0] * taper(samples))
    kept = np.zeros(samples, complex)
    kept[low : (carrier + 1) * width] = full[low : (carrier + 1) * width]
    squared = np.abs(np.fft.ifft(kept)) ** 2
    squared = squared / squared.mean() - 1
    # Ours has 2 * width samples of it, so its lines are smaller by that share.
    return (np.abs(np.fft.rfft(squared)) * 2 * width / samples)[: width + 1] ** 2


def log_bands(power: Array, first: int, last: int, count: int) -> Array:
    """Logarithm of the mean power in bands of equal ratio, beside the mean of all."""
    edges = [round(first * (last / first) ** (place / count)) for place in range(count + 1)]
    for place in range(1, len(edges)):
        edges[place] = max(edges[place], edges[place - 1] + 1)
    floor = FLOOR * len(power)
    logs = [np.log(power[low:high].mean() + floor) for low, high in pairwise(edges)]
    return np.array(logs) - np.mean(logs)


def prominence(power: Array, step_hz: float, hz: float, tolerance: float) -> float:
    """Logarithm of the largest line near a frequency over the mean of those beside it."""
    logs = np.log(power + FLOOR * len(power))
    low = max(int(hz / step_hz * (1 - tolerance)) - 1, 1)
    high = int(np.ceil(hz / step_hz * (1 + tolerance))) + 2
    beside = 2 * max(high - low, 6)
    outside = [logs[it] for it in range(max(low - beside, 1), low)]
    outside += [logs[it] for it in range(high, min(high + beside, len(logs)))]
    return max(logs[low:high]) - float(np.mean(outside))
