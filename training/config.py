"""How a model is trained; each architecture brings its own defaults."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of the training loop.

    A step takes `runs` runs of `run_length` consecutive windows, each run from a random place of a
    random bearing (all bearings equally likely); the snapshots of a run are encoded once. An epoch
    has `steps` steps, or with 0 as many as there are windows in a pass. `leave_one_out`: train one
    member for each bearing, which that member never sees, and calibrate on what it says of it.
    """

    epochs: Count
    runs: Count
    run_length: Count
    steps: Annotated[int, Meta(ge=0)]
    learning_rate: Positive
    weight_decay: NotNegative
    clip_norm: Positive
    leave_one_out: bool
