"""From the name and the configuration in a checkpoint to a model."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from typing import Any

import msgspec

from wearcast.signals.errors import ArtefactError
from wearcast.training.config import TrainingConfig
from wearcast.training.rul.model import RulModel

# Where each architecture lives: module, configuration, model. Imported only when it is built.
ARCHITECTURES = {
    "cnn-lstm": ("wearcast.training.rul.cnn_lstm", "CnnLstmConfig", "CnnLstm"),
    "compact": ("wearcast.training.rul.compact", "CompactConfig", "Compact"),
}


def build(architecture: str, config: dict[str, Any]) -> RulModel:
    """A model with fresh weights.

    Raises:
        ArtefactError: no such architecture; a key of the configuration unknown, or of another type
            or value than the architecture takes.
    """
    if architecture not in ARCHITECTURES:
        raise ArtefactError("architecture", " or ".join(ARCHITECTURES), architecture)
    module_name, config_name, model_name = ARCHITECTURES[architecture]
    module = import_module(module_name)
    config_type = getattr(module, config_name)
    for key in config:
        if key not in config_type.__dataclass_fields__:
            raise ArtefactError("config", f"keys of {config_name}", key)
    try:
        model: RulModel = getattr(module, model_name)(msgspec.convert(config, config_type))
    except (msgspec.ValidationError, ValueError, RuntimeError) as error:
        raise ArtefactError("config", f"values that {config_name} takes", error) from error
    return model


def training_defaults(architecture: str, settings: Mapping[str, Any]) -> TrainingConfig:
    """How an architecture is trained, with some settings replaced.

    Raises:
        ArtefactError: no such architecture or setting, or a value of another type.
    """
    if architecture not in ARCHITECTURES:
        raise ArtefactError("architecture", " or ".join(ARCHITECTURES), architecture)
    defaults: TrainingConfig = import_module(ARCHITECTURES[architecture][0]).TRAINING
    for key in settings:
        if key not in asdict(defaults):
            raise ArtefactError("training", f"one of {', '.join(asdict(defaults))}", key)
    try:
        return msgspec.convert({**asdict(defaults), **settings}, TrainingConfig)
    except msgspec.ValidationError as error:
        raise ArtefactError("training", "values of the right types", error) from error
