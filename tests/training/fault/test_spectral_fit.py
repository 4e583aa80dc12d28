"""Fitting on made-up features, whose truth is known."""

import numpy as np
import pytest
import torch

from wearcast.training.fault.spectral import SpectralConfig
from wearcast.training.fault.spectral_fit import Lesson, fit_spectral, list_looks
from wearcast.training.loss import MemberEpoch

CONFIG = SpectralConfig(
    channels=1, sequence=4, window=64, sample_rate_hz=256.0, faults=2, shaft_hz=10.0,
    orders=(1.0, 2.0), bands=4,
)  # fmt: skip
SIZES = CONFIG.sizes()
UNITS, WINDOWS = 4, 30


def make_lesson(
    *, trap: float = 0.0, signal: float = 3.0, units: int = UNITS, seed: int = 0
) -> Lesson:
    """Two recordings a unit, one a fault. The first order tells the fault, with noise.

    trap: how well the first band tells it in all units but each one left out would have to guess:
    its sign changes from unit to unit.
    """
    random = np.random.default_rng(seed)
    features, fault, recording, fold = [], [], [], []
    first_order = SIZES["bands"]
    for unit in range(units):
        for place in range(2):
            rows = random.normal(0, 1, (WINDOWS, sum(SIZES.values())))
            rows[:, first_order] += signal * place
            rows[:, 0] += trap * place * (1 if unit % 2 else -1)
            features.append(rows)
            fault += [place] * WINDOWS
            recording += [2 * unit + place] * WINDOWS
            fold += [unit] * WINDOWS
    stacked = np.concatenate(features)
    limits = np.concatenate([stacked[:, :4], stacked[:, -1:]], axis=1)
    flatness = np.full((len(stacked), 1), 0.1)
    return Lesson(stacked, limits, flatness, np.array(fault), np.array(recording), np.array(fold))


def fit(lesson: Lesson, looks: list[tuple[str, ...]] | None = None) -> tuple:
    history: list[MemberEpoch] = []
    model, choice = fit_spectral(CONFIG, lesson, looks or list_looks(CONFIG), history.append)
    return model, choice, history


def test_all_sets_of_groups_are_tried() -> None:
    _, _, history = fit(make_lesson())
    assert len(history) == 2 ** len(SIZES) - 1
    assert [item.epoch for item in history] == list(range(1, len(history) + 1))


def test_what_holds_on_other_units_is_chosen() -> None:
    _, choice, history = fit(make_lesson(trap=8.0))
    assert "bands" not in choice.look
    assert "orders" in choice.look
    assert choice.loss == min(item.validation_loss for item in history)


def test_the_map_tells_the_faults_of_new_units() -> None:
    model, choice, _ = fit(make_lesson(), [("orders",)])
    new = make_lesson(seed=5)
    columns = slice(SIZES["bands"], SIZES["bands"] + SIZES["orders"])
    features = torch.from_numpy(new.features[:, columns]).float()
    with torch.no_grad():
        logits = model.linear((features - model.center) / model.scale)
    assert (logits.argmax(dim=1).numpy() == new.fault).mean() > 0.9
    assert choice.look == ("orders",)


def test_a_recording_counts_once_however_long_it_is() -> None:
    short = make_lesson()
    twice = np.concatenate([np.arange(len(short.fault)), np.flatnonzero(short.recording == 0)])
    longer = Lesson(
        short.features[twice], short.limits[twice], short.flatness[twice], short.fault[twice],
        short.recording[twice], short.fold[twice],
    )  # fmt: skip
    one, other = fit(short, [("orders",)])[0], fit(longer, [("orders",)])[0]
    torch.testing.assert_close(one.linear.weight, other.linear.weight, atol=1e-4, rtol=1e-3)


def test_probabilities_are_softened_where_folds_disagree() -> None:
    agreed = fit(make_lesson(signal=3.0), [("orders",)])[1]
    fooled = fit(make_lesson(signal=0.0, trap=3.0), [("bands",)])[1]
    assert agreed.temperature < 1 < fooled.temperature


def test_two_folds_calibrate_nothing() -> None:
    assert fit(make_lesson(units=2), [("orders",)])[1].temperature == 1.0


def test_few_windows_of_the_training_are_unknown_and_far_ones_all() -> None:
    lesson = make_lesson(units=6)
    model, _, _ = fit(lesson, [("orders",)])
    limits = torch.from_numpy(lesson.limits).float()
    for shift, low, high in ((0.0, 0.0, 0.05), (40.0, 1.0, 1.0)):
        away = (limits[:, None] + shift - model.places) @ model.whitening
        distance = away.square().sum(dim=2).sqrt().amin(dim=1) / model.threshold
        assert low <= (distance >= 1).float().mean() <= high


def test_the_weights_of_two_faults_are_those_of_a_softmax() -> None:
    model, _, _ = fit(make_lesson(), [("orders",)])
    torch.testing.assert_close(model.linear.weight[0], -model.linear.weight[1])


def test_the_same_lesson_gives_the_same_model() -> None:
    one, other = (fit(make_lesson())[0].state_dict() for _ in range(2))
    for name, values in one.items():
        torch.testing.assert_close(values, other[name], rtol=0, atol=0)


def test_no_sets_to_choose_from_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(\)|\[\]"):
        fit_spectral(CONFIG, make_lesson(), [], lambda _: None)
