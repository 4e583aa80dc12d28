"""How a model of life fraction is trained; each architecture brings its own defaults."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from wearcast.signals.errors import ArtefactError
from wearcast.training.config import Count, NotNegative, Positive

_MODULES = {
    "compact": "wearcast.training.rul.compact",
    "cnn-lstm": "wearcast.training.rul.cnn_lstm",
}


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of the training loop.

    A step takes `runs` runs of `run_length` consecutive windows, each run from a random place of a
    random bearing (all bearings equally likely); the snapshots of a run are encoded once. An epoch
    has `steps` steps, or with 0 as many as there are windows in a pass. `leave_one_out`: train one
    member for each bearing, which that member never sees, and calibrate on what it says of it.
    """

    epochs: Count
    runs: Count
    run_length: Count
    steps: Annotated[int, Meta(ge=0)]
    learning_rate: Positive
    weight_decay: NotNegative
    clip_norm: Positive
    leave_one_out: bool


def training_defaults(architecture: str, settings: Mapping[str, Any]) -> TrainingConfig:
    """How an architecture is trained, with some settings replaced.

    Raises:
        ArtefactError: no such architecture or setting, or a value of another type.
    """
    if architecture not in _MODULES:
        raise ArtefactError("architecture", " or ".join(_MODULES), architecture)
    defaults: TrainingConfig = import_module(_MODULES[architecture]).TRAINING
    for key in settings:
        if key not in asdict(defaults):
            raise ArtefactError("training", f"one of {', '.join(asdict(defaults))}", key)
    try:
        return msgspec.convert({**asdict(defaults), **settings}, TrainingConfig)
    except msgspec.ValidationError as error:
        raise ArtefactError("training", "values of the right types", error) from error
