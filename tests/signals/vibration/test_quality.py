import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from wearcast.signals.vibration.quality import is_clipped


def naive_clipped(values: np.ndarray) -> bool:
    """Run by run, as the definition says."""
    for channel in values.tolist():
        if min(channel) == max(channel):
            continue
        runs = []
        for extreme in (max(channel), min(channel)):
            length = 0
            for value in [*channel, None]:
                if value == extreme:
                    length += 1
                else:
                    runs.append(length)
                    length = 0
        if max(runs) >= 5 or sum(length >= 3 for length in runs) >= 2:
            return True
    return False


@settings(max_examples=300)
@given(
    npst.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 30)),
        elements=st.sampled_from([-1.0, 0.0, 1.0]),
    )
)
def test_it_equals_the_definition_run_by_run(values: np.ndarray) -> None:
    assert is_clipped(values) == naive_clipped(values)


@given(st.integers(0, 10_000), st.floats(0.3, 0.95))
def test_a_sine_is_clipped_only_where_its_tops_are_cut(phase: int, level: float) -> None:
    whole = np.sin(2 * np.pi * (np.arange(2000) / 100 + phase / 10_000))[np.newaxis]
    sine = whole.astype(np.float32)
    assert not is_clipped(sine)
    assert is_clipped(np.minimum(sine, np.float32(level)))
    assert is_clipped(np.maximum(sine, np.float32(-level)))


def test_one_clipped_channel_is_enough() -> None:
    noise = np.random.default_rng(1).standard_normal((3, 1000)).astype(np.float32)
    assert not is_clipped(noise)
    noise[2] = noise[2].clip(-0.5, 0.5)
    assert is_clipped(noise)


@pytest.mark.parametrize("missing", [[0], [0, 1]])
def test_constant_and_missing_readings_are_not_judged(missing: list[int]) -> None:
    values = np.ones((2, 100), np.float32)
    assert not is_clipped(values)
    values[missing, 50] = np.nan
    assert not is_clipped(values)
