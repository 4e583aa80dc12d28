"""Part D's preparation and training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rotor_instants import ROTOR_FAULTS, make_rotor

from wearcast.signals.errors import ArtefactError, InputError
from wearcast.signals.vibration.vibration import Vibration
from wearcast.training.checkpoint import load_checkpoint, save_checkpoint
from wearcast.training.fault.part_d import (
    ARCHITECTURES,
    InstantFitting,
    TrainedInstants,
    answer_instants,
    average,
    find_faults,
    prepare_instants,
    train_instants,
)
from wearcast.training.loss import MemberEpoch

QUICK = InstantFitting(epochs=6, batch=100, learning_rate=1e-2)


def make_ramp(samples: int, fault: str) -> Vibration:
    """Each sample is its own place, so that a mean says which samples are in it."""
    return Vibration(
        fault, ("a", "b"), ("g", "g"), 1000.0, np.float32([np.arange(samples)] * 2), fault
    )


def test_140_000_samples_have_139_986_means_and_60_20_and_20_thousand_a_class_are_kept() -> None:
    ramp = [make_ramp(140_000, fault) for fault in ROTOR_FAULTS]
    assert average(ramp[0].values).shape == (2, 139_986)
    parts = prepare_instants(ramp, ROTOR_FAULTS)
    for part, count in (
        (parts.training, 60_000), (parts.validation, 20_000), (parts.test, 20_000)
    ):  # fmt: skip
        assert np.bincount(part.labels).tolist() == [count] * 4
        assert part.values.shape == (4 * count, 2)
    # A mean of 15 samples from i on is i + 7.
    assert parts.training.values[0, 0] == 30_000 + 7
    assert parts.training.values[59_999, 0] == 90_000 - 1 + 7
    assert parts.test.values[-1, 1] == 130_000 + 2 * 14 - 1 + 7


@given(st.integers(630, 3000), st.integers(1, 15))
def test_no_sample_is_in_the_means_of_two_parts(samples: int, window: int) -> None:
    parts = prepare_instants([make_ramp(samples, "a"), make_ramp(samples, "b")], "ab", window)
    seen: set[int] = set()
    for part in (parts.training, parts.validation, parts.test):
        firsts = np.round(part.values[part.labels == 1, 0] - (window - 1) / 2).astype(int)
        assert np.all(np.diff(firsts) == 1)
        mine = {first + step for first in firsts.tolist() for step in range(window)}
        assert not mine & seen
        assert max(mine) < samples
        seen |= mine


@given(st.integers(1, 40), st.integers(1, 15), st.integers(0, 99))
def test_a_moving_mean_is_the_mean_of_each_run_of_samples(
    extra: int, window: int, seed: int
) -> None:
    values = np.random.default_rng(seed).normal(3, 1, (2, window + extra)).astype(np.float32)
    expected = [
        [row[start : start + window].mean(dtype=np.float64) for start in range(extra + 1)]
        for row in values
    ]
    np.testing.assert_allclose(average(values, window), expected, rtol=1e-6)


def check_best_is_kept(trained: TrainedInstants) -> None:
    said = answer_instants(trained.model, trained.parts.validation.values)
    labels = trained.parts.validation.labels
    loss = -np.mean(np.log(said[np.arange(len(labels)), labels]))
    best = min(item.validation_loss for item in trained.history)
    assert loss == pytest.approx(best, rel=1e-4)
    assert trained.checkpoint.training["validation_loss"] == best


@pytest.fixture(scope="module", params=ARCHITECTURES)
def trained(request: pytest.FixtureRequest) -> TrainedInstants:
    return train_instants(make_rotor(), request.param, fitting=QUICK, seed=3)


def test_training_teaches_what_an_instant_can_tell(trained: TrainedInstants) -> None:
    scores = trained.score_test()
    assert scores.faults == ROTOR_FAULTS
    assert scores.support.tolist() == [200] * 4
    assert scores.accuracy > 0.9


def test_a_model_of_instants_cannot_tell_faults_that_only_vibrate_differently() -> None:
    """The original's mistake: with no offset all that differs is gone in the mean."""
    trained = train_instants(make_rotor(offset=0.0), "dnn", fitting=QUICK)
    assert trained.score_test().accuracy < 0.35


def test_the_weights_that_did_best_on_the_validation_part_are_kept(
    trained: TrainedInstants,
) -> None:
    check_best_is_kept(trained)


def test_training_ends_when_nothing_gets_better_and_returns_the_best() -> None:
    """At this rate each step makes it worse than the one before, sooner or later."""
    fitting = InstantFitting(epochs=200, batch=400, learning_rate=0.5, patience=3)
    trained = train_instants(make_rotor(offset=0.3), "dnn", fitting=fitting)
    losses = [item.validation_loss for item in trained.history]
    assert len(losses) < 200
    assert int(np.argmin(losses)) == len(losses) - 1 - 3
    check_best_is_kept(trained)


def test_scaling_is_fitted_to_the_training_part_alone(trained: TrainedInstants) -> None:
    values = trained.parts.training.values
    np.testing.assert_array_equal(trained.model.low.numpy(), values.min(axis=0))
    np.testing.assert_allclose(trained.model.span.numpy(), np.ptp(values, axis=0), rtol=1e-6)
    assert (trained.parts.test.values.max(axis=0) != values.max(axis=0)).all()


def test_a_served_block_is_answered_as_the_instant_of_its_samples(
    trained: TrainedInstants,
) -> None:
    values = make_rotor(seed=9)[1].values
    blocks = values[:, :1395].reshape(4, 93, 15).swapaxes(0, 1)[:, None]
    with torch.no_grad():
        served = trained.model(torch.from_numpy(np.ascontiguousarray(blocks))).numpy()
    instants = np.ascontiguousarray(average(values)[:, :1395:15].T)
    np.testing.assert_allclose(served, answer_instants(trained.model, instants), atol=1e-5)


def test_the_checkpoint_says_what_is_served_and_gives_the_same_model(
    trained: TrainedInstants, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "model.pth", trained.checkpoint)
    checkpoint = load_checkpoint(tmp_path / "model.pth")
    assert (checkpoint.kind, checkpoint.window, checkpoint.sequence) == ("fault", 15, 1)
    assert checkpoint.hop_s == 0.015
    assert checkpoint.channels == tuple((f"sensor{number}", "g") for number in (1, 2, 3, 4))
    assert checkpoint.fault is not None
    assert checkpoint.fault.faults == ROTOR_FAULTS
    assert checkpoint.fault.steady == 67
    blocks = torch.randn(5, 1, 4, 15, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(checkpoint.build_model()(blocks), trained.model(blocks))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    fitting = replace(QUICK, epochs=2)
    first, again, other = (
        train_instants(make_rotor(), "cnn", fitting=fitting, seed=seed) for seed in (1, 1, 2)
    )
    assert first.history == again.history
    for name, weights in first.model.state_dict().items():
        assert torch.equal(weights, again.model.state_dict()[name])
    assert first.history != other.history


def test_a_last_batch_of_one_is_no_batch_to_normalise() -> None:
    recordings = [
        replace(it, channels=it.channels[:3], units=it.units[:3], values=it.values[:3])
        for it in make_rotor()
    ]
    rows = len(prepare_instants(recordings, find_faults(recordings)).training)
    fitting = InstantFitting(epochs=1, batch=rows - 1)
    (epoch,) = train_instants(recordings, "cnn", fitting=fitting).history
    assert np.isfinite(epoch.training_loss)


def test_ctrl_c_keeps_the_best_weights_so_far() -> None:
    history: list[MemberEpoch] = []

    def stop(epoch: MemberEpoch) -> None:
        history.append(epoch)
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    trained = train_instants(make_rotor(), "dnn", fitting=QUICK, on_epoch=stop)
    assert trained.interrupted
    assert trained.history == history
    check_best_is_kept(trained)


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        ([], "recordings: expected two faults or more, got none"),
        (make_rotor()[:1], "recordings: expected two faults or more, got normal"),
        (
            [make_rotor()[0], replace(make_rotor()[1], fault="")],
            "A-unbalance: fault: expected a name, got none",
        ),
        (
            [make_rotor()[0], replace(make_rotor()[1], sample_rate_hz=500.0)],
            "A-unbalance: sample_rate_hz: expected 1000, got 500",
        ),
        (
            [make_rotor()[0], replace(make_rotor()[1], units=("g", "g", "g", "m/s2"))],
            "A-unbalance: channels: expected sensor1 in g, .*got .*sensor4 in m/s2",
        ),
        (make_rotor(samples=629), "A-normal: samples: expected 630 or more, got 629"),
        (
            [replace(it, values=it.values * np.float32(np.nan)) for it in make_rotor()],
            "training: expected a loss that is a number",
        ),
    ],
)
def test_recordings_that_teach_nothing_are_refused(
    recordings: list[Vibration], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train_instants(recordings, "dnn", fitting=QUICK)


def test_an_architecture_of_another_kind_is_refused() -> None:
    with pytest.raises(ArtefactError, match="architecture: expected dnn or cnn or rnn, got lstm"):
        train_instants(make_rotor(), "lstm")


def test_faults_come_in_the_order_of_their_first_recording() -> None:
    assert find_faults([*make_rotor("A"), *make_rotor("B")[::-1]]) == ROTOR_FAULTS
