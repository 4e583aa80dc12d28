"""Fitting by gradient: some windows to learn from, some to choose the best weights by."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wearcast.signals.errors import InputError
from wearcast.training.forecast.config import Fitting
from wearcast.training.forecast.model import Forecaster
from wearcast.training.forecast.windows import Lessons, Places, Windows
from wearcast.training.loss import MemberEpoch

# Loss of each member, (members,), of what it said and what followed.
Losses = Callable[[Tensor, Tensor], Tensor]


def network_targets(model: Forecaster, windows: Windows, ends: Places) -> Tensor:
    """What a network should say, float32 (n, answered, ahead), NaN where missing: deviations."""
    config = model.config
    if config.recursive:
        followed = ends + config.horizons[0]
        rows = model.deviate(windows.blocks(followed), windows.minutes(followed))
        return rows[:, -config.ahead :].transpose(1, 2)
    usual, spread = model.target_scale(windows.minutes(ends))
    return (windows.targets(ends) - usual) / spread


def fit_by_gradient(
    model: Forecaster,
    members: Sequence[nn.Module],
    losses: Losses,
    lessons: Lessons,
    fitting: Fitting,
    *,
    seed: int,
    on_epoch: Callable[[MemberEpoch], None],
) -> bool:
    """Fit members in place, all at once; each ends with the weights that did best when choosing.

    Returns True where Ctrl-C cut it short after an epoch or more.

    Raises:
        InputError: no epoch ended with a finite loss.
    """
    random = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(
        [weight for member in members for weight in member.parameters() if weight.requires_grad],
        fitting.learning_rate,
        weight_decay=fitting.weight_decay,
    )
    best = [_copy(member) for member in members]
    # No epoch need be better than the start: a correction starts with adding nothing.
    best_losses = _judge(model, losses, lessons.choose, len(members))
    waited, ended, interrupted = 0, False, False
    try:
        for epoch in range(1, fitting.epochs + 1):
            model.train()
            order = random.permutation(len(lessons.fit))[: fitting.windows]
            taught = _Mean(len(members))
            for ends in lessons.fit.parts(order, fitting.batch):
                loss = losses(*_say(model, lessons.fit, ends))
                _step(optimizer, members, loss.sum(), fitting.clip_norm)
                taught.add(loss.detach(), len(ends))
            judged = _judge(model, losses, lessons.choose, len(members))
            ended |= bool(torch.isfinite(judged).all())
            waited += 1
            for place, member in enumerate(members):
                on_epoch(MemberEpoch(place, epoch, float(taught.mean[place]), float(judged[place])))
                if judged[place] < best_losses[place]:
                    best[place], best_losses[place], waited = _copy(member), judged[place], 0
            if waited >= fitting.patience:
                break
    except KeyboardInterrupt:
        if not ended:
            raise
        interrupted = True
    if not ended:
        raise InputError("training", "a loss that is a number", "NaN or infinity in every epoch")
    for member, weights in zip(members, best, strict=True):
        member.load_state_dict(weights)
    model.eval()
    return interrupted


def _step(
    optimizer: torch.optim.Optimizer, members: Sequence[nn.Module], loss: Tensor, clip_norm: float
) -> None:
    """One step down; no member's gradient counts in another's norm."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    for member in members:
        nn.utils.clip_grad_norm_(member.parameters(), clip_norm)
    optimizer.step()


def squared_error(said: Tensor, followed: Tensor) -> Tensor:
    """Mean squared error of each channel, (answered,); `said`: (B, answered, ahead, 1)."""
    present = torch.isfinite(followed)
    errors = said[..., 0] - torch.where(present, followed, 0.0)
    squares = torch.where(present, errors * errors, 0.0)
    return squares.sum(dim=(0, 2)) / present.sum(dim=(0, 2)).clamp(min=1)


def _judge(model: Forecaster, losses: Losses, windows: Windows, members: int) -> Tensor:
    """Loss of each member over all windows, (members,)."""
    model.eval()
    judged = _Mean(members)
    with torch.no_grad():
        for ends in windows.parts():
            judged.add(losses(*_say(model, windows, ends)), len(ends))
    return judged.mean


def _say(model: Forecaster, windows: Windows, ends: Places) -> tuple[Tensor, Tensor]:
    """What the network says of some windows, and what followed."""
    minutes = windows.minutes(ends)
    with torch.no_grad():
        deviations = model.prepare(windows.blocks(ends), minutes)
        followed = network_targets(model, windows, ends)
    return model.network(deviations, minutes), followed


class _Mean:
    """Mean of losses, weighted."""

    def __init__(self, members: int) -> None:
        self._sum, self._weight = torch.zeros(members), 0

    def add(self, losses: Tensor, weight: int) -> None:
        self._sum += losses * weight
        self._weight += weight

    @property
    def mean(self) -> Tensor:
        return self._sum / max(self._weight, 1)


def _copy(member: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in member.state_dict().items()}
