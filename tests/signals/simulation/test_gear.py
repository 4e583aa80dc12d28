import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from wearcast.signals.errors import InputError
from wearcast.signals.simulation.gear import (
    BLOCK_ROWS,
    FAULTS,
    GearDesign,
    draw_rig,
    list_blocks,
)
from wearcast.signals.simulation.gear_signal import simulate_gear
from wearcast.signals.vibration.gear_csv import SAMPLE_RATE_HZ

DESIGN = GearDesign()
# Of the blocks, those at 25 turns a second without and with load.
UNLOADED, LOADED = 2, 3
SHAFT_HZ = 25.0


@pytest.fixture(scope="module", params=[1, 3])
def blocks(request: pytest.FixtureRequest) -> dict[str, NDArray[np.float64]]:
    """Each fault's blocks of one rig."""
    return {fault: simulate_gear(draw_rig(request.param), fault) for fault in FAULTS}


Blocks = dict[str, NDArray[np.float64]]


def amplitude_near(values: NDArray[np.float64], hertz: float) -> float:
    """Size in V of all within 1%: the speed is not exact and wanders, so lines are broad."""
    energy = np.abs(np.fft.rfft((values - values.mean()) * np.hanning(len(values)))) ** 2
    lines_hz = np.fft.rfftfreq(len(values), 1 / SAMPLE_RATE_HZ)
    return float(np.sqrt(energy[np.abs(lines_hz - hertz) < 0.01 * hertz].sum()) / len(values))


def find_mesh_hz(values: NDArray[np.float64]) -> float:
    amplitudes = np.abs(np.fft.rfft((values - values.mean()) * np.hanning(len(values))))
    lines_hz = np.fft.rfftfreq(len(values), 1 / SAMPLE_RATE_HZ)
    near = np.abs(lines_hz / (SHAFT_HZ * DESIGN.pinion_teeth) - 1) < 0.015
    return float(lines_hz[near][np.argmax(amplitudes[near])])


def sidebands(values: NDArray[np.float64]) -> float:
    """Energy of the two lines a shaft rate beside the mesh rate, by the mesh's own."""
    size = len(values)
    energy = np.abs(np.fft.rfft((values - values.mean()) * np.hanning(size))) ** 2
    lines_hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ)
    mesh_hz = find_mesh_hz(values)
    shaft_hz = mesh_hz / DESIGN.pinion_teeth

    def around(hertz: float) -> float:
        return float(energy[np.abs(lines_hz - hertz) < 2].max())

    return (around(mesh_hz + shaft_hz) + around(mesh_hz - shaft_hz)) / around(mesh_hz)


def kurtosis(values: NDArray[np.float64]) -> float:
    centred = values - values.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2)


def once_a_turn(values: NDArray[np.float64]) -> float:
    """How much of the envelope above the mesh rate comes back each turn, as its line by its mean.

    The envelope is the size of the analytic signal, made by leaving out negative frequencies.
    """
    spectrum = np.fft.fft(values - values.mean())
    lines_hz = np.fft.fftfreq(len(values), 1 / SAMPLE_RATE_HZ)
    mesh_hz = find_mesh_hz(values)
    spectrum[(lines_hz < 1.1 * mesh_hz) | (lines_hz > 1.9 * mesh_hz)] = 0
    envelope = np.abs(np.fft.ifft(2 * spectrum))
    lines = np.abs(np.fft.rfft(envelope * np.hanning(len(values)))) * 4 / len(values)
    place = mesh_hz / DESIGN.pinion_teeth * len(values) / SAMPLE_RATE_HZ
    return float(lines[round(place) - 2 : round(place) + 3].max() / envelope.mean())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("number", range(6))
def test_the_mesh_is_the_strongest_line_near_its_rate(
    blocks: Blocks, fault: str, number: int
) -> None:
    speed_hz, _ = list_blocks(DESIGN)[number]
    mesh_hz = speed_hz * DESIGN.pinion_teeth
    values = blocks[fault][number, 1]
    beside = [amplitude_near(values, mesh_hz * factor) for factor in (0.75, 0.85, 1.15)]
    assert amplitude_near(values, mesh_hz) > 2 * max(beside)


@pytest.mark.parametrize("channel", [0, 1])
def test_load_and_speed_raise_the_mesh(blocks: Blocks, channel: int) -> None:
    for fault in FAULTS:
        levels = blocks[fault][:, channel].std(axis=1)
        assert (levels[1::2] > levels[::2]).all()
        assert levels[2] > levels[0]
        mesh = [
            amplitude_near(blocks[fault][number, channel], SHAFT_HZ * DESIGN.pinion_teeth)
            for number in (UNLOADED, LOADED)
        ]
        # Without load 35% are left, some of which rattle takes out of the line.
        assert 0.2 < mesh[0] / mesh[1] < 0.45


def test_eccentricity_has_sidebands_a_turn_apart(blocks: Blocks) -> None:
    healthy = sidebands(blocks["no fault"][LOADED, 0])
    assert sidebands(blocks["eccentricity"][LOADED, 0]) > 5 * healthy
    for fault in ("missing tooth", "root crack", "tooth chipped fault", "surface fault"):
        assert sidebands(blocks["eccentricity"][LOADED, 0]) > sidebands(blocks[fault][LOADED, 0])


def test_a_damaged_tooth_is_heard_once_a_turn_by_its_size(blocks: Blocks) -> None:
    missing, chipped, cracked, *others = (
        once_a_turn(blocks[fault][LOADED, 0])
        for fault in (
            "missing tooth",
            "tooth chipped fault",
            "root crack",
            "no fault",
            "eccentricity",
            "surface fault",
        )
    )
    assert missing > chipped > cracked > 2 * max(others)


def test_a_missing_tooth_makes_peaks(blocks: Blocks) -> None:
    # At the slowest speed, whose turn leaves the ringing time to die away.
    assert kurtosis(blocks["missing tooth"][1, 1]) > 6
    assert kurtosis(blocks["no fault"][1, 1]) < 4


def test_a_worn_surface_raises_the_higher_harmonics(blocks: Blocks) -> None:
    mesh_hz = SHAFT_HZ * DESIGN.pinion_teeth
    healthy, worn = (
        amplitude_near(values, 2 * mesh_hz) / amplitude_near(values, mesh_hz)
        for values in (blocks["no fault"][LOADED, 0], blocks["surface fault"][LOADED, 0])
    )
    # 1.7 / 1.2 at a severity of 1; severities are 0.7 to 1.3.
    assert 1.2 < worn / healthy < 1.65


def test_readings_are_steps_of_the_converter_about_half_the_supply(blocks: Blocks) -> None:
    for values in blocks.values():
        assert values.shape == (6, 2, BLOCK_ROWS)
        steps = values / DESIGN.step_v
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)
        np.testing.assert_allclose(values.mean(axis=(0, 2)), DESIGN.offsets_v, atol=0.1)
        # Within the converter's range, so nothing is clipped.
        assert np.abs(values).max() < 10


def test_the_slowest_block_spans_tens_of_steps(blocks: Blocks) -> None:
    # Part C's scaled first row is 16/23 and 25/54: so many steps are between least and greatest.
    # Rigs differ, as their structures do.
    spans = np.ptp(blocks["no fault"][0], axis=1) / DESIGN.step_v
    assert (spans > 10).all()
    assert (spans < 100).all()


def test_each_fault_is_another_pinion_of_the_same_rig() -> None:
    rig = draw_rig(5)
    values = simulate_gear(rig, "root crack")
    np.testing.assert_array_equal(values, simulate_gear(draw_rig(5), "root crack"))
    for other in (simulate_gear(rig, "no fault"), simulate_gear(draw_rig(6), "root crack")):
        assert not np.array_equal(values, other)


@given(seed=st.integers(0, 10**9))
def test_rigs_are_of_one_make(seed: int) -> None:
    rig = draw_rig(seed)
    assert rig == draw_rig(seed)
    assert len(rig.harmonics_g) == len(FAULTS["no fault"].harmonics)
    first, second = rig.modes
    assert [mode.frequency_hz for mode in first] == [mode.frequency_hz for mode in second]
    assert first != second
    np.testing.assert_allclose(rig.offsets_v, DESIGN.offsets_v, atol=0.2)


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"fault: expected one of no fault, ecc.*, got worn"):
        simulate_gear(draw_rig(0), "worn")
    with pytest.raises(InputError, match="seed: expected 0 or more, got -1"):
        draw_rig(-1)
