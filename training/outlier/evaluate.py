"""Judge the detectors on benchmarks of others, and a checkpoint on a plant with known faults."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from wearcast.signals.cleaning import load_rows
from wearcast.signals.clock import parse_time
from wearcast.signals.errors import InputError
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.outlier import nab, skab
from wearcast.training.outlier.plant import PlantResult, judge_plant, read_labels


@dataclass(frozen=True)
class Benchmarks:
    """Results on SKAB and NAB.

    by_smoothing: for each number of rows that the multivariate detector averages, SKAB's files.
    free: SKAB's recording without faults. machines: of NAB.
    """

    by_smoothing: dict[int, list[skab.FileResult]]
    free: list[skab.FreeResult]
    machines: list[nab.MachineResult]

    @property
    def files(self) -> list[skab.FileResult]:
        """SKAB's files with the default settings."""
        return self.by_smoothing[skab.SETTINGS.smoothing]


def count_files(folder: Path) -> int:
    """How many files `evaluate_benchmarks` will judge."""
    return len(skab.list_files(folder / "skab")) * len(skab.SMOOTHINGS) + len(nab.MACHINES)


def evaluate_benchmarks(folder: Path, on_file: Callable[[], None]) -> Benchmarks:
    """Judge SKAB and NAB, which lie in folders of these names.

    Raises:
        InputError: files are missing or not as they should be.
    """
    results: dict[int, list[skab.FileResult]] = {}
    for smoothing in skab.SMOOTHINGS:
        settings = replace(skab.SETTINGS, smoothing=smoothing)
        results[smoothing] = []
        for path in skab.list_files(folder / "skab"):
            results[smoothing].append(skab.judge_file(path, settings))
            on_file()
        results[smoothing] = skab.add_place(results[smoothing])
    free = skab.judge_free(folder / "skab")
    machines = []
    for machine in nab.MACHINES:
        machines.append(nab.judge_machine(folder / "nab", machine))
        on_file()
    return Benchmarks(results, free, machines)


def evaluate_plant(checkpoint: Checkpoint, plant: Path, labels: Path) -> PlantResult:
    """Judge a checkpoint on what follows, in a plant's record, after what it was fitted to.

    Raises:
        InputError: nothing follows, or the files are not as they should be.
    """
    channels = tuple(name for name, _ in checkpoint.channels)
    zone = checkpoint.training["time_zone"]
    rows = load_rows(plant, channels, step_s=checkpoint.hop_s, time_zone=zone).rows
    first = (parse_time(checkpoint.training["to"]) - rows.start_us) // rows.step_us + 1
    if not 0 < first < len(rows):
        raise InputError(str(plant), "rows after those that were fitted to", "none")
    return judge_plant(checkpoint, rows, read_labels(labels, zone), int(first))
