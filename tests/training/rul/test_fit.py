import numpy as np
import pytest
import torch
from lives import make_life
from torch import Tensor, nn

from wearcast.signals.errors import InputError
from wearcast.training.rul.compact import TRAINING, Compact, CompactConfig
from wearcast.training.rul.config import TrainingConfig
from wearcast.training.rul.fit import Epoch, Run, encode_run, fit, score_features
from wearcast.training.rul.model import RulModel

QUICK = TrainingConfig(
    epochs=6,
    runs=32,
    run_length=1,
    steps=4,
    learning_rate=0.05,
    weight_decay=0.0,
    clip_norm=1.0,
    leave_one_out=True,
)
LIVES = [Run.of(make_life(f"Bearing1_{seed}", 40 + 5 * seed, seed=seed)) for seed in range(3)]


class Reader(RulModel):
    """Answers with the first sample of a window's newest snapshot, once its weight is 1."""

    def __init__(self, sequence: int, *, encoder_is_fixed: bool) -> None:
        super().__init__()
        self.config = CompactConfig(sequence=sequence)
        self.encoder_is_fixed = encoder_is_fixed
        self.weight = nn.Parameter(torch.ones(()))
        self.windows: list[Tensor] = []

    def encode(self, snapshots: Tensor) -> Tensor:
        return snapshots[:, 0, :2]

    def head(self, features: Tensor) -> Tensor:
        self.windows.append(features)
        return self.weight * features[:, -1, 0]


def make_readable(length: int, name: int) -> Run:
    """Snapshots that begin with their target and the number of their bearing."""
    target = torch.linspace(0, 1, length)
    snapshots = torch.stack([target, torch.full((length,), float(name))], dim=1)
    return Run(snapshots[:, None, :], target)


def train(*, seed: int = 1, config: TrainingConfig = QUICK) -> tuple[Compact, list[Epoch]]:
    torch.manual_seed(0)
    model, history = Compact(CompactConfig(sequence=3)), []
    assert not fit(model, LIVES[:2], LIVES[2], config, seed=seed, on_epoch=history.append)
    return model, history


def validation_loss(model: Compact) -> float:
    """Mean squared error over the validation run, a whole window at a time."""
    run = LIVES[2]
    with torch.no_grad():
        errors = [
            float(model(run.snapshots[None, end - 3 : end]) - run.target[end - 1])
            for end in range(3, len(run.target) + 1)
        ]
    return float(np.mean(np.square(errors)))


def test_targets_run_from_0_at_the_first_block_to_1_at_the_last() -> None:
    recording = make_life("Bearing1_1", 5, seed=0)
    assert Run.of(recording).target.tolist() == [0, 0.25, 0.5, 0.75, 1]
    recording.numbers[:] = [0, 1, 2, 3, 8]  # blocks that are missing were lived through too
    assert Run.of(recording).target.tolist() == [0, 0.125, 0.25, 0.375, 1]


@pytest.mark.parametrize("encoder_is_fixed", [True, False])
@pytest.mark.parametrize(("run_length", "sequence"), [(1, 1), (1, 4), (5, 1), (5, 4)])
def test_windows_are_consecutive_of_one_bearing_and_meet_their_target(
    run_length: int, sequence: int, *, encoder_is_fixed: bool
) -> None:
    model = Reader(sequence, encoder_is_fixed=encoder_is_fixed)
    runs = [make_readable(length, name) for name, length in enumerate((9, 30, 12))]
    config = TrainingConfig(
        epochs=1, runs=40, run_length=run_length, steps=30, learning_rate=1e-9,
        weight_decay=0.0, clip_norm=1.0, leave_one_out=False,
    )  # fmt: skip
    history: list[Epoch] = []
    fit(model, runs[:2], runs[2], config, seed=0, on_epoch=history.append)
    (epoch,) = history
    assert epoch.training_loss < 1e-12
    assert epoch.validation_loss < 1e-12
    # The last windows are those of the validation run.
    windows = torch.cat(model.windows[:30])
    assert windows.shape == (30 * 40 * run_length, sequence, 2)
    seen = set()
    for window in windows.tolist():
        ((name,), length) = ({row[1] for row in window}, 9 if window[0][1] == 0 else 30)
        places = [round(row[0] * (length - 1)) for row in window]
        assert places == list(range(places[0], places[0] + sequence))
        seen.add((name, places[-1]))
    possible = {(0.0, end) for end in range(sequence - 1, 9)}
    possible |= {(1.0, end) for end in range(sequence - 1, 30)}
    assert seen == possible
    assert torch.equal(model.windows[30], runs[2].snapshots[:, 0].unfold(0, sequence, 1).mT)


def test_all_bearings_are_equally_likely() -> None:
    model = Reader(2, encoder_is_fixed=True)
    runs = [make_readable(length, name) for name, length in enumerate((5, 100, 20))]
    fit(model, runs[:2], runs[2], QUICK, seed=0, on_epoch=lambda _: None)
    drawn = torch.cat([it for it in model.windows if it[0, 0, 1] != 2])[:, 0, 1]
    assert 0.4 < float(drawn.mean()) < 0.6


def test_scaling_is_fitted_to_training_bearings_of_equal_weight() -> None:
    model, _ = train()
    means = [model.encode(run.snapshots).mean(dim=0) for run in LIVES[:2]]
    torch.testing.assert_close(model.members[0].center, (means[0] + means[1]) / 2)


def test_windows_of_encoded_snapshots_score_as_whole_windows() -> None:
    model, _ = train()
    snapshots = LIVES[0].snapshots
    with torch.no_grad():
        each = [float(model(snapshots[None, end - 3 : end])) for end in range(3, 41)]
    scored = score_features(model, encode_run(model, snapshots))
    np.testing.assert_allclose(scored, each, rtol=0, atol=1e-6)


def test_the_weights_that_did_best_on_the_validation_bearing_are_kept() -> None:
    model, history = train()
    losses = [it.validation_loss for it in history]
    assert [it.epoch for it in history] == [1, 2, 3, 4, 5, 6]
    assert min(losses) < losses[-1]
    assert not model.training
    assert validation_loss(model) == pytest.approx(min(losses), rel=1e-4)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    (first, history), (again, same_history), (other, _) = train(), train(), train(seed=2)
    assert history == same_history
    for name, weights in first.state_dict().items():
        assert torch.equal(weights, again.state_dict()[name])
    assert not torch.equal(first.members[0].network[0].weight, other.members[0].network[0].weight)


def test_ctrl_c_keeps_the_best_weights_so_far() -> None:
    model, history = Compact(CompactConfig(sequence=3)), []

    def stop(epoch: Epoch) -> None:
        history.append(epoch)
        if epoch.epoch == 4:
            raise KeyboardInterrupt

    assert fit(model, LIVES[:2], LIVES[2], QUICK, seed=1, on_epoch=stop)
    assert len(history) == 4
    best = min(it.validation_loss for it in history)
    assert validation_loss(model) == pytest.approx(best, rel=1e-4)


def test_training_teaches() -> None:
    config = TrainingConfig(**{**vars(TRAINING), "epochs": 15})
    model, history = train(config=config)
    assert history[-1].training_loss < history[0].training_loss / 2
    assert validation_loss(model) < 0.02  # a constant 0.5 errs by 1/12


def test_ctrl_c_before_the_first_epoch_is_over_keeps_nothing() -> None:
    class Stopped(Reader):
        def head(self, features: Tensor) -> Tensor:  # noqa: ARG002
            raise KeyboardInterrupt

    model = Stopped(2, encoder_is_fixed=True)
    runs = [make_readable(length, name) for name, length in enumerate((5, 20, 20))]
    with pytest.raises(KeyboardInterrupt):
        fit(model, runs[:2], runs[2], QUICK, seed=0, on_epoch=lambda _: None)


def test_a_training_that_never_has_a_finite_loss_is_an_error() -> None:
    broken = Run(LIVES[2].snapshots * float("nan"), LIVES[2].target)
    model = Compact(CompactConfig())
    with pytest.raises(InputError, match="training: expected a loss that is a number"):
        fit(model, LIVES[:2], broken, QUICK, seed=0, on_epoch=lambda _: None)
