"""What speaks for a diagnosis: models are asked whose answers are known to hang on one band."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from tiny_fault import (
    CONTRACT,
    FAULTS,
    RATE_HZ,
    TONES_HZ,
    answer_fault,
    vibration_of,
    write_fault_model,
)

from wearcast.clients.explain import explain, find_marks, list_marks, name_frequency
from wearcast.clients.local import predict_local
from wearcast.clients.occlusion import (
    amplitudes,
    envelope,
    flatten_bands,
    flatten_envelope_bands,
    make_bands,
)
from wearcast.clients.plot_fault import draw_diagnosis
from wearcast.clients.results import Result
from wearcast.serving.models import open_model
from wearcast.signals.contract import Contract, FaultPart
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block, Series
from wearcast.signals.vibration.cut import cut_blocks

Model = Callable[[np.ndarray], dict[str, np.ndarray]]


def scorer(model: Model, contract: Contract = CONTRACT) -> Callable[..., Iterator[Estimate]]:
    def score(blocks: Iterable[Block]) -> Iterator[Estimate]:
        series = Series(contract)
        for block in blocks:
            window = series.push(block)
            if window is not None:
                outputs = model(window.values[np.newaxis])
                yield series.answer(window, {name: part[0] for name, part in outputs.items()})

    return score


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("shaft_hz", [25.0, 33.0, None])
def test_the_only_mark_is_on_the_tone_that_decides(fault: str, shaft_hz: float | None) -> None:
    part = msgspec.structs.replace(CONTRACT.fault, shaft_hz=shaft_hz)
    contract = msgspec.structs.replace(CONTRACT, fault=part)
    score = scorer(answer_fault, contract)
    blocks = list(cut_blocks(vibration_of([fault], seconds=1.0), contract))
    explanation = explain(blocks, list(score(blocks)), contract, score)
    assert explanation is not None
    assert explanation.fault == fault
    (mark,) = find_marks(explanation)
    assert mark.low_hz <= TONES_HZ[fault] < mark.high_hz
    assert mark.hz == TONES_HZ[fault]
    assert not mark.in_envelope
    # Without its tone no fault is likelier than the others by more than noise.
    assert mark.drop > 4


def test_a_real_model_says_the_same(tmp_path: Path) -> None:
    write_fault_model(tmp_path)
    session = open_model(tmp_path, CONTRACT.name)
    blocks = list(cut_blocks(vibration_of(["looseness"], seconds=1.0), CONTRACT))

    def score(blocks: Iterable[Block]) -> Iterator[Estimate]:
        return predict_local(session, blocks)

    real = explain(blocks, list(score(blocks)), CONTRACT, score)
    plain = explain(blocks, list(scorer(answer_fault)(blocks)), CONTRACT, scorer(answer_fault))
    assert real is not None
    assert plain is not None
    np.testing.assert_allclose(real.drop, plain.drop, atol=2e-3)
    np.testing.assert_allclose(real.envelope_drop, plain.envelope_drop, atol=2e-3)
    told = list_marks(real, CONTRACT.fault)
    (frequency,) = told.pop("frequencies")
    assert told == {"fault": "looseness", "sequence": real.sequence}
    assert (frequency["of"], frequency["hz"], frequency["order"]) == ("signal", 250.0, 10.0)
    assert frequency["text"] == "250 Hz = 10.00x (BPFO)"


def modulated(modulation_hz: float, count: int = 2048) -> np.ndarray:
    """Noise between 500 and 1000 Hz whose size swings, (2, count)."""
    noise = np.random.RandomState(4).normal(size=(2, count))
    spectrum = np.fft.rfft(noise)
    frequencies = np.fft.rfftfreq(count, 1 / RATE_HZ)
    spectrum[:, (frequencies < 500) | (frequencies > 1000)] = 0
    times_s = np.arange(count) / RATE_HZ
    return np.fft.irfft(spectrum, count) * (1 + 0.9 * np.cos(2 * np.pi * modulation_hz * times_s))


def answer_envelope(windows: np.ndarray) -> dict[str, np.ndarray]:
    """Looseness is how strong the envelope's line at 80 Hz is."""
    whole = windows.transpose(0, 2, 1, 3).reshape(len(windows), 2, -1).astype(float)
    probabilities = []
    for signal in whole:
        frequencies, sizes = amplitudes(envelope(signal), RATE_HZ)
        line = sizes[:, np.abs(frequencies - 80).argmin()].mean()
        share = line**2 / (line**2 + 0.01)
        probabilities.append([(1 - share) / 2, share, (1 - share) / 2])
    return {"probability": np.array(probabilities), "novelty": np.zeros(len(whole))}


def test_what_is_in_the_envelope_is_marked_there() -> None:
    contract = msgspec.structs.replace(CONTRACT, sequence=8)
    signal = modulated(80.0).astype(np.float32)
    blocks = [
        Block(number, number * 100_000, RATE_HZ, part)
        for number, part in enumerate(np.split(signal, 8, axis=1))
    ]
    score = scorer(answer_envelope, contract)
    explanation = explain(blocks, list(score(blocks)), contract, score)
    assert explanation is not None
    (mark,) = find_marks(explanation)  # no single band of the carrier
    assert mark.in_envelope
    assert mark.low_hz <= mark.hz == 80 < mark.high_hz
    assert mark.drop > 2


def test_the_window_is_the_one_that_the_newest_diagnosis_is_likeliest_in() -> None:
    blocks = list(cut_blocks(vibration_of(["normal", "looseness"], seconds=1.0), CONTRACT))
    score = scorer(answer_fault)
    estimates = list(score(blocks))
    explanation = explain(blocks, estimates, CONTRACT, score)
    assert explanation is not None
    best = max(estimates, key=lambda it: dict(it.fault_diagnosis.probabilities)["looseness"])
    assert (explanation.fault, explanation.sequence) == ("looseness", best.sequence)
    own = [block.values for block in blocks[best.sequence - 1 : best.sequence + 1]]
    np.testing.assert_array_equal(explanation.values, np.concatenate(own, axis=1))


def test_of_a_shaft_too_slow_for_a_window_the_whole_envelope_is_drawn() -> None:
    part = msgspec.structs.replace(CONTRACT.fault, shaft_hz=0.01)
    contract = msgspec.structs.replace(CONTRACT, fault=part)
    blocks = list(cut_blocks(vibration_of(["looseness"], seconds=1.0), contract))
    score = scorer(answer_fault, contract)
    estimates = list(score(blocks))
    explanation = explain(blocks, estimates, contract, score)
    assert explanation is not None
    assert len(explanation.envelope_bands_hz) == 0
    figure = Figure()
    draw_diagnosis(figure, Result("fan", contract, estimates, [], explanation=explanation))
    assert figure.axes[3].get_xlim() == (0, RATE_HZ / 2)


def test_an_unknown_window_has_its_likeliest_fault_explained() -> None:
    score = scorer(answer_fault)
    blocks = list(cut_blocks(vibration_of(["unbalance"], seconds=1.0, loud=(0,)), CONTRACT))
    estimates = list(score(blocks))
    assert estimates[-1].fault_diagnosis.unknown
    explanation = explain(blocks, estimates, CONTRACT, score)
    assert explanation is not None
    assert (explanation.fault, explanation.sequence) == ("unbalance", blocks[-1].sequence)


def test_nothing_is_explained_where_there_is_no_signal_to_look_at() -> None:
    score = scorer(answer_fault)
    blocks = list(cut_blocks(vibration_of(["normal"]), CONTRACT))
    estimates = list(score(blocks))
    short = msgspec.structs.replace(CONTRACT, window=15, hop_s=15 / RATE_HZ, sequence=1)
    apart = msgspec.structs.replace(CONTRACT, hop_s=10.0)
    assert explain(blocks, [], CONTRACT, score) is None
    assert explain(blocks, estimates, short, score) is None
    assert explain(blocks, estimates, apart, score) is None


@given(st.floats(10, 30_000), st.integers(64, 20_000), st.none() | st.floats(0.5, 500))
def test_bands_rise_without_gaps_and_have_two_bins_each(
    highest_hz: float, count: int, shaft_hz: float | None
) -> None:
    resolution_hz = 2 * highest_hz / count
    bands = make_bands(highest_hz, resolution_hz, shaft_hz)
    assert len(bands) <= 60
    if len(bands):
        assert bands[0, 0] >= 0.5 * resolution_hz
        assert bands[-1, 1] <= highest_hz * (1 + 1e-9)
        np.testing.assert_array_equal(bands[1:, 0], bands[:-1, 1])
        assert (np.diff(bands, axis=1) >= 1.999 * resolution_hz).all()


signals = st.integers(0, 2**16).map(
    lambda seed: np.random.RandomState(seed).normal(size=(2, 400 + seed % 2))
)


@settings(max_examples=30)
@given(signals)
def test_only_the_band_changes(signal: np.ndarray) -> None:
    bands = make_bands(500.0, 1000.0 / signal.shape[1], None)
    before = np.fft.rfft(signal)
    frequencies = np.fft.rfftfreq(signal.shape[1], 1 / 1000.0)
    for band, changed in zip(bands, flatten_bands(signal, 1000.0, bands), strict=True):
        after = np.fft.rfft(changed)
        inside = (frequencies >= band[0] - 1e-9) & (frequencies < band[1] - 1e-9)
        np.testing.assert_allclose(after[:, ~inside], before[:, ~inside], atol=1e-9)
        # All of it as large as the floor, with its phases.
        sizes = np.abs(after[:, inside])
        np.testing.assert_allclose(sizes, sizes[:, :1] * np.ones(sizes.shape[1]), rtol=1e-6)


def test_a_line_of_the_envelope_goes_and_the_rest_of_it_stays() -> None:
    signal = modulated(80.0)
    (changed,) = flatten_envelope_bands(signal, RATE_HZ, np.array([[70.0, 90.0]]))
    frequencies, before = amplitudes(envelope(signal), RATE_HZ)
    _, after = amplitudes(envelope(changed), RATE_HZ)
    line = np.abs(frequencies - 80).argmin()
    assert (after[:, line] < 0.25 * before[:, line]).all()
    elsewhere = (frequencies > 110) & (frequencies < 300)
    ratio = np.linalg.norm(after[:, elsewhere]) / np.linalg.norm(before[:, elsewhere])
    assert 0.7 < ratio < 1.3


def test_an_amplitude_is_that_of_the_sine() -> None:
    times_s = np.arange(1000) / 1000
    signal = 7 + 3 * np.sin(2 * np.pi * 50 * times_s)
    frequencies, sizes = amplitudes(signal[np.newaxis], 1000.0)
    assert frequencies[sizes[0].argmax()] == 50
    assert sizes[0].max() == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize(
    ("hz", "text"),
    [
        (107.0, "107 Hz = 3.58x (BPFO)"),
        (105.3, "105.3 Hz = 3.52x (BPFO)"),
        (104.5, "104.5 Hz = 3.49x"),
        (321.0, "321 Hz = 10.74x (3 BPFO)"),
        (162.0, "162 Hz = 5.42x (BPFI)"),
        (29.9, "29.9 Hz = 1.00x"),
    ],
)
def test_frequencies_have_the_names_of_orders_near_them(hz: float, text: str) -> None:
    part = FaultPart(("a", "b"), shaft_hz=29.9, orders={"BPFO": 3.585, "BPFI": 5.415})
    assert name_frequency(hz, part) == text
    assert name_frequency(hz, FaultPart(("a", "b"))) == text.split(" = ", maxsplit=1)[0]
