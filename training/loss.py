"""The course of the training: a CSV file and a picture."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class MemberEpoch:
    """One epoch of one member: of an ensemble, or of the channels of a forecaster."""

    member: int
    epoch: int
    training_loss: float
    validation_loss: float


def write_loss(path: Path, history: Sequence[MemberEpoch]) -> None:
    """One row an epoch and member."""
    columns = list(MemberEpoch.__dataclass_fields__)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(asdict(item) for item in history)


def plot_loss(path: Path, history: Sequence[MemberEpoch], loss: str) -> bool:
    """Losses over epochs, a colour a member, its best epoch marked; False without matplotlib.

    loss: what the losses are, for people.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError:
        return False
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for member in sorted({item.member for item in history}):
        rows = [item for item in history if item.member == member]
        epochs = [item.epoch for item in rows]
        colour = f"C{member}"
        axes.plot(epochs, [item.training_loss for item in rows], colour, ls=":", lw=1)
        axes.plot(epochs, [item.validation_loss for item in rows], colour, label=f"member {member}")
        best = min(rows, key=lambda item: item.validation_loss)
        axes.plot(best.epoch, best.validation_loss, colour, marker="o")
    axes.set(
        xlabel="epoch",
        ylabel=loss,
        title="Loss: dotted training, solid validation, dot best weights",
    )
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path, dpi=120)
    return True
