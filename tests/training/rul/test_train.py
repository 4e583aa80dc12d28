from dataclasses import replace

import numpy as np
import pytest
import torch
from checkpoints import SMALL_CNN_LSTM
from hypothesis import given
from hypothesis import strategies as st
from lives import make_life, make_lives

from wearcast.signals.errors import ArtefactError, InputError
from wearcast.training.loss import MemberEpoch
from wearcast.training.rul.train import Trained, count_epochs, make_splits, train_rul

SETTINGS = {"epochs": 3, "runs": 32, "steps": 4}
LIVES = make_lives()


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train_rul(LIVES, settings=SETTINGS, seed=1)


def member_weights(trained: Trained, member: int) -> dict[str, torch.Tensor]:
    prefix = f"members.{member}."
    state = trained.checkpoint.state_dict
    return {name: value for name, value in state.items() if name.startswith(prefix)}


@given(st.integers(3, 20), st.integers(0, 100))
def test_no_bearing_is_on_two_sides_and_each_is_held_out_once(count: int, seed: int) -> None:
    names = [f"Bearing1_{number}" for number in range(count)]
    splits = make_splits(names, seed, leave_one_out=True)
    assert [split.held_out for split in splits] == names
    assert sorted(split.validation for split in splits) == sorted(names)
    for split in splits:
        assert sorted([*split.training, split.validation, split.held_out]) == sorted(names)


@given(st.integers(2, 20), st.integers(0, 100))
def test_one_member_holds_nothing_out(count: int, seed: int) -> None:
    names = [f"Bearing1_{number}" for number in range(count)]
    (split,) = make_splits(names, seed, leave_one_out=False)
    assert split.held_out is None
    assert sorted([*split.training, split.validation]) == sorted(names)


def test_the_checkpoint_says_how_it_came_about(trained: Trained) -> None:
    checkpoint = trained.checkpoint
    assert (checkpoint.architecture, checkpoint.config["members"]) == ("compact", 4)
    assert (checkpoint.sample_rate_hz, checkpoint.window, checkpoint.hop_s) == (25_600, 2560, 10)
    assert checkpoint.sequence == 10
    assert checkpoint.training["bearings"] == list(LIVES)
    assert checkpoint.training["settings"].items() >= SETTINGS.items()
    assert not checkpoint.training["interrupted"]
    splits = make_splits(list(LIVES), 1, leave_one_out=True)
    assert [it["held_out"] for it in checkpoint.training["splits"]] == list(LIVES)
    assert [it["validation"] for it in checkpoint.training["splits"]] == [
        split.validation for split in splits
    ]
    blocks = torch.from_numpy(LIVES["Bearing1_1"].values[None, :10])
    assert torch.equal(checkpoint.build_model()(blocks), trained.model(blocks))


def test_the_history_holds_each_epoch_of_each_member(trained: Trained) -> None:
    assert [(it.member, it.epoch) for it in trained.history] == [
        (member, epoch) for member in range(4) for epoch in (1, 2, 3)
    ]
    assert count_epochs(4, "compact", SETTINGS) == len(trained.history)
    best = [
        min(it.validation_loss for it in trained.history if it.member == member)
        for member in range(4)
    ]
    expected = np.mean(np.sqrt(best))
    assert trained.checkpoint.training["validation_rmse"] == pytest.approx(expected)


def test_each_bearing_is_judged_by_the_member_that_never_saw_it(trained: Trained) -> None:
    assert list(trained.held_out) == list(LIVES)
    for member, (name, held_out) in enumerate(trained.held_out.items()):
        recording = LIVES[name]
        features = trained.model.encode(torch.from_numpy(recording.values))
        windows = features.unfold(0, 10, 1).mT.mean(dim=1)
        with torch.no_grad():
            alone = trained.model.members[member](windows)
        np.testing.assert_allclose(held_out.fractions, alone, atol=1e-6)
        assert held_out.life_s == len(recording) * 10


def test_a_bearing_changes_nothing_in_the_member_that_holds_it_out(trained: Trained) -> None:
    """Whatever happens to its values, weights and scaling of that member stay, bit by bit."""
    noise = make_life("other", len(LIVES["Bearing1_3"]), seed=99).values[::-1] * 7
    changed = LIVES | {"Bearing1_3": replace(LIVES["Bearing1_3"], values=noise.copy())}
    other = train_rul(changed, settings=SETTINGS, seed=1)
    for member in range(4):
        before, after = member_weights(trained, member), member_weights(other, member)
        same = all(torch.equal(before[name], after[name]) for name in before)
        assert same == (member == 2)
    assert [it for it in other.history if it.member == 2] == [
        it for it in trained.history if it.member == 2
    ]
    for name in LIVES:
        same = np.array_equal(trained.held_out[name].fractions, other.held_out[name].fractions)
        assert not same  # the held-out bearing differs, and the others were judged by its pupils


def test_the_same_seed_gives_the_same_checkpoint(trained: Trained) -> None:
    again = train_rul(dict(reversed(LIVES.items())), settings=SETTINGS, seed=1)
    for name, weights in trained.checkpoint.state_dict.items():
        assert torch.equal(weights, again.checkpoint.state_dict[name])
    assert again.checkpoint.rul == trained.checkpoint.rul
    assert again.checkpoint.training == trained.checkpoint.training


def test_another_seed_gives_other_weights(trained: Trained) -> None:
    other = train_rul(LIVES, settings=SETTINGS, seed=2)
    weight = "members.0.network.0.weight"
    assert not torch.equal(
        other.checkpoint.state_dict[weight], trained.checkpoint.state_dict[weight]
    )


@pytest.mark.parametrize(("stop_after", "members", "held_out"), [(2, 1, 1), (3, 1, 1), (8, 3, 3)])
def test_ctrl_c_keeps_the_members_so_far(stop_after: int, members: int, held_out: int) -> None:
    history: list[MemberEpoch] = []

    def stop(epoch: MemberEpoch) -> None:
        history.append(epoch)
        if len(history) == stop_after:
            raise KeyboardInterrupt

    stopped = train_rul(LIVES, settings=SETTINGS, seed=1, on_epoch=stop)
    assert stopped.interrupted
    assert stopped.history == history
    summary = stopped.checkpoint.training
    assert summary["interrupted"]
    assert len(summary["splits"]) == stopped.checkpoint.config["members"] == members
    assert len(stopped.held_out) == held_out
    fractions = stopped.checkpoint.build_model()(torch.randn(2, 10, 2, 2560))
    assert ((fractions > 0) & (fractions < 1)).all()
    if held_out < 3:
        assert stopped.checkpoint.rul.fraction_weight == 0


def test_too_few_bearings_are_refused() -> None:
    with pytest.raises(InputError, match="bearings: expected 3 or more, got 2"):
        train_rul(make_lives(2), settings=SETTINGS)


def test_a_recording_too_short_is_named() -> None:
    lives = LIVES | {"Bearing1_9": make_life("Bearing1_9", 10, seed=0)}
    with pytest.raises(InputError, match="Bearing1_9: expected 11 snapshots or more, got 10"):
        train_rul(lives, settings=SETTINGS)


def test_the_shortest_recordings_train() -> None:
    lives = {
        name: make_life(name, snapshots, seed=snapshots)
        for name, snapshots in (("Bearing1_1", 11), ("Bearing1_2", 12), ("Bearing1_3", 13))
    }
    calibration = train_rul(lives, settings=SETTINGS).checkpoint.rul
    assert np.isfinite([calibration.fraction_weight, *calibration.levels]).all()


def test_bearings_that_live_equally_long_train() -> None:
    lives = {name: make_life(name, 40, seed=seed) for seed, name in enumerate("abc")}
    calibration = train_rul(lives, settings=SETTINGS).checkpoint.rul
    assert calibration.prior_log_mean == pytest.approx(np.log(400))
    assert calibration.prior_log_sd > 0
    assert np.isfinite([calibration.fraction_weight, *calibration.levels]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "transformer"}, "architecture: expected compact or cnn-lstm"),
        ({"settings": {"epoch": 3}}, "training: expected one of epochs, runs, .*, got epoch$"),
        ({"settings": {"epochs": "3"}}, r"Expected `int`, got `str` - at `\$.epochs`"),
        ({"sizes": {"depth": 3}}, "config: expected keys of CompactConfig, got depth"),
        ({"sizes": {"hidden": "8"}}, r"Expected `int`, got `str` - at `\$.hidden`"),
    ],
)
def test_a_setting_that_is_not_there_is_named(changes: dict, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        train_rul(LIVES, **changes)


def test_the_cnn_lstm_trains_through_the_same_loop() -> None:
    lives = make_lives(3, snapshots=10)
    trained = train_rul(
        lives,
        "cnn-lstm",
        settings={"epochs": 2, "run_length": 4, "steps": 2, "learning_rate": 1e-2},
        sizes={key: SMALL_CNN_LSTM[key] for key in SMALL_CNN_LSTM.keys() - {"channels", "window"}},
    )
    assert [(it.member, it.epoch) for it in trained.history] == [(0, 1), (0, 2)]
    assert trained.held_out == {}
    assert trained.checkpoint.rul.fraction_weight == 0
    assert trained.checkpoint.sequence == 2
    blocks = torch.from_numpy(lives["Bearing1_1"].values[None, :2])
    model = trained.checkpoint.build_model()
    assert torch.equal(model(blocks), trained.model(blocks))
    torch.manual_seed(0)
    untrained = type(model)(model.config).state_dict()
    assert not torch.equal(untrained["output.weight"], model.state_dict()["output.weight"])


@pytest.mark.parametrize(
    "settings", [{"epochs": 0}, {"steps": -1}, {"runs": 0}, {"clip_norm": 0.0}]
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ArtefactError, match="training"):
        train_rul(make_lives(3, snapshots=20), settings=settings)


@pytest.mark.parametrize("sizes", [{"window": 1280}, {"members": 3}, {"hidden": 0}])
def test_sizes_that_recordings_give_or_nothing_has_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(ArtefactError, match=r"model|config"):
        train_rul(make_lives(3, snapshots=20), sizes=sizes)
