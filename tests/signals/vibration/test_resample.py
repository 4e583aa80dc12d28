import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.resample import resample, resample_linear, resample_vibration
from wearcast.signals.vibration.vibration import Vibration

# The rotor's four sensors, and rates of common recorders.
RATES_HZ = st.sampled_from([1 / 0.000736, 1 / 0.000760, 1 / 0.000714, 1 / 0.000761, 2560, 12_000])
SECONDS = 2


def tone(frequency_hz: float, rate_hz: float, phase: float = 0.3, count: int = 0) -> np.ndarray:
    times_s = np.arange(count or round(SECONDS * rate_hz)) / rate_hz
    return np.sin(2 * np.pi * frequency_hz * times_s + phase)


def inner(values: np.ndarray) -> np.ndarray:
    """Without the ends, where the filter sees nothing of the signal beyond."""
    return values[..., 100:-100]


@settings(max_examples=30, deadline=None)  # the first loads SciPy
@given(rate_hz=RATES_HZ, share=st.floats(0.01, 0.87), phase=st.floats(0, 6))
def test_a_tone_below_the_new_nyquist_frequency_survives(
    rate_hz: float, share: float, phase: float
) -> None:
    heard = resample(tone(share * 500, rate_hz, phase), rate_hz, 1000)
    wanted = tone(share * 500, 1000, phase, len(heard))
    assert np.abs(inner(heard - wanted)).max() < 0.01


@settings(max_examples=30, deadline=None)  # the first loads SciPy
@given(rate_hz=RATES_HZ, share=st.floats(0.02, 0.98))
def test_a_tone_above_is_40_db_down_with_the_filter_and_not_with_lines(
    rate_hz: float, share: float
) -> None:
    frequency_hz = 500 + share * (rate_hz / 2 - 500)
    values = tone(frequency_hz, rate_hz)
    filtered = inner(resample(values, rate_hz, 1000))
    assert np.sqrt(2 * np.mean(filtered**2)) < 0.01
    times_s = np.arange(len(values)) / rate_hz
    lines = resample_linear(times_s, values, 1000, SECONDS * 1000)
    assert np.sqrt(2 * np.mean(lines**2)) > 0.1


@settings(max_examples=30, deadline=None)  # the first loads SciPy
@given(
    value=st.floats(-1000, 1000, width=32),
    rate_hz=RATES_HZ,
    to_hz=st.sampled_from([1000.0, 5000.0, 12_000.0]),
    count=st.integers(2, 3000),
)
def test_constants_stay_and_lengths_follow(
    value: float, rate_hz: float, to_hz: float, count: int
) -> None:
    values = np.full((2, 3, count), value)
    heard = resample(values, rate_hz, to_hz)
    assert heard.shape == (2, 3, int(np.ceil(count * to_hz / rate_hz - 1e-6)))
    np.testing.assert_allclose(heard, value, rtol=1e-6)
    times_s = np.arange(count) / rate_hz
    number = int(times_s[-1] * to_hz)
    lines = resample_linear(times_s, values, to_hz, number)
    np.testing.assert_array_equal(lines, np.full((2, 3, number), value, np.float32))


def test_140_seconds_of_the_rotors_sensors_give_140_000_samples() -> None:
    for step_s in (0.000736, 0.000760, 0.000714, 0.000761):
        values = np.ones((1, round(140 / step_s)))
        assert resample(values, 1 / step_s, 1000).shape in {(1, 140_000), (1, 140_001)}


def test_lines_are_hit_exactly() -> None:
    times_s = np.array([0.0, 0.3, 1.0])
    values = np.array([[0.0, 3.0, 10.0], [1.0, 1.0, 8.0]])
    lines = resample_linear(times_s, values, 10, 11)
    np.testing.assert_allclose(lines[0], np.arange(11), atol=1e-6)
    np.testing.assert_allclose(lines[1, 3:], np.arange(1, 9), atol=1e-6)


def test_lines_go_no_more_than_a_step_beyond() -> None:
    times_s, values = np.arange(10) / 10, np.arange(10.0)
    assert resample_linear(times_s, values, 10, 11)[-1] == 9
    with pytest.raises(InputError, match=r"times that cover 0 to 1\.1 s, got 0 to 0\.9 s"):
        resample_linear(times_s, values, 10, 12)
    with pytest.raises(InputError, match="times that cover 0"):
        resample_linear(times_s + 0.2, values, 10, 5)


def test_a_filter_makes_no_images_of_the_offset() -> None:
    values = 2.5 + 0.01 * tone(50, 761)
    heard = resample(values, 761, 1000)
    wanted = 2.5 + 0.01 * tone(50, 1000, count=len(heard))
    assert np.abs(inner(heard - wanted)).max() < 1e-4


@pytest.mark.parametrize("rates", [(0, 1), (1, 0), (float("nan"), 1), (1, 1001), (1001, 1)])
def test_absurd_rates_are_refused(rates: tuple[float, float]) -> None:
    with pytest.raises(InputError):
        resample(np.ones(10), *rates)


def test_a_recording_keeps_all_but_rate_and_values() -> None:
    values = tone(20, 2000)[np.newaxis].astype(np.float32)
    recording = Vibration("a", ("x",), ("g",), 2000.0, values, "ball", {"unit": "A"})
    assert resample_vibration(recording, 2000.0) is recording
    heard = resample_vibration(recording, 1000.0)
    assert (heard.name, heard.fault, heard.conditions) == ("a", "ball", {"unit": "A"})
    assert heard.sample_rate_hz == 1000.0
    assert heard.duration_s == recording.duration_s
    np.testing.assert_allclose(inner(heard.values), inner(values[:, ::2]), atol=0.01)
