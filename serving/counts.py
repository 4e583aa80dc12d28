"""What each model has done since it was loaded, in counts and nanoseconds."""

from dataclasses import dataclass, field, replace


@dataclass(slots=True)
class Took:
    """How often something happened, and how long it took together."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int, count: int = 1) -> None:
        """It happened again."""
        self.count += count
        self.ns += ns


@dataclass(slots=True)
class Statistics:
    """What one model has done.

    A request is one call of `Engine.run`, with one row or more; a run is one batch in ONNX Runtime.
    success, fail, cancel: requests that were answered, that failed or were late, and whose caller
    went away; with the time from admission to end. queue: requests, and how long they waited for
    their first row to be run. compute_input, compute_infer, compute_output: requests that were
    answered, and how long the runs that they were part of were filled and run, and how long the
    answer was put together. batches: runs by number of rows, padding not counted. rejected:
    requests that found no room. waiting: rows that wait now. policy: how rows are batched, in
    words. last_ms: when the last run ended, in milliseconds since 1970; 0: there was none.
    """

    policy: str = ""
    success: Took = field(default_factory=Took)
    fail: Took = field(default_factory=Took)
    cancel: Took = field(default_factory=Took)
    queue: Took = field(default_factory=Took)
    compute_input: Took = field(default_factory=Took)
    compute_infer: Took = field(default_factory=Took)
    compute_output: Took = field(default_factory=Took)
    batches: dict[int, Took] = field(default_factory=dict)
    rejected: int = 0
    waiting: int = 0
    last_ms: int = 0

    @property
    def rows(self) -> int:
        """Rows that were run."""
        return sum(size * took.count for size, took in self.batches.items())

    @property
    def runs(self) -> int:
        """Batches that were run."""
        return sum(took.count for took in self.batches.values())

    def copy(self) -> "Statistics":
        """The same, at rest."""
        computed = ("compute_input", "compute_infer", "compute_output")
        parts = ("success", "fail", "cancel", "queue", *computed)
        return replace(
            self,
            batches={size: replace(took) for size, took in self.batches.items()},
            **{name: replace(getattr(self, name)) for name in parts},
        )
