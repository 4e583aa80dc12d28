"""The CNN-LSTM of part A: a time-frequency image of each snapshot, a CNN, an LSTM over them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wearcast.training.config import Count
from wearcast.training.rul.config import TrainingConfig
from wearcast.training.rul.model import RulModel
from wearcast.training.rul.wavelet import POINTS, SCALES, TimeFrequencyImage

# The original's: Adam at 5e-5, batches of 32, gradients clipped at 0.2, 30 epochs. A batch is made
# of four runs, so that it holds several bearings and times of life.
TRAINING = TrainingConfig(
    epochs=30,
    runs=4,
    run_length=8,
    steps=0,
    learning_rate=5e-5,
    weight_decay=0.0,
    clip_norm=0.2,
    leave_one_out=False,
)


@dataclass(frozen=True)
class CnnLstmConfig:
    """Sizes of the network; the defaults are the original's, 3,149,937 parameters.

    `sequence` is the number of snapshots in a window: no weight depends on it.
    """

    channels: Count = 2
    window: Count = 2560
    sequence: Count = 10
    widths: tuple[Count, ...] = (16, 32, 64, 128)
    dense: Count = 256
    features: Count = 128
    hidden: Count = 256
    layers: Count = 2


class CnnLstm(RulModel):
    """Life fraction from the images of a sequence of snapshots."""

    def __init__(self, config: CnnLstmConfig) -> None:
        super().__init__()
        self.config = config
        self.image = TimeFrequencyImage(config.window)
        steps: list[nn.Module] = []
        for before, after in zip((config.channels, *config.widths), config.widths, strict=False):
            steps += [
                nn.Conv2d(before, after, kernel_size=3, padding=1),
                nn.BatchNorm2d(after),
                # A largest value cut off at zero is the largest of the values cut off at zero; this
                # order cuts off a quarter as many.
                nn.MaxPool2d(2),
                nn.ReLU(),
            ]
        halvings = len(config.widths)
        flat = config.widths[-1] * (SCALES >> halvings) * (POINTS >> halvings)
        self.cnn = nn.Sequential(
            *steps,
            nn.Flatten(),
            nn.Linear(flat, config.dense),
            nn.ReLU(),
            nn.Linear(config.dense, config.features),
        )
        # On a CPU the convolutions run faster with the channels innermost.
        self.cnn.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.lstm = nn.LSTM(config.features, config.hidden, config.layers, batch_first=True)
        self.output = nn.Linear(config.hidden, 1)

    def encode(self, snapshots: Tensor) -> Tensor:
        """Features float32 (N, features) of snapshots float32 (N, channels, window), in g."""
        features: Tensor = self.cnn(self.image(snapshots))
        return features

    def head(self, features: Tensor) -> Tensor:
        """Life fraction float32 (B,), 0 new and 1 failed, of features float32 (B, S, features)."""
        states, _ = self.lstm(features)
        fraction: Tensor = self.output(states[:, -1]).sigmoid()
        return fraction.squeeze(-1)
