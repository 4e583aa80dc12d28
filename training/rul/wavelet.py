"""The time-frequency image of a snapshot: a continuous wavelet transform inside the graph."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

POINTS = 128
SCALES = 128
_FLOOR = 1e-3
# Below this range of the logarithm an image is rounding noise of float64, so it fades to zeros.
_LEAST_RANGE = 1e-9


def morlet_filters(points: int = POINTS, scales: int = SCALES) -> NDArray[np.float64]:
    """Filters (scales, 2 points - 1) that make the transform PyWavelets makes with `morl`.

    Coefficient i of scale s is the sum over m of `filters[s - 1, points - 1 + i - m] * signal[m]`.

    The wavelet is psi(x) = exp(-x^2 / 2) cos(5 x). Its integral is tabulated at 4,096 points of
    [-8, 8] and read at steps of 1 / s; the signal is convolved with it, and the transform is
    -sqrt(s) times the difference of neighbours in the result. Sources: the PyWavelets manual,
    "Continuous Wavelet Transform" (cwt, precision 12) and "Morlet Wavelet"; Mallat, A Wavelet Tour
    of Signal Processing (1999), chapter 4.
    """
    x = np.linspace(-8.0, 8.0, 4096)
    step = x[1] - x[0]
    integral = np.cumsum(np.exp(-(x**2) / 2) * np.cos(5 * x)) * step
    filters = np.zeros((scales, 2 * points - 1))
    for scale in range(1, scales + 1):
        reads = (np.arange(scale * (x[-1] - x[0]) + 1) / (scale * step)).astype(int)
        stretched = integral[reads[reads < integral.size]][::-1]
        # Convolving and then differencing is convolving with the difference.
        kernel = -np.sqrt(scale) * np.diff(stretched, prepend=0.0, append=0.0)
        # The middle `points` of the whole convolution are kept, one more cut off on the right
        # where it does not come out even: `middle` is the tap that meets the sample itself.
        middle = (kernel.size - 1) // 2
        left, right = min(points - 1, middle), min(points - 1, kernel.size - 1 - middle)
        filters[scale - 1, points - 1 - left : points + right] = kernel[
            middle - left : middle + right + 1
        ]
    return filters


class TimeFrequencyImage(nn.Module):
    """Snapshots float32 (N, channels, window) to images float32 (N, channels, 128, 128) in [0, 1].

    Means of blocks of window / 128 samples give 128 points; their wavelet transform c at scales 1
    to 128 becomes log(c^2 + 0.001), and each image is stretched to [0, 1] (part A of the systems
    wearcast replaces; the base of the logarithm cancels). Rows are scales, columns time. An image
    without any contrast becomes zeros.

    All is done in float64: where c is near zero, float32 loses it against the largest
    coefficients, and the logarithm makes that visible.
    """

    def __init__(self, window: int) -> None:
        super().__init__()
        if window % POINTS:
            raise ValueError(f"window: expected a multiple of {POINTS}, got {window}")
        self._samples_per_point = window // POINTS
        # The convolution as one matrix product, (points) -> (scales, times): faster than
        # filters that slide, as most of their taps lie outside of so short a signal.
        filters = morlet_filters()
        times, sources = np.mgrid[:POINTS, :POINTS]
        matrix = filters[:, POINTS - 1 + times - sources].reshape(-1, POINTS).T
        self.register_buffer("matrix", torch.from_numpy(matrix.copy()), persistent=False)
        self.matrix: Tensor

    def forward(self, snapshots: Tensor) -> Tensor:
        """Images of snapshots."""
        samples = snapshots.double()
        points = samples.reshape(*samples.shape[:-1], POINTS, self._samples_per_point).mean(-1)
        coefficients = points @ self.matrix
        levels = torch.log(coefficients * coefficients + _FLOOR)
        lowest = levels.amin(-1, keepdim=True)
        contrast = levels.amax(-1, keepdim=True) - lowest
        pixels = ((levels - lowest) / contrast.clamp_min(_LEAST_RANGE)).float()
        return pixels.reshape(*pixels.shape[:-1], SCALES, POINTS)
