import tarfile
from pathlib import Path

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wearcast.signals.femto import read_snapshot
from wearcast.training.rul.wavelet import POINTS, SCALES, TimeFrequencyImage, morlet_filters

ARCHIVES = Path(__file__).parents[3].parent / "shared" / "data" / "femto"
WINDOW = 2560


def pywavelets_image(snapshots: np.ndarray) -> np.ndarray:
    """The image in float64 by PyWavelets: (N, channels, window) -> (N, channels, 128, 128)."""
    points = snapshots.astype(np.float64).reshape(*snapshots.shape[:2], POINTS, -1).mean(-1)
    coefficients, _ = pywt.cwt(points, np.arange(1, SCALES + 1), "morl", axis=-1)
    levels = np.log2(np.moveaxis(coefficients, 0, 2) ** 2 + 0.001)
    lowest, highest = (f(levels, axis=(2, 3), keepdims=True) for f in (np.min, np.max))
    return (levels - lowest) / (highest - lowest)


def image(snapshots: np.ndarray) -> np.ndarray:
    return TimeFrequencyImage(snapshots.shape[-1])(torch.from_numpy(snapshots)).numpy()


def assert_equals_pywavelets(snapshots: np.ndarray) -> None:
    np.testing.assert_allclose(image(snapshots), pywavelets_image(snapshots), rtol=0, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    amplitude=st.floats(1e-2, 1e5),
    offset=st.floats(-1e3, 1e3),
)
def test_equals_pywavelets_at_any_amplitude(seed: int, amplitude: float, offset: float) -> None:
    noise = np.random.default_rng(seed).standard_normal((1, 2, WINDOW))
    assert_equals_pywavelets((noise * amplitude + offset).astype(np.float32))


def test_equals_pywavelets_with_other_windows() -> None:
    noise = np.random.default_rng(0).standard_normal((2, 3, 1024)).astype(np.float32)
    assert_equals_pywavelets(noise)


@pytest.mark.parametrize(
    "archive", ["Full_Test_Set/Bearing1_4-first30.tar.xz", "Learning_set/Bearing3_1.tar.xz"]
)
def test_equals_pywavelets_on_real_snapshots(archive: str, tmp_path: Path) -> None:
    if not (ARCHIVES / archive).exists():
        pytest.skip(f"no data: {ARCHIVES / archive} is not there")
    with tarfile.open(ARCHIVES / archive) as files:
        members = [member for member in files.getmembers() if "/acc_" in member.name]
        files.extractall(tmp_path, members=members[4::30], filter="data")
    snapshots = [read_snapshot(path)[1] for path in sorted(tmp_path.rglob("*.csv"))]
    assert len(snapshots) == len(members[4::30])
    assert_equals_pywavelets(np.stack(snapshots))


def test_a_line_of_the_transform_is_what_pywavelets_computes() -> None:
    impulse = np.zeros(POINTS)
    impulse[40] = 1.0
    expected, _ = pywt.cwt(impulse, np.arange(1, SCALES + 1), "morl")
    taps = POINTS - 1 + np.arange(POINTS) - 40
    np.testing.assert_allclose(morlet_filters()[:, taps], expected, rtol=0, atol=1e-12)


def test_nothing_gives_zeros() -> None:
    assert not image(np.zeros((1, 2, WINDOW), np.float32)).any()


@pytest.mark.parametrize("level", [1e-30, 1e-12, 1e-6, 1.0, 1e4])
def test_a_constant_gives_finite_images(level: float) -> None:
    pixels = image(np.full((1, 2, WINDOW), level, np.float32))
    assert pixels.min() >= 0
    assert pixels.max() <= 1


def test_images_span_0_to_1_each_on_its_own() -> None:
    noise = np.random.default_rng(0).standard_normal((3, 2, WINDOW)).astype(np.float32)
    noise[1, 0] *= 1000
    pixels = image(noise)
    assert (pixels.min(axis=(2, 3)) == 0).all()
    assert (pixels.max(axis=(2, 3)) == 1).all()


def test_refuses_a_window_that_blocks_do_not_fill() -> None:
    with pytest.raises(ValueError, match="window: expected a multiple of 128, got 2559"):
        TimeFrequencyImage(2559)
