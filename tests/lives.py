"""Small runs to failure: noise whose level grows over the life."""

import numpy as np

from wearcast.signals.femto import HOP_S, SAMPLE_RATE_HZ, WINDOW
from wearcast.signals.recording import Recording


def make_life(name: str, snapshots: int, *, seed: int) -> Recording:
    """A bearing whose level grows tenfold from 0.3 g on, more in one channel than in the other."""
    random = np.random.RandomState(seed)
    share = np.linspace(0, 1, snapshots)
    level = 0.3 * np.stack([10**share, 5**share], axis=1)
    noise = random.standard_normal((snapshots, 2, WINDOW))
    numbers = np.arange(snapshots, dtype=np.int64)
    return Recording(
        name=name,
        sample_rate_hz=SAMPLE_RATE_HZ,
        numbers=numbers,
        starts_us=numbers * round(HOP_S * 1e6),
        values=(noise * level[:, :, None]).astype(np.float32),
    )


def make_lives(count: int = 4, snapshots: int = 60) -> dict[str, Recording]:
    """Bearings of different lengths."""
    names = [f"Bearing1_{number}" for number in range(1, count + 1)]
    return {
        name: make_life(name, snapshots + 6 * seed, seed=seed) for seed, name in enumerate(names)
    }
