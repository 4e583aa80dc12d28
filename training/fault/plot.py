"""Pictures of a fault model's figures: who was taken for whom, and how sure it may be."""

from pathlib import Path

import numpy as np

from wearcast.training.fault.metrics import BINS, Scores

# Above this share of a row the cell is dark, and its text white.
_DARK = 0.6


def plot_confusion(path: Path, scores: Scores, title: str) -> bool:
    """Draw the confusion matrix, counts and shares of each row; False without matplotlib."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError:
        return False
    count = len(scores.faults)
    shares = scores.confusion / np.maximum(scores.support, 1)[:, None]
    size = 3.0 + 1.1 * count
    figure = Figure(figsize=(size + 0.8, size), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        axes.text(
            column,
            row,
            f"{scores.confusion[row, column]:,}\n{share:.0%}",
            ha="center",
            va="center",
            color="white" if share > _DARK else "black",
        )
    axes.set_xticks(range(count), scores.faults, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), scores.faults)
    axes.set(
        xlabel="answered",
        ylabel="there",
        title=(
            f"{title}\nmacro-F1 {scores.macro_f1:.3f}, accuracy {scores.accuracy:.3f}, "
            f"{scores.windows:,} windows"
        ),
    )
    figure.colorbar(image, label="share of the row", shrink=0.8)
    figure.savefig(path, dpi=110)
    return True


def plot_reliability(path: Path, scores: Scores, title: str) -> bool:
    """Draw how often answers of each probability are right; False without matplotlib.

    Below the diagonal the model is surer than it may be.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError:
        return False
    reliability = scores.reliability
    some = reliability.count > 0
    middles = (np.arange(BINS) + 0.5) / BINS
    figure = Figure(figsize=(6, 7), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    upper.bar(
        middles[some], reliability.right[some], 0.94 / BINS, color="C0", alpha=0.6, label="right"
    )
    upper.plot(
        reliability.confidence[some], reliability.right[some], "ko", ms=4, label="mean of a bin"
    )
    upper.plot([0, 1], [0, 1], "k--", lw=1, label="as sure as right")
    upper.set(
        ylabel="share of answers that are right",
        ylim=(0, 1),
        title=f"{title}\nexpected calibration error {scores.calibration_error:.3f}",
    )
    upper.legend(loc="upper left")
    lower.bar(middles, reliability.count / scores.windows, 0.94 / BINS, color="C1", alpha=0.8)
    lower.set(xlabel="probability of the answer", ylabel="share of windows", xlim=(0, 1))
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    return True
