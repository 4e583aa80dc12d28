from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.femto import HOP_S, SAMPLE_RATE_HZ, WINDOW, read_bearing, write_snapshot
from wearcast.signals.simulation.bearing import (
    SHAFT_RPM,
    BearingLife,
    simulate_bearing,
    simulate_snapshot,
)

LIFE = BearingLife(life_s=2_000.0, seed=3)


def rms_g(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.sqrt((values.astype(np.float64) ** 2).mean(axis=-1))


def envelope_lines(snapshots: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Mean spectrum of the squared envelope of the vertical channel, one line each 10 Hz.

    The envelope is the size of the analytic signal above 2 kHz, made by leaving out negative
    frequencies.
    """
    spectra = []
    for values in snapshots:
        spectrum = np.fft.fft(values[1])
        spectrum[WINDOW // 2 :] = 0
        spectrum[: int(2_000 / SAMPLE_RATE_HZ * WINDOW)] = 0
        envelope = np.abs(np.fft.ifft(spectrum)) ** 2
        spectra.append(np.abs(np.fft.rfft(envelope / envelope.mean() - 1)))
    return np.mean(spectra, axis=0)


@pytest.mark.parametrize("condition", SHAFT_RPM)
@pytest.mark.parametrize("defect", ["outer", "inner"])
def test_the_envelope_of_a_worn_bearing_has_the_defects_line(condition: int, defect: str) -> None:
    life = BearingLife(life_s=2_000.0, condition=condition, defect=defect, seed=condition)
    lines = envelope_lines([simulate_snapshot(life, number) for number in range(170, 200)])
    rate_hz = life.outer_hz if defect == "outer" else life.inner_hz
    strongest = 10 * (10 + np.argmax(lines[10:27]))
    # A defect that turns with the shaft is modulated by it: its sidebands can be the stronger.
    sidebands = (-1, 0, 1) if defect == "inner" else (0,)
    assert any(abs(strongest - rate_hz - k * life.shaft_hz) <= 10 for k in sidebands)
    assert lines[round(rate_hz / 10)] > 2.5 * np.median(lines[10:100])


def test_a_new_bearing_has_no_such_line() -> None:
    lines = envelope_lines([simulate_snapshot(LIFE, number) for number in range(30)])
    assert lines[round(LIFE.outer_hz / 10)] < 1.5 * np.median(lines[10:100])


@pytest.mark.parametrize(
    ("condition", "outer_hz", "inner_hz"),
    [(1, 168.3, 221.7), (2, 154.3, 203.2), (3, 140.3, 184.7)],
)
def test_balls_pass_as_the_geometry_says(condition: int, outer_hz: float, inner_hz: float) -> None:
    # 13 balls of 3.5 mm on 25.6 mm: 13/2 x shaft rate x (1 -+ 3.5/25.6).
    life = BearingLife(condition=condition)
    assert life.outer_hz == pytest.approx(outer_hz, abs=0.05)
    assert life.inner_hz == pytest.approx(inner_hz, abs=0.05)
    assert life.outer_hz + life.inner_hz == pytest.approx(13 * life.shaft_hz)


def test_levels_are_those_of_real_bearings() -> None:
    values = [block.values for block in simulate_bearing(LIFE)]
    assert rms_g(np.array(values[:5])).mean(axis=0) == pytest.approx([0.43, 0.36], abs=0.04)
    assert rms_g(np.array(values[60:100])).mean(axis=0) == pytest.approx([0.31, 0.37], abs=0.04)
    last = rms_g(np.array(values[-10:])).mean(axis=0)
    assert (last > 1.0).all()
    assert (last < 6.0).all()
    peaks = np.abs(np.array(values[-10:])).max(axis=(1, 2))
    assert np.median(peaks) > 20
    assert np.abs(np.array(values[:100])).max() < 3


def test_it_grows_to_failure() -> None:
    levels = rms_g(np.array([block.values for block in simulate_bearing(LIFE)])).mean(axis=1)
    tenths = levels.reshape(10, -1).mean(axis=1)
    assert (np.diff(tenths[5:]) > 0).all()
    assert tenths[9] > 4 * tenths[4]


def test_a_seed_gives_the_same_life_again() -> None:
    again = BearingLife(life_s=2_000.0, seed=3)
    other = BearingLife(life_s=2_000.0, seed=4)
    for number in (0, 150, 199):
        np.testing.assert_array_equal(
            simulate_snapshot(LIFE, number), simulate_snapshot(again, number)
        )
        assert not np.array_equal(simulate_snapshot(LIFE, number), simulate_snapshot(other, number))


def test_the_reader_reads_it(tmp_path: Path) -> None:
    blocks = list(simulate_bearing(LIFE, stop_at=0.05))
    for block in blocks:
        path = tmp_path / f"acc_{block.sequence + 1:05d}.csv"
        write_snapshot(path, block.start_us, block.values)
    recording = read_bearing(tmp_path, strict=True)
    assert len(recording) == len(blocks) == 10
    assert recording.numbers.tolist() == list(range(10))
    assert recording.starts_us.tolist() == [block.start_us for block in blocks]
    np.testing.assert_allclose(
        recording.values, [block.values for block in blocks], rtol=0, atol=0.000501
    )


@pytest.mark.parametrize(("stop_at", "count"), [(1.0, 200), (0.5, 100), (0.995, 199), (0.01, 2)])
def test_stop_at_is_a_share_of_the_life(stop_at: float, count: int) -> None:
    numbers = [block.sequence for block in simulate_bearing(LIFE, stop_at=stop_at)]
    assert numbers == list(range(count))


@pytest.mark.parametrize("stop_at", [0.0, -0.1, 1.1, 0.001, float("nan")])
def test_a_bad_end_is_refused(stop_at: float) -> None:
    with pytest.raises(InputError, match="stop_at: expected over 0, up to 1"):
        simulate_bearing(LIFE, stop_at=stop_at)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"condition": 4}, "condition: expected 1, 2 or 3, got 4"),
        ({"life_s": HOP_S / 2}, "life_s: expected 10 or more, got 5"),
        ({"life_s": float("inf")}, "life_s: expected 10 or more, got inf"),
    ],
)
def test_a_bad_life_is_refused(fields: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BearingLife(**fields)
