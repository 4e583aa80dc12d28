"""Train a model of life fraction on runs to failure, and calibrate its remaining life."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import torch

from wearcast.signals.contract import LIFE_FRACTION, RulCalibration
from wearcast.signals.errors import ArtefactError, InputError
from wearcast.signals.recording import Recording
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.loss import MemberEpoch
from wearcast.training.rul.calibration import HeldOut, fit_calibration
from wearcast.training.rul.config import training_defaults
from wearcast.training.rul.fit import Epoch, Run, fit, score_features
from wearcast.training.rul.model import RulModel, build_rul

# PRONOSTIA: two accelerometers, one snapshot each 10 s (Nectoux et al., PHM 2012).
CHANNELS = (("horizontal", "g"), ("vertical", "g"))
HOP_S = 10.0
# A worn bearing's vibration, which golden cases are drawn with.
_TYPICAL_G = 4.0
# Sizes that follow from the recordings, not from a configuration.
_GIVEN = ("channels", "window", "members")
# What each member is trained without: for the errors it is judged by, and for its best weights.
LEAST_BEARINGS = 3


@dataclass(frozen=True)
class Trained:
    """A trained model; `held_out` is what members said of the bearing that each never saw."""

    checkpoint: Checkpoint
    calibration: RulCalibration
    model: RulModel
    history: list[MemberEpoch]
    held_out: dict[str, HeldOut]
    interrupted: bool


@dataclass(frozen=True)
class Split:
    """Who teaches one member, who chooses its weights, and whom it never sees (perhaps nobody)."""

    training: tuple[str, ...]
    validation: str
    held_out: str | None


def make_splits(names: list[str], seed: int, *, leave_one_out: bool) -> list[Split]:
    """The members' splits: whole bearings, so that no window of one is on both sides.

    >>> make_splits(["a", "b", "c"], 0, leave_one_out=True)[0]
    Split(training=('c',), validation='b', held_out='a')
    """
    count = len(names)
    splits = []
    for index in range(count if leave_one_out else 1):
        held_out = names[index] if leave_one_out else None
        step = 1 + seed % (count - 1) if leave_one_out else seed
        validation = names[(index + step) % count]
        rest = tuple(name for name in names if name not in {held_out, validation})
        splits.append(Split(rest, validation, held_out))
    return splits


def count_epochs(bearings: int, architecture: str, settings: Mapping[str, Any]) -> int:
    """Epochs of all members together that `train_rul` will run at the most."""
    config = training_defaults(architecture, settings)
    return config.epochs * (bearings if config.leave_one_out else 1)


def train_rul(
    recordings: Mapping[str, Recording],
    architecture: str = "compact",
    *,
    settings: Mapping[str, Any] | None = None,
    sizes: Mapping[str, Any] | None = None,
    seed: int = 0,
    on_epoch: Callable[[MemberEpoch], None] = lambda _: None,
) -> Trained:
    """Train on recordings that all end with the failure.

    settings: values of `TrainingConfig` other than the architecture's. sizes: values of the
    architecture's configuration other than its defaults. The same seed gives the same weights.

    Raises:
        InputError: fewer than three recordings, or one too short.
        ArtefactError: unknown architecture, setting or size.
    """
    names = sorted(recordings)
    if len(names) < LEAST_BEARINGS:
        raise InputError("bearings", f"{LEAST_BEARINGS} or more", len(names))
    config = training_defaults(architecture, settings or {})
    plain = _complete_sizes(sizes or {}, recordings[names[0]])
    sequence = build_rul(architecture, plain).config.sequence
    shortest = config.run_length + sequence
    runs = {}
    for name in names:
        if len(recordings[name]) < shortest:
            raise InputError(name, f"{shortest} snapshots or more", len(recordings[name]))
        runs[name] = Run.of(recordings[name])
    models: list[RulModel] = []
    history: list[MemberEpoch] = []
    held_out: dict[str, HeldOut] = {}
    interrupted = False
    splits = make_splits(names, seed, leave_one_out=config.leave_one_out)
    for member, split in enumerate(splits):
        torch.manual_seed(seed * 1000 + member)
        model = build_rul(architecture, plain)

        def note(epoch: Epoch, member: int = member) -> None:
            history.append(MemberEpoch(member=member, **asdict(epoch)))
            on_epoch(history[-1])

        training = [runs[name] for name in split.training]
        validation = runs[split.validation]
        try:
            interrupted = fit(
                model, training, validation, config, seed=seed * 1000 + member, on_epoch=note
            )
            models.append(model)
            if split.held_out is not None:
                fractions = score_features(model, runs[split.held_out].features(model))
                life_s = len(fractions) + sequence - 1
                held_out[split.held_out] = HeldOut(fractions, life_s * HOP_S, sequence, HOP_S)
        except KeyboardInterrupt:  # before a first epoch: there is nothing of this member to keep
            if not models:
                raise
            interrupted = True
        if interrupted:
            break
    whole = type(models[0]).join(models)
    lives_s = {name: len(recordings[name]) * HOP_S for name in names}
    summary = {
        "bearings": names,
        "splits": [msgspec.to_builtins(asdict(split)) for split in splits[: len(models)]],
        "seed": seed,
        "settings": asdict(config),
        "validation_rmse": _validation_rmse(history),
        "interrupted": interrupted,
        "torch": str(torch.__version__),
    }
    calibration = fit_calibration(lives_s, held_out)
    checkpoint = Checkpoint(
        kind="rul",
        architecture=architecture,
        config=msgspec.to_builtins(asdict(whole.config)),
        state_dict=whole.state_dict(),
        channels=CHANNELS,
        sample_rate_hz=next(iter(recordings.values())).sample_rate_hz,
        window=plain["window"],
        hop_s=HOP_S,
        sequence=sequence,
        outputs=(LIFE_FRACTION,),
        center=(0.0,) * len(CHANNELS),
        scale=(_TYPICAL_G,) * len(CHANNELS),
        rul=calibration,
        training=summary,
    )
    return Trained(checkpoint, calibration, whole, history, held_out, interrupted)


def _complete_sizes(sizes: Mapping[str, Any], recording: Recording) -> dict[str, Any]:
    """The sizes asked for and those that follow from the recordings."""
    for key in _GIVEN:
        if key in sizes:
            raise ArtefactError("model", "sizes that the recordings do not give", key)
    _, channels, window = recording.values.shape
    return {**sizes, "channels": channels, "window": window}


def _validation_rmse(history: list[MemberEpoch]) -> float | None:
    """Mean over members of the smallest root mean squared error on the validation bearing."""
    best: dict[int, float] = {}
    for item in history:
        best[item.member] = min(item.validation_loss, best.get(item.member, item.validation_loss))
    return sum(loss**0.5 for loss in best.values()) / len(best) if best else None
