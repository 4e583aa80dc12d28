import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_features import naive_features

from wearcast.clients.cli.train_rul import rul
from wearcast.signals.errors import ArtefactError
from wearcast.training.architectures import build
from wearcast.training.rul.compact import Compact, CompactConfig, SpectralFeatures

LEVELS = [0, 1, 2, 3, 5, 6, 7, 8]
KURTOSIS = [4, 9]
FEATURES = SpectralFeatures(2560)


def make_noise(seed: int = 0, *, count: int = 3) -> torch.Tensor:
    noise = np.random.RandomState(seed).standard_normal((count, 2, 2560))
    return torch.from_numpy(noise.astype(np.float32))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    level=st.floats(0.1, 30),
    offset=st.floats(-5, 5),
    impacts=st.integers(0, 5),
)
def test_features_equal_brute_force(seed: int, level: float, offset: float, impacts: int) -> None:
    snapshots = make_noise(seed, count=2)
    snapshots[:, :, :: 2560 // (impacts + 1)] *= 1 + impacts
    snapshots = snapshots * level + offset * level
    expected = [naive_features(snapshot) for snapshot in snapshots.numpy()]
    np.testing.assert_allclose(FEATURES(snapshots), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("gain", [0.1, 3.0, 50.0])
def test_gain_shifts_levels_and_leaves_kurtosis(gain: float) -> None:
    shift = FEATURES(make_noise() * gain) - FEATURES(make_noise())
    np.testing.assert_allclose(shift[:, LEVELS], 2 * np.log(gain), atol=1e-3)
    np.testing.assert_allclose(shift[:, KURTOSIS], 0, atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 1.0, -3.3, 1e4])
def test_a_constant_has_finite_features_far_below_noise(value: float) -> None:
    constant = FEATURES(torch.full((1, 2, 2560), value))
    assert torch.isfinite(constant).all()
    silence = FEATURES(torch.full((1, 2, 2560), 1e-3) * make_noise(count=1))
    if abs(value) < 10:
        assert (constant <= silence + 0.1).all()


def test_a_constant_is_scored() -> None:
    model = build("compact", {}).eval()
    (fraction,) = model(torch.zeros(1, 10, 2, 2560)).tolist()
    assert 0 < fraction < 1


@pytest.mark.parametrize(("hertz", "band"), [(300, 0), (1500, 1), (4000, 2), (12_000, 3)])
def test_a_tone_raises_the_level_of_its_band_alone(hertz: float, band: int) -> None:
    """The top of the band counts too: nothing is thrown away below half the sample rate."""
    noise = make_noise() * 0.1
    tone = torch.sin(2 * torch.pi * hertz * torch.arange(2560) / 25_600)
    loud = noise.clone()
    loud[:, 1] += tone
    change = FEATURES(loud) - FEATURES(noise)
    assert (change[:, 5 + band] > 0.5).all()
    others = [place for place in LEVELS if place != 5 + band]
    assert change[:, others].abs().max() < 0.15


def test_impacts_raise_kurtosis() -> None:
    impacts = make_noise()
    impacts[:, 0, ::256] += 10
    change = FEATURES(impacts) - FEATURES(make_noise())
    assert (change[:, 4] > 1).all()
    assert change[:, 9].abs().max() < 1e-6


def test_the_default_model_is_small() -> None:
    model = build("compact", {"members": 6})
    assert sum(weights.numel() for weights in model.parameters()) < 300_000
    assert sum(weights.numel() for weights in model.parameters()) == 6 * (10 * 8 + 8 + 72 + 9)


def test_it_is_what_train_trains_by_default() -> None:
    (option,) = [it for it in rul.params if it.name == "architecture"]
    assert option.default == "compact"


def test_a_window_is_the_mean_of_its_snapshots() -> None:
    model = build("compact", {}).eval()
    features = torch.randn(4, 10, 10)
    shuffled = features[:, torch.randperm(10)]
    torch.testing.assert_close(model.head(shuffled), model.head(features))
    mean = features.mean(dim=1, keepdim=True).expand_as(features)
    torch.testing.assert_close(model.head(mean), model.head(features))


def test_joined_members_answer_their_mean() -> None:
    models = [Compact(CompactConfig()).eval() for _ in range(3)]
    for place, model in enumerate(models):
        model.fit_scaling(torch.randn(50, 10) * (place + 1), torch.full((50,), 1 / 50))
    whole = Compact.join(models).eval()
    assert whole.config == CompactConfig(members=3)
    windows = torch.cat([make_noise(seed, count=10)[None] for seed in range(5)])
    each = torch.stack([model(windows) for model in models])
    assert (each.std(dim=0) > 1e-3).all()
    torch.testing.assert_close(whole(windows), each.mean(dim=0))
    state = whole.state_dict()
    rebuilt = build("compact", {"members": 3}).eval()
    rebuilt.load_state_dict(state)
    assert torch.equal(rebuilt(windows), whole(windows))


def test_scaling_is_weighted_mean_and_spread() -> None:
    model = Compact(CompactConfig(members=2))
    features = torch.tensor([[0.0], [1.0], [5.0]]).expand(3, 10)
    model.fit_scaling(features, torch.tensor([0.5, 0.25, 0.25]))
    for member in model.members:
        assert member.center.tolist() == [1.5] * 10
        np.testing.assert_allclose(
            member.scale, (0.5 * 1.5**2 + 0.25 * 0.5**2 + 0.25 * 3.5**2) ** 0.5, atol=2e-3
        )


def test_augmenting_shifts_whole_windows() -> None:
    model = Compact(CompactConfig())
    features = torch.randn(500, 10, 10)
    shift = model.augment(features, torch.Generator().manual_seed(0)) - features
    torch.testing.assert_close(shift, shift[:, :1, :1].expand_as(shift), atol=1e-5, rtol=0)
    assert 0.25 < shift[:, 0, 0].std() < 0.35


@pytest.mark.parametrize("window", [128, 300, 2559])
def test_a_window_that_frames_do_not_fill_is_refused(window: int) -> None:
    with pytest.raises(ArtefactError, match=f"a multiple of 128 from 256 up, got {window}"):
        build("compact", {"window": window})
