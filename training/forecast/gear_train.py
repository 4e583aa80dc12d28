"""From a block of a gear file to a forecaster's checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from wearcast.training.checkpoint import Checkpoint
from wearcast.training.forecast.artefact import make_checkpoint
from wearcast.training.forecast.conformal import calibrate
from wearcast.training.forecast.gear import FITTING, GearLstm, GearLstmConfig
from wearcast.training.forecast.gear_block import (
    CHANNELS,
    GearRows,
    GearWindows,
    make_config,
    make_windows,
)
from wearcast.training.loss import MemberEpoch

ARCHITECTURE = "gear-lstm"
# Of part C, 794,881 parameters with four inputs.
HIDDEN = GearLstmConfig.hidden


@dataclass(frozen=True, eq=False)
class TrainedGear:
    """A forecaster of one block, and how it came about; its windows of the test part are unseen."""

    block: GearRows
    checkpoint: Checkpoint
    model: GearLstm
    windows: GearWindows
    history: list[MemberEpoch]
    interrupted: bool

    @property
    def best(self) -> MemberEpoch:
        """The epoch whose weights were kept."""
        return min(self.history, key=lambda item: item.validation_loss)


def train_gear(
    block: GearRows,
    *,
    hidden: int = HIDDEN,
    epochs: int = FITTING.epochs,
    number: int = 0,
    seed: int = 0,
    on_epoch: Callable[[MemberEpoch], None] = lambda _: None,
) -> TrainedGear:
    """Fit the forecaster of part C to a block; the test part's readings change nothing.

    hidden: units of a layer. epochs: at the most. number: of the block, which the epochs are noted
    under. The same block, sizes and seed give the same weights.
    """
    history: list[MemberEpoch] = []

    def note(epoch: MemberEpoch) -> None:
        history.append(replace(epoch, member=number))
        on_epoch(history[-1])

    threads = torch.get_num_threads()
    # Threads would sum in another order: the same seed must give the same weights anywhere.
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = GearLstm(make_config(block, hidden))
            seen = block.rows.values[: block.parts.training.stop]
            model.fit_scaling(seen, seen, np.zeros(len(seen)))
            windows = make_windows(block, model.config)
            fitting = replace(FITTING, epochs=epochs)
            interrupted = model.fit(windows.lessons, fitting, seed=seed, on_epoch=note)
        calibrate(model, windows.calibrate)
    finally:
        torch.set_num_threads(threads)
    summary = _summarize(block, model, windows, history) | {
        "seed": seed,
        "interrupted": interrupted,
    }
    checkpoint = make_checkpoint(
        block.rows, ARCHITECTURE, model, seen, summary,
        units=block.units, time_zone="UTC", every_s=None,
    )  # fmt: skip
    return TrainedGear(block, checkpoint, model, windows, history, interrupted)


def count_parameters(model: GearLstm) -> int:
    """Numbers that are fitted by gradient; those that scale are none of them."""
    return sum(weights.numel() for weights in model.parameters())


def scale_row(model: GearLstm, block: GearRows, row: int) -> dict[str, float]:
    """One row as the network sees it, by channel: 0 the lowest of the training part, 1 the highest.

    What the graph makes of it, in float32.
    """
    readings = torch.from_numpy(block.rows.values[row].astype(np.float32))
    scaled = model.deviate(readings[None, None, :, None], None)[0, 0]
    return dict(zip(CHANNELS, scaled.tolist(), strict=True))


def _summarize(
    block: GearRows, model: GearLstm, windows: GearWindows, history: list[MemberEpoch]
) -> dict[str, Any]:
    """What it was fitted to and how well, for people."""
    best = min(history, key=lambda item: item.validation_loss)
    parts = block.parts
    return {
        "block": block.name,
        "speed": block.speed,
        "load": block.load,
        "rows": len(block.rows),
        "parts": {
            name: [part.start, part.stop]
            for name, part in (
                ("fit", parts.fit),
                ("choose", parts.choose),
                ("calibrate", parts.calibrate),
                ("test", parts.test),
            )
        },
        "training_windows": windows.training,
        "test_windows": len(windows.test),
        "parameters": count_parameters(model),
        "first_row_scaled": scale_row(model, block, 0),
        "epochs": len(history),
        "best_epoch": best.epoch,
        "training_loss": best.training_loss,
        "validation_loss": best.validation_loss,
        "torch": str(torch.__version__),
    }
