from typing import Any

import numpy as np
import pytest
from cwru_data import CWRU_BEARING, find_cwru
from machines import FAULTS, SETTINGS, make_machines

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.find import find_recordings
from wearcast.training.fault.evaluate import (
    FOREST,
    MODELS,
    EvaluationSettings,
    count_folds,
    evaluate_fault,
)
from wearcast.training.fault.evaluation_report import report_evaluation, summarize_evaluation
from wearcast.training.fault.forest import describe_windows
from wearcast.training.fault.part_d import InstantFitting, TrainedInstants, train_instants
from wearcast.training.fault.report import LEAKY
from wearcast.training.fault.spectral_train import SpectralSettings
from wearcast.training.loss import MemberEpoch

FAST = EvaluationSettings(SETTINGS, InstantFitting(epochs=2))


def test_every_model_is_scored_on_every_unit_left_out() -> None:
    recordings = make_machines("ABC", channels=4, samples=4096)
    told = []
    result = evaluate_fault(
        recordings, MODELS, "unit", FAST, leaky=True, on_fold=lambda: told.append(1)
    )
    assert len(told) == count_folds(recordings, MODELS, "unit", leaky=True)
    assert result.faults == FAULTS
    for model in MODELS:
        assert list(result.folds[model]) == ["A", "B", "C"]
        whole = sum(scores.windows for scores in result.folds[model].values())
        assert result.pooled[model].windows == whole
        assert result.right[model][1] == len(recordings)
    assert set(result.leaky) == {"spectral", FOREST}
    assert result.pooled["spectral"].macro_f1 > 0.95
    # A tone of mean 0 leaves nothing in the mean of one instant that tells faults apart.
    assert result.pooled["dnn"].macro_f1 < 0.7
    text = "\n".join(report_evaluation(result, "unit"))
    assert LEAKY in text
    for model in MODELS:
        assert f"## {model}" in text
    assert summarize_evaluation(result)["pooled"]["spectral"]["macro_f1"] > 0.95


def test_what_is_held_out_changes_no_model() -> None:
    """With one recording of unit A replaced by noise, the answers about its others stay."""
    recordings = make_machines("AB")
    one = evaluate_fault(recordings, ("spectral", FOREST), "unit", FAST)
    changed = recordings[1].values
    changed[:] = np.random.default_rng(1).standard_normal(changed.shape)
    other = evaluate_fault(recordings, ("spectral", FOREST), "unit", FAST)
    kept = [FAULTS.index(recordings[0].fault), FAULTS.index(recordings[2].fault)]
    for model in ("spectral", FOREST):
        # Trained on B alone, and tested on A, a third of which is noise now.
        before, after = one.folds[model]["A"], other.folds[model]["A"]
        assert before.nll != after.nll
        np.testing.assert_array_equal(before.confusion[kept], after.confusion[kept])
        assert one.histories[model]["A"] == other.histories[model]["A"]
        # And trained on A, tested on B: another model.
        assert one.folds[model]["B"].nll != other.folds[model]["B"].nll


def test_ctrl_c_scores_no_half_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Ctrl-C cut short would stand in the table as if it had been fitted to its end."""
    epochs = []

    def interrupt(epoch: MemberEpoch) -> None:
        epochs.append(epoch)
        if len(epochs) == 2:
            raise KeyboardInterrupt

    def train(*arguments: Any, on_epoch: Any, **settings: Any) -> TrainedInstants:
        def note(epoch: MemberEpoch) -> None:
            on_epoch(epoch)
            interrupt(epoch)

        return train_instants(*arguments, on_epoch=note, **settings)

    monkeypatch.setattr("wearcast.training.fault.evaluate.train_instants", train)
    told: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        evaluate_fault(make_machines(), ("dnn",), "unit", FAST, on_fold=lambda: told.append(1))
    assert (len(epochs), told) == (2, [])


def test_the_forest_is_shown_what_everybody_computes() -> None:
    random = np.random.default_rng(0)
    windows = random.standard_normal((5, 2, 512)).astype(np.float32)
    features = describe_windows(windows)
    assert features.shape == (5, 2 * 16)
    centred = windows[3, 1] - windows[3, 1].mean(dtype=np.float64)
    rms = np.sqrt((centred**2).mean())
    assert features[3, 1] == pytest.approx(rms)
    assert features[3, 2 * 2 + 1] == pytest.approx((centred**4).mean() / rms**4)
    assert features[3, 2 * 3 + 1] == pytest.approx(np.abs(centred).max() / rms)
    louder = describe_windows(windows * 2)
    np.testing.assert_allclose(louder[:, :2], 2 * features[:, :2], rtol=1e-5)
    np.testing.assert_allclose(louder[:, 2:], features[:, 2:], rtol=1e-4)


def test_models_and_conditions_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="model: expected spectral or"):
        evaluate_fault(make_machines(), ("svm",), "unit", FAST)
    with pytest.raises(InputError, match="condition: expected one of recording, unit, got load"):
        evaluate_fault(make_machines(), ("spectral",), "load", FAST)


def test_cwru_with_one_fault_size_left_out() -> None:
    """The bar: macro-F1 of 0.65 pooled, where a forest on common features has 0.565."""
    recordings = find_recordings(find_cwru())
    settings = EvaluationSettings(SpectralSettings(orders=CWRU_BEARING, look=("envelope",)))
    result = evaluate_fault(recordings, ("spectral",), "size", settings)
    assert len(recordings) == 27
    assert list(result.folds["spectral"]) == ["7", "14", "21"]
    assert result.pooled["spectral"].macro_f1 >= 0.65
    assert result.pooled["spectral"].unknown_share < 0.01
