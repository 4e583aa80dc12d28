"""The spectral fault model: a window's spectrum and envelope spectra, a linear map, and its limits.

Each channel is centred and divided by its own rms, so neither a sensor's gain nor an offset changes
the answer. Then four groups of features, of which training keeps those that hold on machines not
trained on:

- bands: logarithm of the power in bands of equal ratio, beside the channel's mean band;
- orders: how far the spectrum stands out at the machine's own frequencies, given as multiples of
  the shaft's, over what is beside them; mean over channels;
- modulation: bands of the envelope spectrum; mean over carriers and channels;
- envelope: orders again, in the envelope spectra of some carrier bands; mean over these and over
  channels. A fault of a bearing shows there: Randall and Antoni, Rolling element bearing
  diagnostics: a tutorial, Mech. Syst. Signal Process. 25 (2011).

A peak may be off by `tolerance`, as a shaft turns faster or slower than its nominal speed. The
envelope is that of the analytic signal, whose spectrum is cut to the carrier band.

Novelty is the larger of two, 1 and over is unknown:

- the distance from the nearest recording of the training, in bands and kurtosis and counted in
  their usual spread (a Mahalanobis distance), as a share of what recordings held out stayed within;
- a channel's spectral flatness (geometric over arithmetic mean of its power, Gray and Markel, IEEE
  Trans. Acoust. Speech Signal Process. 22 (1974)), as a share of the middle between the flattest of
  the training and white noise: such a channel holds no machine.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, get_args

import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn

from wearcast.training.config import Count, Positive

Group = Literal["bands", "orders", "modulation", "envelope"]
GROUPS: tuple[Group, ...] = get_args(Group)
# Of the power that noise of rms 1 has a line, so about what float32 rounds off.
_FLOOR = 1e-8
# Below this share of its size a channel does not vary: float32 has seven digits.
_DEAD = 1e-6
# Flatness of white noise in one periodogram: exp(-Euler's constant), as its power is exponential.
WHITE = 0.5614595
# Slow sway and the taper's own line.
_FIRST_LINE = 3
# Novelty of a window with a dead channel, which is like nothing that was recorded.
DEAD_NOVELTY = 100.0


@dataclass(frozen=True)
class SpectralConfig:
    """Sizes of a model.

    channels, sequence, window: of the input. faults: how many. shaft_hz: nominal speed; None: not
    known, and then there are no orders. orders: multiples of it to look at. tolerance: how far
    off a peak may be, as a share. carriers: bands whose envelopes are looked at. bands: of equal
    ratio, of each spectrum. recordings: places that novelty is counted from. look: the groups of
    features that the answer stands on.
    """

    channels: Count
    sequence: Count
    window: Count
    sample_rate_hz: Positive
    faults: Count
    shaft_hz: Positive | None = None
    orders: tuple[Positive, ...] = ()
    tolerance: Annotated[float, Meta(ge=0, lt=0.2)] = 0.025
    carriers: Count = 4
    bands: Annotated[int, Meta(ge=4)] = 16
    recordings: Count = 1
    look: Annotated[tuple[Group, ...], Meta(min_length=1)] = GROUPS

    def __post_init__(self) -> None:
        if self.samples % (16 * self.carriers) or self.samples < 256:  # noqa: PLR2004
            expected = f"sequence x window 256 or more, and a multiple of {16 * self.carriers}"
            raise ValueError(f"window: expected {expected}")
        if self.orders and self.shaft_hz is None:
            raise ValueError("orders: expected none where shaft_hz is not known")
        if self.orders and max(self.orders) * self.hz_per_order >= self.sample_rate_hz / 2:
            raise ValueError("orders: expected frequencies below half the sample rate")
        if not sum(self.sizes().values()):
            raise ValueError("look: expected a group that is not empty")

    @property
    def samples(self) -> int:
        """Samples a channel of a window of signal."""
        return self.sequence * self.window

    @property
    def hz_per_order(self) -> float:
        """Highest frequency of order 1, in Hz."""
        return (self.shaft_hz or 0.0) * (1 + self.tolerance)

    @property
    def step_hz(self) -> float:
        """From one line of a spectrum to the next, in Hz."""
        return self.sample_rate_hz / self.samples

    @property
    def envelope_hz(self) -> float:
        """Highest frequency that an envelope holds: the width of a carrier band."""
        return self.sample_rate_hz / 2 / self.carriers

    @property
    def heard(self) -> tuple[float, ...]:
        """Orders that an envelope can show."""
        return tuple(it for it in self.orders if it * self.hz_per_order < self.envelope_hz)

    def sizes(self) -> dict[Group, int]:
        """Features of each group that is looked at, in their order."""
        sizes: dict[Group, int] = {
            "bands": self.channels * self.bands,
            "orders": len(self.orders),
            "modulation": self.bands,
            "envelope": len(self.heard),
        }
        return {group: size for group, size in sizes.items() if group in self.look}


class Spectral(nn.Module):
    """Raw blocks in, probabilities of the faults and novelty out."""

    center: Tensor
    scale: Tensor
    places: Tensor
    whitening: Tensor
    threshold: Tensor
    flattest: Tensor

    def __init__(self, config: SpectralConfig) -> None:
        super().__init__()
        self.config = config
        features = sum(config.sizes().values())
        limits = config.channels * (config.bands + 1)
        half = config.samples // 2
        self.taper = nn.Buffer(torch.hann_window(config.samples), persistent=False)
        self.register_buffer("center", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.linear = nn.Linear(features, config.faults)
        self.register_buffer("places", torch.zeros(config.recordings, limits))
        self.register_buffer("whitening", torch.eye(limits))
        self.register_buffer("threshold", torch.tensor(1.0))
        self.register_buffer("flattest", torch.full((config.channels,), WHITE))
        # The lowest bands are those that hold whole lines.
        self._bands = _band_edges(config.samples // 256, half + 1, config.bands)
        self._modulation = _band_edges(2, half // config.carriers + 1, config.bands)
        self._orders = [_order_lines(config, order) for order in config.orders]
        self._heard = [_order_lines(config, order) for order in config.heard]

    def forward(self, blocks: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities float32 (B, faults) and novelty (B,) of blocks (B, S, channels, window)."""
        signal, alive = self.normalise(blocks)
        spectrum = torch.fft.rfft(signal * self.taper)
        bands = self.bands(spectrum)
        scaled = (self.features(spectrum, bands) - self.center) / self.scale
        probability = torch.softmax(self.linear(scaled), dim=1)
        away = (self.limits(signal, bands)[:, None] - self.places) @ self.whitening
        distance = away.square().sum(dim=2).sqrt().amin(dim=1) / self.threshold
        flatness = (self.flatness(spectrum) / self.flattest).amax(dim=1)
        novelty = torch.where(alive, torch.maximum(distance, flatness), DEAD_NOVELTY)
        return probability, novelty.clamp(max=DEAD_NOVELTY)

    def describe(self, blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is learned from, (B, features); of novelty the (B, limits) and (B, channels)."""
        signal, _ = self.normalise(blocks)
        spectrum = torch.fft.rfft(signal * self.taper)
        bands = self.bands(spectrum)
        return self.features(spectrum, bands), self.limits(signal, bands), self.flatness(spectrum)

    def normalise(self, blocks: Tensor) -> tuple[Tensor, Tensor]:
        """Signal (B, channels, samples) of mean 0 and rms 1; whether all channels vary, (B,)."""
        signal = blocks.permute(0, 2, 1, 3).flatten(2)
        mean = signal.mean(dim=2, keepdim=True)
        # By its span first: squares of large and of small readings leave float32. It tells too
        # whether there is anything but rounding, which differs from machine to machine.
        low, high = signal.amin(dim=2, keepdim=True), signal.amax(dim=2, keepdim=True)
        span = high - low
        alive = span > _DEAD * torch.maximum(low.abs(), high.abs())
        signal = torch.where(alive, signal - mean, 0.0) / torch.where(alive, span, 1.0)
        rms = signal.square().mean(dim=2, keepdim=True).sqrt()
        return signal / torch.where(alive, rms, 1.0), alive.flatten(1).all(dim=1)

    def bands(self, spectrum: Tensor) -> Tensor:
        """Group bands, (B, channels, bands)."""
        return _log_bands(_power(spectrum), self._bands)

    def flatness(self, spectrum: Tensor) -> Tensor:
        """Spectral flatness of each channel, (B, channels): 0 a tone, 0.56 white noise."""
        power = _power(spectrum)[..., _FIRST_LINE:]
        floored = power + _FLOOR * power.shape[-1]
        return floored.log().mean(dim=-1).exp() / floored.mean(dim=-1)

    def limits(self, signal: Tensor, bands: Tensor) -> Tensor:
        """What novelty is counted in: bands, and the logarithm of each channel's kurtosis."""
        kurtosis = signal.square().square().mean(dim=2).clamp(min=_DEAD).log()
        return torch.cat([bands.flatten(1), kurtosis], dim=1)

    def features(self, spectrum: Tensor, bands: Tensor) -> Tensor:
        """All groups that are looked at, in the order of `GROUPS`, (B, features)."""
        look = self.config.sizes()
        parts = []
        if look.get("bands"):
            parts.append(bands.flatten(1))
        if look.get("orders"):
            parts.append(_prominence(_power(spectrum), self._orders).mean(dim=1))
        if look.get("modulation") or look.get("envelope"):
            envelopes = self.envelopes(spectrum)
            if look.get("modulation"):
                parts.append(_log_bands(envelopes, self._modulation).mean(dim=(1, 2)))
            if look.get("envelope"):
                parts.append(_prominence(envelopes, self._heard).mean(dim=(1, 2)))
        return torch.cat(parts, dim=1)

    def envelopes(self, spectrum: Tensor) -> Tensor:
        """Power spectra of the squared envelopes, (B, channels, carriers, lines)."""
        config = self.config
        width = config.samples // 2 // config.carriers
        spectra = []
        for carrier in range(config.carriers):
            # Slow sway is no carrier.
            low = max(carrier * width, config.samples // 128)
            cut = spectrum[..., low : (carrier + 1) * width]
            # Twice as wide, so that the square of the analytic signal has room.
            # As pairs of numbers, since the exporter can't pad complex ones.
            pairs = torch.view_as_real(cut)
            padded = nn.functional.pad(pairs, (0, 0, 0, 2 * width - cut.shape[-1]))
            squared = _power(torch.fft.ifft(torch.view_as_complex(padded)))
            squared = squared / squared.mean(dim=2, keepdim=True).clamp(min=1e-20)
            spectra.append(_power(torch.fft.rfft(squared - squared.mean(dim=2, keepdim=True))))
        return torch.stack(spectra, dim=2)


def _power(spectrum: Tensor) -> Tensor:
    return spectrum.real.square() + spectrum.imag.square()


def _log_bands(power: Tensor, edges: NDArray[np.int64]) -> Tensor:
    """Logarithm of the mean power between edges, beside the mean of these logarithms."""
    means = [power[..., low:high].mean(dim=-1) for low, high in pairwise(edges.tolist())]
    logs = torch.stack(means, dim=-1).add(_FLOOR * power.shape[-1]).log()
    return logs - logs.mean(dim=-1, keepdim=True)


def _prominence(power: Tensor, orders: list[tuple[int, int, int, int]]) -> Tensor:
    """Logarithm of the largest line around each order over those beside it, (..., orders)."""
    logs = power.add(_FLOOR * power.shape[-1]).log()
    found = []
    for far_low, low, high, far_high in orders:
        beside = torch.cat([logs[..., far_low:low], logs[..., high:far_high]], dim=-1)
        found.append(logs[..., low:high].amax(dim=-1) - beside.mean(dim=-1))
    return torch.stack(found, dim=-1)


def _band_edges(first: int, last: int, count: int) -> NDArray[np.int64]:
    """Edges of equal ratio, each at least a line after the one before."""
    edges = np.round(np.geomspace(first, last, count + 1)).astype(np.int64)
    for place in range(1, len(edges)):
        edges[place] = max(edges[place], edges[place - 1] + 1)
    return edges


def _order_lines(config: SpectralConfig, order: float) -> tuple[int, int, int, int]:
    """Lines around an order: where what is beside it begins, its own begin and end, and the end."""
    line = order * (config.shaft_hz or 0.0) / config.step_hz
    low = max(int(line * (1 - config.tolerance)) - 1, 1)
    high = int(np.ceil(line * (1 + config.tolerance))) + 2
    beside = 2 * max(high - low, 6)
    return max(low - beside, 1), low, high, high + beside
