"""Takes single bands of frequency out of a signal, or out of its envelope, and leaves all else.

What is taken out is not silence: the band's bins keep their phases and get the size that the bins
beside them have, so that a model sees the floor there and no hole.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]  # (channels, samples)
Bands = NDArray[np.float64]  # (n, 2): from and to, in Hz

# Chosen: enough to tell the lines of a machine apart, few enough to score each in a second or two.
_BANDS = 60
# Chosen: up to here each band has half an order, which tells harmonics and sub-harmonics apart.
_FINE_ORDERS = 20.0
_FEWEST_BINS = 2
# Chosen: what carries an envelope lies above the slow lines of the shaft, a tenth of the spectrum.
_CARRIER_FROM = 0.1


def make_bands(highest_hz: float, resolution_hz: float, shaft_hz: float | None) -> Bands:
    """Bands without gaps from just above 0 to `highest_hz`, wider where frequencies are higher.

    resolution_hz: distance of two bins; no band has fewer than two. shaft_hz: revolutions a second,
    where they are known: then bands stand around each half order up to the 20th.

    >>> make_bands(1000.0, 1.0, 100.0)[:3].tolist()
    [[25.0, 75.0], [75.0, 125.0], [125.0, 175.0]]
    """
    if shaft_hz is None:
        # Even at first, and from a tenth of the way on each band wider by the same factor.
        edges = highest_hz / 10 * np.sinh(np.linspace(0.0, np.arcsinh(10.0), _BANDS + 1))
    else:
        fine_hz = (np.arange(2 * _FINE_ORDERS + 1) + 0.5) * shaft_hz / 2
        count = _BANDS - len(fine_hz) + 1
        wide_hz = np.geomspace(fine_hz[-1], max(highest_hz, fine_hz[-1]), count + 1)[1:]
        edges = np.concatenate([fine_hz, wide_hz])
    kept = [max(edges[0], 0.5 * resolution_hz)]
    for edge in np.minimum(edges[1:], highest_hz):
        if edge - kept[-1] >= _FEWEST_BINS * resolution_hz:
            kept.append(edge)
    return np.stack([kept[:-1], kept[1:]], axis=1)


def flatten_bands(signal: Signal, sample_rate_hz: float, bands: Bands) -> Iterator[Signal]:
    """The signal without one band, for each band."""
    spectrum = np.fft.rfft(signal)
    for band in _to_bins(bands, sample_rate_hz, signal.shape[1]):
        yield np.fft.irfft(_flatten(spectrum, *band), signal.shape[1])


def flatten_envelope_bands(signal: Signal, sample_rate_hz: float, bands: Bands) -> Iterator[Signal]:
    """The signal whose envelope is without one band, for each band; the carrier stays as it is."""
    carrier = _analytic(signal)
    size = np.abs(carrier)
    rest = signal - carrier.real
    spectrum = np.fft.rfft(size)
    for band in _to_bins(bands, sample_rate_hz, signal.shape[1]):
        wanted = np.maximum(np.fft.irfft(_flatten(spectrum, *band), signal.shape[1]), 0.0)
        gain = np.divide(wanted, size, out=np.zeros_like(size), where=size > 0)
        yield rest + carrier.real * gain


def envelope(signal: Signal) -> Signal:
    """How large the signal's faster part is, sample by sample, in its unit."""
    return np.abs(_analytic(signal))


def amplitudes(signal: Signal, sample_rate_hz: float) -> tuple[NDArray[np.float64], Signal]:
    """Frequencies in Hz (bins,), and the amplitude of a sine at each (channels, bins).

    The mean is taken off, and a Hann window keeps strong lines from hiding their neighbours.
    """
    count = signal.shape[1]
    window = np.hanning(count)
    spectrum = np.fft.rfft((signal - signal.mean(axis=1, keepdims=True)) * window)
    frequencies = np.fft.rfftfreq(count, 1 / sample_rate_hz).astype(np.float64)
    return frequencies, 2 * np.abs(spectrum) / float(window.sum())


def _analytic(signal: Signal) -> NDArray[np.complex128]:
    """The analytic signal of the part above the slow lines; its real part is that part."""
    count = signal.shape[1]
    spectrum = np.fft.rfft(signal)
    spectrum[:, : max(round(_CARRIER_FROM * count / 2), 1)] = 0.0
    whole = np.zeros(signal.shape, np.complex128)
    whole[:, : spectrum.shape[1]] = 2 * spectrum
    if count % 2 == 0:  # the bin at half the sample rate stands for itself and for its mirror
        whole[:, count // 2] /= 2
    return np.fft.ifft(whole)


def _to_bins(bands: Bands, sample_rate_hz: float, count: int) -> list[tuple[int, int]]:
    edges = np.ceil(bands * count / sample_rate_hz).astype(int)
    return [(max(int(first), 1), int(end)) for first, end in edges]


def _flatten(spectrum: NDArray[np.complex128], first: int, end: int) -> NDArray[np.complex128]:
    """Bins first to end - 1 as large as the median of as many bins on either side."""
    width = end - first
    beside = [spectrum[:, max(first - width, 1) : first], spectrum[:, end : end + width]]
    floor = np.median(np.abs(np.concatenate(beside, axis=1)), axis=1, keepdims=True)
    part = spectrum[:, first:end]
    size = np.abs(part)
    changed = spectrum.copy()
    changed[:, first:end] = floor * np.divide(part, size, out=np.ones_like(part), where=size > 0)
    return changed
