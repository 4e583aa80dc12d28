"""From recordings to a checkpoint of the spectral model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wearcast.signals.contract import FaultPart, Output
from wearcast.signals.errors import InputError
from wearcast.signals.vibration.vibration import Vibration
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.fault.part_d import find_faults
from wearcast.training.fault.spectral import Spectral, SpectralConfig
from wearcast.training.fault.spectral_fit import LEAST_FOLDS, Lesson, Look, fit_spectral, list_looks
from wearcast.training.fault.splits import RECORDING, find_value
from wearcast.training.loss import MemberEpoch

ARCHITECTURE = "spectral"
# Blocks of a window; each new block makes a window.
SEQUENCE = 4
# Of the shaft in a window: so orders a twentieth apart are lines apart. Chosen.
_TURNS = 40
_LONGEST = 16_384
_SHORTEST = 256
_WINDOWS_A_RECORDING = 8
_MOST_FOLDS = 10
_TIME_FOLDS = 5
_DESCRIBED_AT_ONCE = 16
# Of a recording that are learned from, evenly spread: neighbours share most of their samples.
_MOST_WINDOWS = 64
# What a window is left out by in folds, the first of these that can be.
_CONDITIONS = ("unit", "size", "load", "speed", RECORDING)


@dataclass(frozen=True)
class SpectralSettings:
    """What may be chosen.

    window: samples of signal an answer is about; None: 40 turns of the shaft, or what the
    recordings have room for. look: groups of features, see `wearcast.training.fault.spectral`;
    None: the set that does best on folds left out, or all, where two folds can't tell. shaft_hz:
    nominal speed; None: none, or, where there are orders, the mean `speed` of the recordings, in
    rpm. orders: by name, in multiples of the shaft's speed. by: the condition that folds leave out;
    where it can't be, or None: the first of unit, size, load, speed and recording that can be, or
    else parts in time.
    """

    window: int | None = None
    look: Look | None = None
    shaft_hz: float | None = None
    orders: Mapping[str, float] = field(default_factory=dict)
    by: str | None = None


@dataclass(frozen=True, eq=False)
class TrainedSpectral:
    """A trained model and how it came about."""

    checkpoint: Checkpoint
    model: Spectral
    history: list[MemberEpoch]


def train_spectral(
    vibrations: Sequence[Vibration],
    settings: SpectralSettings | None = None,
    *,
    on_epoch: Callable[[MemberEpoch], None] = lambda _: None,
) -> TrainedSpectral:
    """Fit the spectral model; the same recordings and settings give the same weights.

    Raises:
        InputError: fewer than two faults; recordings that don't belong together or are too short,
            or a channel that never changes; a setting that doesn't fit; orders without a speed.
    """
    settings = settings or SpectralSettings()
    faults = find_faults(vibrations)
    _check_alive(vibrations)
    config = _make_config(vibrations, len(faults), settings)
    lesson, by = _make_lesson(vibrations, faults, config, settings.by)
    history: list[MemberEpoch] = []

    def note(epoch: MemberEpoch) -> None:
        history.append(epoch)
        on_epoch(epoch)

    looks = list_looks(config) if settings.look is None else [_check_look(settings.look, config)]
    if len(np.unique(lesson.fold[lesson.fold >= 0])) < LEAST_FOLDS:
        looks = looks[-1:]
    model, choice = fit_spectral(config, lesson, looks, note)
    first = vibrations[0]
    values = [vibration.values for vibration in vibrations]
    summary: dict[str, Any] = {
        "recordings": [vibration.name for vibration in vibrations],
        "windows": len(lesson.fault),
        "folds_by": by,
        "choice": msgspec.to_builtins(asdict(choice)),
        "torch": str(torch.__version__),
    }
    checkpoint = Checkpoint(
        kind="fault",
        architecture=ARCHITECTURE,
        config=msgspec.to_builtins(asdict(model.config)),
        state_dict=model.state_dict(),
        channels=tuple(zip(first.channels, first.units, strict=True)),
        sample_rate_hz=first.sample_rate_hz,
        window=config.window,
        hop_s=config.window / first.sample_rate_hz,
        sequence=config.sequence,
        outputs=(
            Output("probability", "1", (len(faults),), 1e-3),
            Output("novelty", "1", (), 1e-3),
        ),
        center=tuple(np.mean([part.mean(axis=1) for part in values], axis=0).tolist()),
        scale=tuple(np.mean([part.std(axis=1) for part in values], axis=0).tolist()),
        fault=FaultPart(
            faults=faults, shaft_hz=config.shaft_hz, orders=dict(_name_orders(settings))
        ),
        training=summary,
    )
    return TrainedSpectral(checkpoint, model, history)


def cut_windows(values: NDArray[np.float32], sequence: int, window: int) -> Tensor:
    """Windows float32 (n, sequence, channels, window) of a recording, one for each new block.

    values: float32 (channels, samples); what is left over at the end is not used.
    """
    blocks = values.shape[1] // window
    kept = torch.from_numpy(values[:, : blocks * window]).reshape(len(values), blocks, window)
    return kept.unfold(1, sequence, 1).permute(1, 3, 0, 2)


def choose_window(vibrations: Sequence[Vibration], settings: SpectralSettings) -> int:
    """Samples of a window: as set, or a power of two.

    It holds 40 turns or more if the recordings have room.

    Raises:
        InputError: orders without a speed.
    """
    if settings.window is not None:
        return settings.window
    shortest = min(vibration.values.shape[1] for vibration in vibrations)
    room = shortest // _WINDOWS_A_RECORDING
    shaft_hz = _find_speed(vibrations, settings)
    wanted = _TURNS * vibrations[0].sample_rate_hz / shaft_hz if shaft_hz else _LONGEST
    size = _SHORTEST
    while size < wanted and 2 * size <= room:
        size *= 2
    return size


def _make_config(
    vibrations: Sequence[Vibration], faults: int, settings: SpectralSettings
) -> SpectralConfig:
    first = vibrations[0]
    samples = choose_window(vibrations, settings)
    for vibration in vibrations:
        if vibration.values.shape[1] < 2 * samples:
            expected = f"{2 * samples} or more, two windows"
            raise InputError(f"{vibration.name}: samples", expected, vibration.values.shape[1])
    try:
        return msgspec.convert(
            {
                "channels": len(first.channels),
                "sequence": SEQUENCE,
                "window": samples // SEQUENCE,
                "sample_rate_hz": first.sample_rate_hz,
                "faults": faults,
                "shaft_hz": _find_speed(vibrations, settings),
                "orders": sorted(settings.orders.values()),
            },
            SpectralConfig,
        )
    except msgspec.ValidationError as error:
        raise InputError("settings", "sizes that fit each other", error) from error


def _find_speed(vibrations: Sequence[Vibration], settings: SpectralSettings) -> float | None:
    """The shaft's speed as set, or the mean of the recordings' `speed`, from rpm to Hz."""
    if settings.shaft_hz is not None or not settings.orders:
        return settings.shaft_hz
    try:
        speeds = [float(vibration.conditions["speed"]) for vibration in vibrations]
    except (KeyError, ValueError):
        raise InputError("shaft_hz", "a speed, as there are orders", "none") from None
    return float(np.mean(speeds)) / 60


def _name_orders(settings: SpectralSettings) -> list[tuple[str, float]]:
    return sorted(settings.orders.items(), key=lambda item: item[1])


def _make_lesson(
    vibrations: Sequence[Vibration],
    faults: Sequence[str],
    config: SpectralConfig,
    by: str | None,
) -> tuple[Lesson, str]:
    """Windows of all recordings, described; and what folds leave out."""
    by, places = _find_folds(vibrations, by)
    describer = Spectral(config).eval()
    parts: list[tuple[NDArray[Any], ...]] = []
    for number, vibration in enumerate(vibrations):
        windows = cut_windows(vibration.values, config.sequence, config.window)
        count = len(windows)
        if not places and count < _TIME_FOLDS * config.sequence:
            needed = ((_TIME_FOLDS + 1) * config.sequence - 1) * config.window
            expected = f"{needed} or more, as there are no other recordings to choose by"
            raise InputError(f"{vibration.name}: samples", expected, vibration.values.shape[1])
        fold = np.full(count, places[number]) if places else _cut_time(count, config.sequence)
        kept = np.unique(np.linspace(0, count - 1, _MOST_WINDOWS).round().astype(np.int64))
        windows, fold = windows[torch.from_numpy(kept)], fold[kept]
        with torch.no_grad():
            said = [describer.describe(part) for part in torch.split(windows, _DESCRIBED_AT_ONCE)]
        described = (torch.cat(part).double().numpy() for part in zip(*said, strict=True))
        count = len(windows)
        fault = np.full(count, faults.index(vibration.fault))
        parts.append((*described, fault, np.full(count, number), fold))
    return Lesson(*map(np.concatenate, zip(*parts, strict=True))), by


def _check_alive(vibrations: Sequence[Vibration]) -> None:
    """A sensor that is dead in training has the model call everything unknown."""
    for vibration in vibrations:
        for channel, values in zip(vibration.channels, vibration.values, strict=True):
            if values.min() == values.max():
                expected, got = "readings that change", f"{values[0]:g} throughout"
                raise InputError(f"{vibration.name}: {channel}", expected, got)


def _check_look(look: Look, config: SpectralConfig) -> Look:
    """Groups as asked for, each once."""
    for group in look:
        if not config.sizes()[group]:
            expected = "groups that have features, and orders that this one can show"
            raise InputError("look", expected, group)
    return tuple(dict.fromkeys(look))


def _find_folds(vibrations: Sequence[Vibration], by: str | None) -> tuple[str, list[int]]:
    """The condition that folds leave out, and each recording's fold; none: folds in time."""
    known = [
        condition
        for condition in _CONDITIONS
        if condition == RECORDING or all(condition in it.conditions for it in vibrations)
    ]
    for condition in known if by is None else (by, *known):
        values = [find_value(vibration, condition) for vibration in vibrations]
        distinct = sorted(set(values))
        folds = [distinct.index(value) % _MOST_FOLDS for value in values]
        if len(distinct) > 1 and _all_taught(vibrations, folds):
            return condition, folds
    return "time", []


def _all_taught(vibrations: Sequence[Vibration], folds: Sequence[int]) -> bool:
    """Whether each fold leaves every fault among the others."""
    pairs = list(zip(vibrations, folds, strict=True))
    everything = {vibration.fault for vibration in vibrations}
    return all(
        {vibration.fault for vibration, fold in pairs if fold != number} == everything
        for number in set(folds)
    )


def _cut_time(count: int, sequence: int) -> NDArray[np.int64]:
    """Folds of a recording's windows by time; -1 for those that reach back into another fold."""
    fold = np.arange(count) * _TIME_FOLDS // max(count, 1)
    reach = np.concatenate([np.full(sequence - 1, fold[0]), fold])[:count]
    return np.where(fold == reach, fold, -1)
