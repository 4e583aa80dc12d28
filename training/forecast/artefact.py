"""What is handed to export: a fitted forecaster as a checkpoint, and how it came about."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np
import torch

from wearcast.signals.clock import format_time
from wearcast.signals.contract import ForecastPart, Output
from wearcast.signals.rows import Rows
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.forecast.model import Forecaster
from wearcast.training.forecast.windows import Array, Parts
from wearcast.training.loss import MemberEpoch

# Of the channel's spread: how far another runtime may be off.
_TOLERANCE = 1e-4


def make_checkpoint(
    rows: Rows, architecture: str, model: Forecaster, sound: Array, summary: dict[str, Any], *,
    units: Mapping[str, str], time_zone: str, every_s: float | None,
) -> Checkpoint:  # fmt: skip
    """The checkpoint of a fitted model.

    sound: float64 (N, channels), readings within the bounds of the rows that it was fitted to.
    """
    config, step_s = model.config, rows.step_us / 1e6
    center, spread = np.nanmean(sound, axis=0), np.nanstd(sound, axis=0)
    # A channel that never changes still needs a spread to draw golden cases with.
    spread = np.where(spread > 0, spread, np.maximum(np.abs(center) / 100, 1e-3))
    shape = (len(config.horizons), len(config.quantiles))
    targets = tuple(rows.channels[place] for place in config.targets)
    return Checkpoint(
        kind="forecast",
        architecture=architecture,
        config=msgspec.to_builtins(asdict(config)),
        state_dict=model.state_dict(),
        channels=tuple((name, units.get(name, "")) for name in rows.channels),
        sample_rate_hz=1 / step_s,
        window=1,
        hop_s=step_s,
        sequence=config.sequence,
        outputs=tuple(
            Output(
                name=name,
                unit=units.get(name, ""),
                shape=shape,
                tolerance=_TOLERANCE * float(spread[place]),
            )
            for name, place in zip(targets, config.targets, strict=True)
        ),
        center=tuple(center.tolist()),
        scale=tuple(spread.tolist()),
        training=summary,
        time_zone=None if config.calendar == "none" else time_zone,
        every_s=every_s,
        missing=True,
        forecast=ForecastPart(
            targets=targets,
            horizons_s=tuple(horizon * step_s for horizon in config.horizons),
            quantiles=config.quantiles,
            mean_s=config.mean * step_s,
        ),
    )


def summarize(
    rows: Rows, parts: Parts, bounds: Array, history: Sequence[MemberEpoch]
) -> dict[str, Any]:
    """What it was fitted to and how well, for people; bounds float64 (channels, 2)."""
    named = {"fit": parts.fit, "choose": parts.choose, "calibrate": parts.calibrate}
    members = sorted({item.member for item in history})
    return {
        "rows": len(rows),
        "from": format_time(rows.start_us),
        "to": format_time(rows.start_us + (len(rows) - 1) * rows.step_us),
        "parts": {
            name: [part.start, part.stop] for name, part in (named | {"test": parts.test}).items()
        },
        "bounds": {
            name: [None if np.isinf(bound) else float(bound) for bound in pair]
            for name, pair in zip(rows.channels, bounds, strict=True)
        },
        "epochs": len({item.epoch for item in history}),
        # The lowest of each member.
        "validation_loss": [
            min(item.validation_loss for item in history if item.member == member)
            for member in members
        ],
        "torch": str(torch.__version__),
    }
