"""What a window of gear vibration looks like, in numbers that a plain classifier can take.

For each sensor: the power in bands of equal ratio; the power in bands of its envelope's spectrum,
where teeth that strike once a revolution show; and how peaky it is. Source: Randall and Antoni,
Rolling element bearing diagnostics: a tutorial, Mech. Syst. Signal Process. 25 (2011), for the
envelope by the analytic signal.
"""

import numpy as np
from numpy.typing import NDArray

from wearcast.training.gear.shaft import read_lines

Array = NDArray[np.float64]

# Bands of each spectrum, and where the lowest begins. Chosen: below the slowest shaft.
_BANDS = 28
_LOWEST_HZ = 5.0
# Highest frequency of the envelope's bands. Chosen: some harmonics of the fastest shaft.
_ENVELOPE_HZ = 250.0
# Multiples of the shaft's speed that are looked at in the envelope, and halfway to the next for
# what lies around them. Chosen.
_ORDERS = np.arange(1.0, 9.0)
# Beside a band's power: a dead sensor has a logarithm too.
_SMALL = 1e-12


def describe_shape(values: NDArray[np.float32], sample_rate_hz: float) -> Array:
    """Features float64 (n, features) that a sensor's gain and offset do not change.

    values: float32 (n, sensors, samples). Logarithms of power are less their sensor's mean over its
    bands; kurtosis and crest factor have no unit.
    """
    centred = _centre(values)
    power = _log_power(centred, sample_rate_hz)
    envelope = _log_modulation(centred, sample_rate_hz)
    shape = power - power.mean(axis=-1, keepdims=True)
    return _flatten(shape, envelope, _peaks(centred))


def describe_turns(values: NDArray[np.float32], speeds: Array, sample_rate_hz: float) -> Array:
    """Features float64 (n, features) that neither gain, offset nor speed changes.

    values: float32 (n, sensors, samples). speeds: float64 (n,), in revolutions a second. Logarithms
    of power in the envelope's spectrum at multiples of the speed and between them, and peakiness.
    """
    centred = _centre(values)
    swing = _swing(centred)
    orders = np.concatenate([_ORDERS, _ORDERS + 0.5])
    lines = read_lines(swing, speeds[:, None] * orders, sample_rate_hz)
    return _flatten(np.log10(lines + _SMALL), _peaks(centred))


def _peaks(centred: Array) -> Array:
    """Logarithms of kurtosis and crest factor, and skewness, (n, sensors, 3)."""
    rms = np.sqrt(np.mean(centred**2, axis=-1)) + _SMALL
    kurtosis = np.mean(centred**4, axis=-1) / rms**4
    crest = np.abs(centred).max(axis=-1) / rms
    skewness = np.mean(centred**3, axis=-1) / rms**3
    return np.stack([np.log(kurtosis + _SMALL), np.log(crest + _SMALL), skewness], axis=-1)


def describe_level(values: NDArray[np.float32], sample_rate_hz: float) -> Array:
    """Features float64 (n, features) that hang on a sensor's gain but on no offset.

    values: float32 (n, sensors, samples). Logarithms of the power in each band, in the sensor's
    unit squared, and the envelope's.
    """
    centred = _centre(values)
    power = _log_power(centred, sample_rate_hz)
    return _flatten(power, _log_modulation(centred, sample_rate_hz))


def _centre(values: NDArray[np.float32]) -> Array:
    centred: Array = values - values.mean(axis=-1, keepdims=True, dtype=np.float64)
    return centred


def _swing(centred: Array) -> Array:
    """The envelope less its mean, in shares of it, so that no gain is left."""
    envelope = np.abs(_analytic(centred))
    mean = envelope.mean(axis=-1, keepdims=True)
    swing: Array = (envelope - mean) / (mean + _SMALL)
    return swing


def _log_power(centred: Array, sample_rate_hz: float) -> Array:
    step_hz = sample_rate_hz / centred.shape[-1]
    return _log_bands(centred, _edges(step_hz, _LOWEST_HZ, sample_rate_hz / 2, _BANDS))


def _log_modulation(centred: Array, sample_rate_hz: float) -> Array:
    step_hz = sample_rate_hz / centred.shape[-1]
    return _log_bands(_swing(centred), _edges(step_hz, _LOWEST_HZ, _ENVELOPE_HZ, _BANDS))


def _edges(step_hz: float, low_hz: float, high_hz: float, bands: int) -> NDArray[np.int64]:
    """First lines of a spectrum's bands of equal ratio, and the end; narrow ones fall together."""
    lines = np.geomspace(low_hz / step_hz, high_hz / step_hz, bands + 1)
    return np.unique(np.round(lines).astype(np.int64))


def _log_bands(signal: Array, edges: NDArray[np.int64]) -> Array:
    """Decadic logarithm of the mean power of a line in each band, (n, sensors, bands)."""
    spectrum = np.fft.rfft(signal * np.hanning(signal.shape[-1]), axis=-1)
    power = np.abs(spectrum[..., : edges[-1]] / signal.shape[-1]) ** 2
    sums = np.add.reduceat(power, edges[:-1], axis=-1)
    bands: Array = np.log10(sums / np.diff(edges) + _SMALL)
    return bands


def _analytic(signal: Array) -> NDArray[np.complex128]:
    """The analytic signal: no negative frequencies, positive ones doubled."""
    samples = signal.shape[-1]
    weights = np.zeros(samples)
    weights[0] = 1
    weights[1 : (samples + 1) // 2] = 2
    if samples % 2 == 0:
        weights[samples // 2] = 1
    whole: NDArray[np.complex128] = np.fft.ifft(np.fft.fft(signal, axis=-1) * weights, axis=-1)
    return whole


def _flatten(*parts: Array) -> Array:
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
