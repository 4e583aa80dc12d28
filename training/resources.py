"""What each step costs, wall time, CPU time and peak memory, and on which machine."""

import os
import platform
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class StepCost:
    """Cost of one step; `peak_mb` is the process's highest memory so far, in 10^6 bytes."""

    step: str
    wall_s: float
    cpu_s: float
    peak_mb: float

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.step}: {self.wall_s:.1f} s wall, {self.cpu_s:.1f} s CPU, "
            f"peak memory {self.peak_mb:.0f} MB"
        )


@contextmanager
def measure(step: str, costs: list[StepCost]) -> Iterator[None]:
    """Add the cost of the block to `costs`, also where it fails."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield
    finally:
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        costs.append(
            StepCost(step, time.perf_counter() - wall, time.process_time() - cpu, peak / 1e6)
        )


def describe_machine(versions: Mapping[str, str]) -> str:
    """One line: processor, cores and versions."""
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, {packages}"
    )
