"""How a model is trained; each architecture brings its own defaults."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of the training loop.

    A step takes `runs` runs of `run_length` consecutive windows, each run from a random place of a
    random bearing (all bearings equally likely); the snapshots of a run are encoded once. An epoch
    has `steps` steps, or with 0 as many as there are windows in a pass. `leave_one_out`: train one
    member for each bearing, which that member never sees, and calibrate on what it says of it.
    """

    epochs: int
    runs: int
    run_length: int
    steps: int
    learning_rate: float
    weight_decay: float
    clip_norm: float
    leave_one_out: bool
