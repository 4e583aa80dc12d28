"""How a machine's structure and the recorder shape a force on its way into a file."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

# Slope of the recorder's anti-alias filter. Chosen: Butterworth filters of this order are common.
_FILTER_ORDER = 8


@dataclass(frozen=True)
class Mode:
    """One natural mode of a structure, as a sensor sees it."""

    frequency_hz: float
    damping: float
    """Damping ratio; 1 is critical."""
    share: float
    """Acceleration well above the mode, for a force a mass of 1."""


def compute_accelerance(
    modes: tuple[Mode, ...], frequencies_hz: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """Acceleration for a force a mass of 1, complex128 like frequencies_hz.

    The sum over modes of share x -f^2 / (f_m^2 - f^2 + 2i z f f_m): the accelerance of a structure
    with viscous damping. Source: Ewins, Modal Testing, 2nd ed. (2000), chapter 2.

    >>> np.abs(compute_accelerance((Mode(100.0, 0.05, 0.3),), np.array([0.0, 100.0, 1e5]))).round(2)
    array([0. , 3. , 0.3])
    """
    response = np.zeros(len(frequencies_hz), dtype=np.complex128)
    for mode in modes:
        ratio = frequencies_hz / mode.frequency_hz
        response += mode.share * -(ratio**2) / (1 - ratio**2 + 2j * mode.damping * ratio)
    return response


def compute_filter(frequencies_hz: NDArray[np.float64], corner_hz: float) -> NDArray[np.float64]:
    """What the recorder's anti-alias filter leaves of each frequency, 0 to 1.

    The magnitude of a Butterworth filter; its delay is left out, as it is the same for all.

    >>> compute_filter(np.array([10.0, 100.0, 1000.0]), 100.0).round(3)
    array([1.   , 0.707, 0.   ])
    """
    kept: NDArray[np.float64] = 1 / np.sqrt(1 + (frequencies_hz / corner_hz) ** (2 * _FILTER_ORDER))
    return kept


def vary_modes(
    modes: tuple[Mode, ...], random: np.random.Generator, frequency: float, size: float
) -> tuple[Mode, ...]:
    """The modes of another structure of the same make.

    frequency: standard deviation of the logarithm of a mode's frequency. size: that of its damping
    and of its share.
    """
    return tuple(
        replace(
            mode,
            frequency_hz=mode.frequency_hz * float(np.exp(random.normal(0, frequency))),
            damping=mode.damping * float(np.exp(random.normal(0, size))),
            share=mode.share * float(np.exp(random.normal(0, size))),
        )
        for mode in modes
    )
