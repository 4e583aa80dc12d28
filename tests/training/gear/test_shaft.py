import numpy as np
import pytest

from wearcast.training.gear.examples import WINDOW, Examples
from wearcast.training.gear.shaft import fit_shaft, read_lines

RATE_HZ = 5_000.0
TIMES_S = np.arange(WINDOW) / RATE_HZ


def make_examples(speeds: list[float], each: int = 8) -> Examples:
    """A mesh of 20 teeth with sidebands, and a strong hum that stays where it is, in noise."""
    random = np.random.default_rng(len(speeds))
    every = np.repeat(speeds, each)
    values = np.zeros((len(every), 2, WINDOW))
    for place, speed in enumerate(every):
        for order, size in ((20, 0.05), (19, 0.03), (21, 0.03), (40, 0.04), (41, 0.02)):
            values[place] += size * np.sin(
                2 * np.pi * order * speed * TIMES_S + random.uniform(0, 6)
            )
        for hz in (100, 730, 1_000):
            values[place] += 0.1 * np.sin(2 * np.pi * hz * TIMES_S + random.uniform(0, 6))
    values += 2.5 + 0.02 * random.standard_normal(values.shape)
    none = np.zeros(len(every), np.int64)
    return Examples(values.astype(np.float32), RATE_HZ, none, none, every, np.zeros(len(every)))


@pytest.mark.parametrize("unseen", [11.0, 17.0, 22.0])
def test_a_speed_is_found_that_was_never_seen(unseen):
    shaft = fit_shaft(make_examples([15.0, 30.0, 36.0]))
    found = shaft.find_speeds(make_examples([unseen]))
    np.testing.assert_allclose(found, unseen, rtol=0.01)


def test_seen_speeds_are_found_though_a_hum_is_louder():
    speeds = [8.33, 25.0, 40.0]
    shaft = fit_shaft(make_examples(speeds))
    found = shaft.find_speeds(make_examples(speeds, each=5))
    np.testing.assert_allclose(found, np.repeat(speeds, 5), rtol=0.01)
    assert (shaft.by_order >= 0).all()


def test_gain_and_offset_change_no_speed():
    shaft = fit_shaft(make_examples([15.0, 30.0]))
    examples = make_examples([22.0])
    values = 3 * examples.values + 1
    other = Examples(values, RATE_HZ, *(getattr(examples, name) for name in (
        "recordings", "faults", "speeds", "loads"
    )))  # fmt: skip
    np.testing.assert_array_equal(shaft.find_speeds(other), shaft.find_speeds(examples))


def test_lines_are_read_where_a_tone_is():
    tone = np.sin(2 * np.pi * 330.5 * TIMES_S)[None, None]
    frequencies = np.arange(300.0, 360.0, 0.5)
    power = read_lines(tone, frequencies, RATE_HZ)[0, 0]
    assert frequencies[power.argmax()] == pytest.approx(330.5, abs=0.5)
    # A Hann window halves the amplitude, and half of a sine is at negative frequencies.
    assert power.max() == pytest.approx((1 / 4) ** 2, rel=0.03)
    each = read_lines(np.repeat(tone, 2, axis=0), np.array([[330.5], [600.0]]), RATE_HZ)[:, 0, 0]
    assert each[0] == pytest.approx(power.max(), rel=0.02)
    assert each[1] < 1e-6
