from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import FAULTS, RATE_HZ, SETTINGS, SHAFT_HZ, make_machines, make_signal
from naive_spectral import (
    envelope_spectrum,
    log_bands,
    normalise,
    power_spectrum,
    prominence,
    taper,
)

from wearcast.training.fault.evaluate import score_windows
from wearcast.training.fault.spectral import DEAD_NOVELTY, WHITE, Spectral, SpectralConfig
from wearcast.training.fault.spectral_train import cut_windows, train_spectral

CONFIG = SpectralConfig(
    channels=2, sequence=4, window=256, sample_rate_hz=RATE_HZ, faults=3, shaft_hz=SHAFT_HZ,
    orders=(0.5, 1.0, 2.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Spectral:
    return train_spectral(make_machines(), SETTINGS).model


def make_blocks(seed: int = 0, fault: str = "looseness") -> torch.Tensor:
    """Three windows (3, 4, 2, 256)."""
    values = make_signal(fault, np.random.default_rng(seed), 1536)
    return cut_windows(values, 4, 256)


def join(blocks: torch.Tensor, row: int) -> np.ndarray:
    """Signal float64 (channels, samples) of one window."""
    return blocks[row].permute(1, 0, 2).flatten(1).double().numpy()


def test_a_window_is_the_newest_blocks_in_order() -> None:
    values = np.arange(2 * 1536, dtype=np.float32).reshape(2, 1536)
    blocks = cut_windows(values, 4, 256)
    assert blocks.shape == (3, 4, 2, 256)
    for row in range(3):
        np.testing.assert_array_equal(join(blocks, row), values[:, 256 * row : 256 * row + 1024])


def test_features_are_those_computed_line_by_line() -> None:
    spectral = Spectral(CONFIG)
    blocks = make_blocks()
    with torch.no_grad():
        features, limits, flatness = (part.numpy() for part in spectral.describe(blocks))
    sizes = list(CONFIG.sizes().values())
    bands, orders, modulation, envelope = np.split(features[0], np.cumsum(sizes)[:-1])
    signal = join(blocks, 0)
    power = power_spectrum(signal)
    wanted = np.concatenate([log_bands(channel, 4, 513, 16) for channel in power])
    np.testing.assert_allclose(bands, wanted, atol=2e-3)
    hz = [order * SHAFT_HZ for order in CONFIG.orders]
    wanted = [np.mean([prominence(it, CONFIG.step_hz, f, 0.025) for it in power]) for f in hz]
    np.testing.assert_allclose(orders, wanted, atol=2e-3)
    spectra = [envelope_spectrum(it, 4, carrier) for it in signal for carrier in range(4)]
    wanted = np.mean([log_bands(it, 2, 129, 16) for it in spectra], axis=0)
    np.testing.assert_allclose(modulation, wanted, atol=2e-3)
    wanted = [np.mean([prominence(it, CONFIG.step_hz, f, 0.025) for it in spectra]) for f in hz]
    np.testing.assert_allclose(envelope, wanted, atol=2e-3)
    kurtosis = np.log((normalise(signal) ** 4).mean(axis=1))
    np.testing.assert_allclose(limits[0], np.concatenate([bands, kurtosis]), atol=2e-3)
    beyond = power[:, 3:]
    wanted = np.exp(np.log(beyond).mean(axis=1)) / beyond.mean(axis=1)
    np.testing.assert_allclose(flatness[0], wanted, rtol=1e-3)


def test_only_the_groups_that_are_looked_at_are_computed() -> None:
    blocks = make_blocks()
    with torch.no_grad():
        whole = Spectral(CONFIG).describe(blocks)[0]
        first = 0
        for group, size in CONFIG.sizes().items():
            part = Spectral(replace(CONFIG, look=(group,)))
            torch.testing.assert_close(part.describe(blocks)[0], whole[:, first : first + size])
            first += size


def test_white_noise_is_as_flat_as_it_says() -> None:
    noise = np.random.default_rng(5).standard_normal((2, 64 * 1024)).astype(np.float32)
    spectral = Spectral(CONFIG)
    with torch.no_grad():
        flatness = spectral.describe(cut_windows(noise, 4, 256))[2].numpy()
    assert abs(flatness.mean() - WHITE) < 0.01


@settings(max_examples=30, deadline=None)
@given(
    gains=st.lists(st.floats(0.5, 2.0), min_size=2, max_size=2),
    offset=st.floats(-5, 5),
    seed=st.integers(0, 100),
    fault=st.sampled_from(FAULTS),
)
def test_gain_and_offset_change_nothing(
    model: Spectral, gains: list[float], offset: float, seed: int, fault: str
) -> None:
    blocks = make_blocks(seed, fault)
    changed = blocks * torch.tensor(gains)[None, None, :, None] + offset
    with torch.no_grad():
        expected, got = model(blocks), model(changed)
    torch.testing.assert_close(got[0], expected[0], atol=2e-4, rtol=0)
    torch.testing.assert_close(got[1], expected[1], atol=2e-3, rtol=1e-3)


def test_other_units_are_told_apart() -> None:
    model = train_spectral(make_machines("ABC"), SETTINGS).model
    for vibration in make_machines("XY", seed=7):
        said, novelty = score_windows(model, vibration)
        assert FAULTS[said.mean(axis=0).argmax()] == vibration.fault
        assert np.mean(novelty >= 1) < 0.2
        np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_white_noise_is_unknown(model: Spectral, seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal((2, 4096)).astype(np.float32)
    with torch.no_grad():
        _, novelty = model(cut_windows(noise, 4, 256))
    assert (novelty >= 1).all()


@pytest.mark.parametrize("level", [0.0, 1.0, -3.7, 1e6])
def test_a_constant_is_unknown(model: Spectral, level: float) -> None:
    with torch.no_grad():
        probability, novelty = model(torch.full((1, 4, 2, 256), level))
    assert novelty.item() == DEAD_NOVELTY
    assert torch.isfinite(probability).all()


def test_one_dead_sensor_is_unknown(model: Spectral) -> None:
    blocks = make_blocks()
    blocks[:, :, 1] = 0.25
    with torch.no_grad():
        assert (model(blocks)[1] == DEAD_NOVELTY).all()


def test_the_taper_is_the_periodic_one() -> None:
    np.testing.assert_allclose(Spectral(CONFIG).taper, taper(1024), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 30}, "multiple of 64"),
        ({"shaft_hz": None}, "shaft_hz is not known"),
        ({"orders": [25.0]}, "below half the sample rate"),
        ({"look": ["orders"], "orders": []}, "not empty"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert({**msgspec.to_builtins(CONFIG), **change}, SpectralConfig)
