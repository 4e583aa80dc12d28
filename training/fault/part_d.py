"""Part D's preparation and training: instants of each recording, in three parts by time.

Two mistakes of the original are mended: the scaling is fitted to the training part alone, and the
weights kept are those that did best on the validation part, not the last ones. Its parts touch each
other; here no sample is in the means of two parts.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wearcast.signals.contract import FaultPart, Output
from wearcast.signals.errors import ArtefactError, InputError
from wearcast.signals.vibration.vibration import Vibration
from wearcast.training.architectures import build
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.config import Count, Positive
from wearcast.training.fault.instants import InstantConfig, Instants
from wearcast.training.fault.metrics import Scores, score_faults
from wearcast.training.loss import MemberEpoch

ARCHITECTURES = ("dnn", "cnn", "rnn")
Array = NDArray[np.float32]
Labels = NDArray[np.int64]

# Rows 30,000 to 130,000 of 140,000 are kept, 60,000 to learn from, 20,000 to choose the weights by
# and 20,000 to test on; of a recording of another length the same shares, in 14ths of it.
_WHOLE, _FIRST = 14, 3
_SHARES = {"training": 6, "validation": 2, "test": 2}
_SCORED_AT_ONCE = 65_536


@dataclass(frozen=True)
class InstantFitting:
    """How a model is fitted: Adam on the cross-entropy.

    epochs: at most; training ends after `patience` of them without a better validation loss.
    batch, epochs: chosen, as the original's are not known.
    """

    epochs: Count = 300
    batch: Count = 1000
    learning_rate: Positive = 1e-3
    patience: Count = 50


@dataclass(frozen=True, eq=False)
class Rows:
    """Instants float32 (n, channels) in their units, and their faults int64 (n,), by place."""

    values: Array
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Parts:
    """What is learned from, what the weights are chosen by, and what is tested on."""

    training: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True, eq=False)
class TrainedInstants:
    """A trained model, and the parts that it was trained and can be tested on."""

    checkpoint: Checkpoint
    model: Instants
    history: list[MemberEpoch]
    parts: Parts
    interrupted: bool

    def score_test(self) -> Scores:
        """Figures of the test part, instant by instant: same recordings, a later time."""
        assert self.checkpoint.fault is not None
        test, faults = self.parts.test, self.checkpoint.fault.faults
        return score_faults(test.labels, answer_instants(self.model, test.values), faults)


def train_instants(
    vibrations: Sequence[Vibration],
    architecture: str,
    *,
    fitting: InstantFitting | None = None,
    window: int = 15,
    seed: int = 0,
    on_epoch: Callable[[MemberEpoch], None] = lambda _: None,
) -> TrainedInstants:
    """Train one of `ARCHITECTURES` on recordings of the same sensors, part D's at 1 kHz.

    The same seed gives the same weights. Ctrl-C after an epoch or more keeps the best so far.

    Raises:
        InputError: fewer than two faults; a recording without one, with other channels or another
            rate than the first, or too short; no epoch ended with a finite loss.
        ArtefactError: no such architecture; fewer sensors than it takes.
    """
    fitting = fitting or InstantFitting()
    if architecture not in ARCHITECTURES:
        raise ArtefactError("architecture", " or ".join(ARCHITECTURES), architecture)
    faults = find_faults(vibrations)
    parts = prepare_instants(vibrations, faults, window)
    first = vibrations[0]
    config = InstantConfig(len(first.channels), len(faults), window)
    torch.manual_seed(seed)
    model = build(architecture, asdict(config))
    assert isinstance(model, Instants)
    model.fit_scaling(torch.from_numpy(parts.training.values))
    history: list[MemberEpoch] = []

    def note(epoch: MemberEpoch) -> None:
        history.append(epoch)
        on_epoch(epoch)

    interrupted = _fit(model, parts, fitting, seed, note)
    spread = parts.training.values.std(axis=0, dtype=np.float64)
    summary: dict[str, Any] = {
        "recordings": [vibration.name for vibration in vibrations],
        "instants": {name: len(getattr(parts, name)) for name in _SHARES},
        "seed": seed,
        "settings": asdict(fitting),
        "epochs": len(history),
        "validation_loss": min(item.validation_loss for item in history),
        "interrupted": interrupted,
        "torch": str(torch.__version__),
    }
    hop_s = window / first.sample_rate_hz
    checkpoint = Checkpoint(
        kind="fault",
        architecture=architecture,
        config=msgspec.to_builtins(asdict(config)),
        state_dict=model.state_dict(),
        channels=tuple(zip(first.channels, first.units, strict=True)),
        sample_rate_hz=first.sample_rate_hz,
        window=window,
        hop_s=hop_s,
        sequence=1,
        outputs=(Output("probability", "1", (len(faults),)),),
        center=tuple(parts.training.values.mean(axis=0, dtype=np.float64).tolist()),
        scale=tuple(np.where(spread > 0, spread, 1.0).tolist()),
        # An instant is short: the stable diagnosis stands on a second of them. Chosen.
        fault=FaultPart(faults=faults, steady=max(1, round(1 / hop_s))),
        training=summary,
    )
    return TrainedInstants(checkpoint, model, history, parts, interrupted)


def find_faults(vibrations: Sequence[Vibration]) -> tuple[str, ...]:
    """The faults of recordings that belong together, in the order of their first one.

    Raises:
        InputError: fewer than two; a recording without one, or unlike the first in channels, units
            or rate.
    """
    for vibration in vibrations:
        first, name = vibrations[0], vibration.name
        if not vibration.fault:
            raise InputError(f"{name}: fault", "a name", "none")
        if (vibration.channels, vibration.units) != (first.channels, first.units):
            expected, got = (
                ", ".join(map(" in ".join, zip(it.channels, it.units, strict=True)))
                for it in (first, vibration)
            )
            raise InputError(f"{name}: channels", expected, got)
        if vibration.sample_rate_hz != first.sample_rate_hz:
            expected, got = f"{first.sample_rate_hz:g}", f"{vibration.sample_rate_hz:g}"
            raise InputError(f"{name}: sample_rate_hz", expected, got)
    faults = tuple(dict.fromkeys(vibration.fault for vibration in vibrations))
    if len(faults) < 2:  # noqa: PLR2004 one alone tells nothing apart
        raise InputError("recordings", "two faults or more", ", ".join(faults) or "none")
    return faults


def average(values: Array, window: int = 15) -> Array:
    """Moving mean of `window` samples, float32 (channels, n - window + 1) of (channels, n).

    >>> average(np.float32([[1, 2, 3, 7]]), 3).tolist()
    [[2.0, 4.0]]
    """
    weights = np.full(window, 1 / window)
    means = [np.convolve(channel.astype(np.float64), weights, "valid") for channel in values]
    return np.array(means, dtype=np.float32)


def prepare_instants(
    vibrations: Sequence[Vibration], faults: Sequence[str], window: int = 15
) -> Parts:
    """Instants of all recordings, each cut into parts by time.

    140,000 samples have 139,986 means of 15. From 30,000 on, 60,000, 20,000 and 20,000 of them are
    kept, and between these 14 are left out, so that no two parts share a sample; the last of them
    stand 28 rows later than in the original. The original then shuffles each part; here fitting
    shuffles the training part before each epoch, and the others' order changes no figure.

    Raises:
        InputError: a recording too short for that.
    """
    pieces: dict[str, list[Array]] = {name: [] for name in _SHARES}
    labels: dict[str, list[Labels]] = {name: [] for name in _SHARES}
    for vibration in vibrations:
        samples = vibration.values.shape[1]
        # So that the last mean's last sample is there: the rest is 1/14 of the recording.
        least = _WHOLE * 3 * window
        if samples < least:
            raise InputError(f"{vibration.name}: samples", f"{least} or more", samples)
        means = average(vibration.values, window)
        start = samples * _FIRST // _WHOLE
        for name, share in _SHARES.items():
            count = samples * share // _WHOLE
            pieces[name].append(means[:, start : start + count].T)
            labels[name].append(np.full(count, faults.index(vibration.fault), np.int64))
            start += count + window - 1
    return Parts(
        **{
            name: Rows(np.concatenate(pieces[name]), np.concatenate(labels[name]))
            for name in _SHARES
        }
    )


def answer_instants(model: Instants, values: Array) -> Array:
    """Probabilities float32 (n, faults) of instants float32 (n, channels), in their units."""
    with torch.no_grad():
        said = [
            model.classify(part).softmax(dim=1)
            for part in torch.split(torch.from_numpy(values), _SCORED_AT_ONCE)
        ]
    return torch.cat(said).numpy()


def _fit(
    model: Instants,
    parts: Parts,
    fitting: InstantFitting,
    seed: int,
    on_epoch: Callable[[MemberEpoch], None],
) -> bool:
    """Fit in place; it ends with the weights that did best on the validation part.

    Returns True where Ctrl-C cut it short after an epoch or more.
    """
    values = torch.from_numpy(parts.training.values)
    labels = torch.from_numpy(parts.training.labels)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), fitting.learning_rate)
    best, best_loss, waited, interrupted = _copy(model), float("inf"), 0, False
    try:
        for epoch in range(1, fitting.epochs + 1):
            model.train()
            total = 0.0
            order = torch.randperm(len(labels), generator=generator)
            for places in torch.split(order, fitting.batch):
                if len(places) == 1 < len(order):  # nothing to normalise a batch by
                    continue
                loss = nn.functional.cross_entropy(model.classify(values[places]), labels[places])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                total += loss.item() * len(places)
            model.eval()
            judged = _judge(model, parts.validation)
            waited += 1
            if judged < best_loss:
                best, best_loss, waited = _copy(model), judged, 0
            on_epoch(MemberEpoch(0, epoch, total / len(labels), judged))
            if waited >= fitting.patience:
                break
    except KeyboardInterrupt:
        if best_loss == float("inf"):
            raise
        interrupted = True
    if best_loss == float("inf"):
        raise InputError("training", "a loss that is a number", "NaN or infinity in every epoch")
    model.load_state_dict(best)
    model.eval()
    return interrupted


def _judge(model: Instants, rows: Rows) -> float:
    """Mean cross-entropy over all rows."""
    total = 0.0
    pairs = (torch.from_numpy(rows.values), torch.from_numpy(rows.labels))
    with torch.no_grad():
        for values, labels in zip(*(torch.split(it, _SCORED_AT_ONCE) for it in pairs), strict=True):
            logits = model.classify(values)
            total += float(nn.functional.cross_entropy(logits, labels, reduction="sum"))
    return total / len(rows)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}
