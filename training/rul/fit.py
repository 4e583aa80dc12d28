"""The training loop: one model, some bearings to learn from, one to choose the best weights by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wearcast.signals.errors import InputError
from wearcast.signals.recording import Recording
from wearcast.training.rul.config import TrainingConfig
from wearcast.training.rul.model import RulModel

_ENCODED_AT_ONCE = 64


@dataclass(frozen=True)
class Epoch:
    """One pass; losses are mean squared errors of the life fraction."""

    epoch: int
    training_loss: float
    validation_loss: float


@dataclass(frozen=True, eq=False)
class Run:
    """A run to failure: `snapshots` float32 (N, channels, window), `target` (N,) from 0 to 1."""

    snapshots: Tensor
    target: Tensor
    _fixed: list[Tensor] = field(default_factory=list, init=False, repr=False)

    @classmethod
    def of(cls, recording: Recording) -> "Run":
        """The run in a recording that ends with the failure; its snapshots are not copied."""
        numbers = torch.from_numpy(recording.numbers)
        target = numbers.double() / float(recording.numbers[-1])
        return cls(torch.from_numpy(recording.values), target.float())

    def features(self, model: RulModel) -> Tensor:
        """Features float32 (N, F); made once for all models of a kind whose encoder is fixed."""
        if not model.encoder_is_fixed:
            return encode_run(model, self.snapshots)
        if not self._fixed:
            self._fixed.append(encode_run(model, self.snapshots))
        return self._fixed[0]


def fit(
    model: RulModel,
    training: Sequence[Run],
    validation: Run,
    config: TrainingConfig,
    *,
    seed: int,
    on_epoch: Callable[[Epoch], None],
) -> bool:
    """Train a model in place; it ends with the weights that did best on the validation run.

    Returns True where Ctrl-C cut it short after an epoch or more.

    Raises:
        InputError: no epoch ended with a finite loss.
    """
    sequence = model.config.sequence
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    fixed = model.encoder_is_fixed
    inputs = [run.features(model) if fixed else run.snapshots for run in training]
    if fixed:
        shares = [torch.full((len(item),), 1 / len(item) / len(inputs)) for item in inputs]
        model.fit_scaling(torch.cat(inputs), torch.cat(shares))
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    sampler = _Sampler(inputs, [run.target for run in training], config, sequence)
    windows = sum(len(item) - sequence + 1 for item in inputs)
    steps = config.steps or -(-windows // (config.runs * config.run_length))
    best, best_loss = _copy(model), float("inf")
    interrupted = False
    threads = torch.get_num_threads()
    if fixed:
        # What is left is small: threads would only wait for each other.
        torch.set_num_threads(1)
    try:
        for epoch in range(1, config.epochs + 1):
            model.train()
            total = 0.0
            for _ in range(steps):
                chunk, target = sampler.draw(generator)
                count, length = chunk.shape[:2]
                features = chunk if fixed else model.encode(chunk.flatten(0, 1))
                features = features.reshape(count, length, -1).unfold(1, sequence, 1)
                features = model.augment(features.flatten(0, 1).transpose(1, 2), generator)
                loss = nn.functional.mse_loss(model.head(features), target.flatten())
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
                optimizer.step()
                total += loss.item()
            model.eval()
            predicted = score_features(model, validation.features(model))
            error = predicted - validation.target[sequence - 1 :].numpy()
            loss_now = float(np.mean(error**2))
            if loss_now < best_loss:
                best, best_loss = _copy(model), loss_now
            on_epoch(Epoch(epoch, total / steps, loss_now))
    except KeyboardInterrupt:
        if best_loss == float("inf"):
            raise
        interrupted = True
    finally:
        torch.set_num_threads(threads)
    if best_loss == float("inf"):
        raise InputError("training", "a loss that is a number", "NaN or infinity in every epoch")
    model.load_state_dict(best)
    model.eval()
    return interrupted


def encode_run(model: RulModel, snapshots: Tensor) -> Tensor:
    """Features float32 (N, F) of snapshots float32 (N, channels, window), each encoded once."""
    with torch.no_grad():
        return torch.cat([model.encode(part) for part in torch.split(snapshots, _ENCODED_AT_ONCE)])


def score_features(model: RulModel, features: Tensor) -> NDArray[np.float32]:
    """Life fractions float32 (N - sequence + 1,) of consecutive windows of features (N, F)."""
    with torch.no_grad():
        windows = features.unfold(0, model.config.sequence, 1).transpose(1, 2)
        return torch.cat([model.head(part) for part in torch.split(windows, 1024)]).numpy()


class _Sampler:
    """Random runs of consecutive windows, all bearings equally likely."""

    def __init__(
        self, inputs: list[Tensor], targets: list[Tensor], config: TrainingConfig, sequence: int
    ) -> None:
        sizes = torch.tensor([len(item) for item in inputs])
        length = config.run_length + sequence - 1
        self._inputs, self._targets = torch.cat(inputs), torch.cat(targets)
        self._firsts = sizes.cumsum(0) - sizes
        self._starts = sizes - length + 1
        self._count = config.runs
        self._steps = torch.arange(length)
        self._sequence = sequence

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Inputs (runs, snapshots, ...) and targets of their windows (runs, run_length)."""
        which = torch.randint(len(self._firsts), (self._count,), generator=generator)
        share = torch.rand(self._count, generator=generator, dtype=torch.float64)
        start = self._firsts[which] + (share * self._starts[which]).long()
        places = start[:, None] + self._steps
        return self._inputs[places], self._targets[places[:, self._sequence - 1 :]]


def _copy(model: RulModel) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}
