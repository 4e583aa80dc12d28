"""From the name and the configuration in a checkpoint to a model."""

from importlib import import_module
from typing import Any

import msgspec
from torch import nn

from wearcast.signals.errors import ArtefactError

_RUL = "wearcast.training.rul"
_FORECAST = "wearcast.training.forecast"
_OUTLIER = "wearcast.training.outlier"
_INSTANTS = "wearcast.training.fault.instants"
# Where each architecture lives: module, configuration, model. Imported only when it is built.
ARCHITECTURES = {
    "cnn-lstm": (f"{_RUL}.cnn_lstm", "CnnLstmConfig", "CnnLstm"),
    "compact": (f"{_RUL}.compact", "CompactConfig", "Compact"),
    "linear": (f"{_FORECAST}.linear", "LinearConfig", "Linear"),
    "lstm": (f"{_FORECAST}.lstm", "LstmConfig", "Lstm"),
    "hybrid": (f"{_FORECAST}.hybrid", "HybridConfig", "Hybrid"),
    "gear-lstm": (f"{_FORECAST}.gear", "GearLstmConfig", "GearLstm"),
    "outlier": (f"{_OUTLIER}.model", "OutlierConfig", "OutlierModel"),
    "spectral": ("wearcast.training.fault.spectral", "SpectralConfig", "Spectral"),
    "dnn": (_INSTANTS, "InstantConfig", "Dnn"),
    "cnn": (_INSTANTS, "InstantConfig", "Cnn"),
    "rnn": (_INSTANTS, "InstantConfig", "Rnn"),
}


def build(architecture: str, config: dict[str, Any]) -> nn.Module:
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
        model: nn.Module = getattr(module, model_name)(msgspec.convert(config, config_type))
    except (msgspec.ValidationError, ValueError, RuntimeError) as error:
        raise ArtefactError("config", f"values that {config_name} takes", error) from error
    return model
