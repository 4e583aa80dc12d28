"""Checkpoints with random weights whose answers nevertheless differ from window to window."""

from dataclasses import asdict
from typing import Any

import torch

from wearcast.signals.contract import LIFE_FRACTION, RulCalibration
from wearcast.training.architectures import build
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.rul.cnn_lstm import CnnLstmConfig

SMALL_CNN_LSTM = asdict(
    CnnLstmConfig(sequence=2, widths=(4, 4, 4, 4), dense=8, features=8, hidden=8)
)


def make_checkpoint(
    architecture: str = "cnn-lstm", config: dict[str, Any] = SMALL_CNN_LSTM, *, sequence: int = 2
) -> Checkpoint:
    torch.manual_seed(0)
    model = build(architecture, config)
    noise = torch.randn(8, sequence, 2, 2560) * torch.logspace(-1, 1, 8)[:, None, None, None]
    with torch.no_grad():
        model(noise)  # gives batch norm something to go by
        for name, weights in model.named_parameters():
            if weights.ndim > 1 and "cnn.0" not in name:
                weights.mul_(3)  # random weights of the usual size answer 0.5 to everything
    return Checkpoint(
        kind="rul",
        architecture=architecture,
        config=config,
        state_dict=model.state_dict(),
        channels=(("horizontal", "g"), ("vertical", "g")),
        sample_rate_hz=25600.0,
        window=2560,
        hop_s=10.0,
        sequence=sequence,
        outputs=(LIFE_FRACTION,),
        center=(0.0, 0.0),
        scale=(4.0, 4.0),
        rul=RulCalibration(prior_log_mean=9.0, prior_log_sd=0.6),
        training={"seed": 0, "bearings": ["Bearing1_1"]},
    )
