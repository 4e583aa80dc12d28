import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wearcast.training.gear.features import describe_level, describe_shape, describe_turns

RATE_HZ = 5_000.0
SAMPLES = 2_048
TIMES_S = np.arange(SAMPLES) / RATE_HZ


def make_noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((3, 2, SAMPLES)).astype(np.float32)


@given(
    st.lists(st.floats(0.25, 4), min_size=2, max_size=2),
    st.lists(st.floats(-3, 3), min_size=2, max_size=2),
)
def test_a_sensors_gain_and_offset_change_no_feature_of_shape(gains, offsets):
    values = make_noise()
    other = values * np.array(gains)[:, None] + np.array(offsets)[:, None]
    np.testing.assert_allclose(
        describe_shape(other.astype(np.float32), RATE_HZ), describe_shape(values, RATE_HZ),
        atol=1e-3,
    )  # fmt: skip


def test_level_follows_the_gain():
    values = make_noise()
    bands = describe_level(values * 10, RATE_HZ) - describe_level(values, RATE_HZ)
    # Ten times the amplitude is 2 decades of power; the envelope is a share of its mean.
    assert bands[:, :20] == pytest.approx(2, abs=1e-6)
    assert bands[:, -20:] == pytest.approx(0, abs=1e-6)


def find_band(signal: np.ndarray, part: slice) -> int:
    """Place of the highest of a sensor's numbers; with one sensor they stand side by side."""
    return int(describe_shape(signal[None, None].astype(np.float32), RATE_HZ)[0, part].argmax())


def test_a_tone_is_in_a_higher_band_the_higher_it_is():
    bands = [
        find_band(np.sin(2 * np.pi * hz * TIMES_S), slice(0, 24)) for hz in (20, 100, 400, 1_500)
    ]
    assert bands == sorted(set(bands))


def test_strikes_show_in_the_envelope_at_their_rate_wherever_they_ring():
    """Bursts 30 times a second at 700 or 1,500 Hz: the envelope's strongest band is the same."""
    after_s = TIMES_S % (1 / 30)
    count = describe_shape(make_noise()[:, :1], RATE_HZ).shape[1]
    envelope = slice(count // 2, count - 3)
    places = [
        find_band(np.exp(-after_s * 400) * np.sin(2 * np.pi * hz * after_s), envelope)
        for hz in (700, 1_500)
    ]
    slower = np.exp(-(TIMES_S % 0.1) * 400) * np.sin(2 * np.pi * 700 * TIMES_S)
    assert places[0] == places[1]
    assert find_band(slower, envelope) < places[0]


def test_a_dead_sensor_has_finite_features():
    values = make_noise()
    values[:, 1] = 2.5
    assert np.isfinite(describe_shape(values, RATE_HZ)).all()
    assert np.isfinite(describe_level(values, RATE_HZ)).all()


def test_features_of_turns_follow_the_speed():
    """The same strikes on a shaft that is slower by a third: at the same orders, as high."""
    described = []
    for speed in (30.0, 20.0):
        after_s = TIMES_S % (1 / speed)
        strikes = np.exp(-after_s * 400) * np.sin(2 * np.pi * 1_200 * after_s)
        values = np.repeat(strikes[None, None], 2, axis=1).astype(np.float32)
        described.append(describe_turns(values, np.array([speed]), RATE_HZ)[0])
    orders = 16
    for features in described:
        at, between = features[:8], features[8:orders]
        assert (at - between > 1).all()
    np.testing.assert_allclose(described[0][:5], described[1][:5], atol=0.4)
