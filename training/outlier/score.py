"""Run an outlier model over rows, as a server would: one window for each row, from the first on."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from wearcast.signals.clock import minutes_of_week
from wearcast.signals.contract import OutlierPart
from wearcast.signals.rows import Rows
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.outlier.model import OutlierModel

Array = NDArray[np.float32]
_BATCH = 1024


@dataclass(frozen=True)
class Scores:
    """What a model says at each row, float32 (N, points) each."""

    part: OutlierPart
    value: Array
    percentile: Array
    stage: Array
    cause: Array

    def points(self, detector: str) -> NDArray[np.int64]:
        """Places of a detector's points."""
        found = [n for n, point in enumerate(self.part.points) if point.detector == detector]
        return np.array(found, dtype=np.int64)


def score_rows(checkpoint: Checkpoint, rows: Rows) -> Scores:
    """Run the model of a checkpoint over every row; rows before the first count as missing."""
    model = checkpoint.build_model()
    if checkpoint.outlier is None or not isinstance(model, OutlierModel):
        raise TypeError(checkpoint.architecture)
    sequence, channels = checkpoint.sequence, rows.values.shape[1]
    padding = np.full((sequence - 1, channels), np.nan)
    padded = np.concatenate([padding, rows.values]).astype(np.float32)
    windows = sliding_window_view(padded, sequence, axis=0)  # (N, channels, sequence)
    zone = checkpoint.time_zone
    clock = None if zone is None else torch.from_numpy(minutes_of_week(rows.times_us, zone))
    parts: list[list[Array]] = [[], [], [], []]
    with torch.inference_mode():
        for start in range(0, len(rows), _BATCH):
            batch = slice(start, start + _BATCH)
            blocks = torch.from_numpy(windows[batch].transpose(0, 2, 1)[..., None].copy())
            answers = model(blocks) if clock is None else model(blocks, clock[batch])
            for part, answer in zip(parts, answers, strict=True):
                part.append(answer.numpy())
    return Scores(checkpoint.outlier, *(np.concatenate(part) for part in parts))
