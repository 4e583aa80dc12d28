"""The three models of part D: which fault, from what all sensors read at one instant.

An instant is the mean of a few samples, scaled by the smallest and the largest that training saw.
It holds no vibration: what is faster than the mean is gone, and nothing says what came before.
They are here as the original has them, to be compared with.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wearcast.training.config import Count

# Of both convolutions, over neighbouring sensors. Chosen, as are the normalisation after each and
# the dense layer: with these the count is part D's 1,332; other kernels that fit give another.
_KERNEL = 2


@dataclass(frozen=True)
class InstantConfig:
    """Sizes; the defaults are part D's.

    channels: sensors. faults: how many. window: samples that an instant is the mean of. hidden:
    width of the inner layers.
    """

    channels: Count = 4
    faults: Count = 4
    window: Count = 15
    hidden: Count = 100


class Instants(nn.Module):
    """Raw blocks in, probabilities of the faults out; a subclass says what lies between."""

    low: Tensor
    span: Tensor

    def __init__(self, config: InstantConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("low", torch.zeros(config.channels))
        self.register_buffer("span", torch.ones(config.channels))

    def fit_scaling(self, instants: Tensor) -> None:
        """Scale so that these instants, float32 (n, channels), become 0 to 1.

        A channel that never changes becomes 0.
        """
        low, high = instants.amin(dim=0), instants.amax(dim=0)
        self.low.copy_(low)
        self.span.copy_(torch.where(high > low, high - low, 1.0))

    def forward(self, blocks: Tensor) -> Tensor:
        """Probabilities float32 (B, faults) of blocks (B, 1, channels, window), in their units."""
        return self.classify(blocks[:, -1].mean(dim=2)).softmax(dim=1)

    def classify(self, instants: Tensor) -> Tensor:
        """Logits float32 (B, faults) of instants float32 (B, channels), in their units."""
        return self.network((instants - self.low) / self.span)

    def network(self, scaled: Tensor) -> Tensor:
        """Logits float32 (B, faults) of scaled instants float32 (B, channels)."""
        raise NotImplementedError


class Dnn(Instants):
    """Dense layers 4-100-100-100-4: 21,104 parameters."""

    def __init__(self, config: InstantConfig) -> None:
        super().__init__(config)
        self.layers = nn.Sequential(
            nn.Linear(config.channels, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.faults),
        )

    def network(self, scaled: Tensor) -> Tensor:
        """Logits float32 (B, faults)."""
        logits: Tensor = self.layers(scaled)
        return logits


class Cnn(Instants):
    """Convolutions 1-100-4 over the row of sensors: 1,332 parameters.

    Raises:
        ValueError: fewer than three sensors, which two kernels have no room on.
    """

    def __init__(self, config: InstantConfig) -> None:
        super().__init__(config)
        least = 2 * _KERNEL - 1
        if config.channels < least:
            raise ValueError(f"channels: expected {least} or more, got {config.channels}")
        self.layers = nn.Sequential(
            nn.Conv1d(1, config.hidden, _KERNEL),
            nn.BatchNorm1d(config.hidden),
            nn.ReLU(),
            nn.Conv1d(config.hidden, config.faults, _KERNEL),
            nn.BatchNorm1d(config.faults),
            nn.ReLU(),
        )
        self.output = nn.Linear(config.faults, config.faults)

    def network(self, scaled: Tensor) -> Tensor:
        """Logits float32 (B, faults)."""
        logits: Tensor = self.output(self.layers(scaled[:, None]).amax(dim=2))
        return logits


class Rnn(Instants):
    """Two LSTM layers of 100 on a sequence of one instant, and a dense one: 123,604 parameters."""

    def __init__(self, config: InstantConfig) -> None:
        super().__init__(config)
        self.lstm = nn.LSTM(config.channels, config.hidden, num_layers=2, batch_first=True)
        self.output = nn.Linear(config.hidden, config.faults)

    def network(self, scaled: Tensor) -> Tensor:
        """Logits float32 (B, faults)."""
        states, _ = self.lstm(scaled[:, None])
        logits: Tensor = self.output(states[:, -1])
        return logits
