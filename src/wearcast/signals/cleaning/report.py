"""What cleaning has changed: plain numbers, and a few lines for people."""

from dataclasses import dataclass

from wearcast.signals.cleaning.raw_table import Unread


@dataclass(frozen=True)
class ChannelReport:
    """What became of one channel's cells.

    texts: held no number and count as missing. outside: readings outside the bounds, set missing.
    forward, linear: filled with the reading before, or on a line between two. empty: still missing;
    longest: rows of the longest such gap, which begins at `longest_start`.
    """

    name: str
    texts: Unread | None = None
    outside: int = 0
    forward: int = 0
    linear: int = 0
    empty: int = 0
    longest: int = 0
    longest_start: str | None = None

    def __str__(self) -> str:
        """One line; without what did not happen."""
        parts = [f"texts {self.texts}"] if self.texts else []
        counts = {
            "outside the bounds": self.outside,
            "filled forward": self.forward,
            "filled linearly": self.linear,
        }
        parts += [f"{count:,} {what}" for what, count in counts.items() if count]
        if self.empty:
            gap = f"at most {self.longest:,} in a row, from {_shorten(self.longest_start or '')}"
            parts.append(f"{self.empty:,} left empty ({gap})")
        return f"{self.name}: {', '.join(parts) or 'as it was'}"


@dataclass(frozen=True)
class Report:
    """What became of a file.

    read: rows of the file, without those that are `untimed` or `broken` (see RawTable). kept: rows
    of the result, each `step_s` from `start` to `end`. file_step_s: step of the file, where it has
    one. resampled: whether rows are means of several rows of the file. unsorted: rows that stood
    after a later one. duplicates: rows beyond the first of their time. moved: rows whose time was
    not that of their row in the result. inserted: rows of the result that no row of the file
    belongs to. trimmed: rows without any reading, cut off at the ends. left_out: columns that are
    no numbers.
    """

    read: int
    kept: int
    start: str
    end: str
    step_s: float
    file_step_s: float | None
    resampled: bool
    unsorted: int
    duplicates: int
    moved: int
    inserted: int
    trimmed: int
    untimed: Unread | None
    broken: Unread | None
    left_out: tuple[str, ...]
    channels: tuple[ChannelReport, ...]

    def __str__(self) -> str:
        """A few lines; without what did not happen."""
        lines = [
            f"rows: {self.read:,} read, {self.kept:,} kept, one each {self.step_s:g} s",
            f"from {_shorten(self.start)} to {_shorten(self.end)}",
        ]
        if self.resampled:
            lines.append(f"resampled: means of rows {self.file_step_s:g} s apart")
        counts = {
            "out of order": self.unsorted,
            "of a time that was there already": self.duplicates,
            "moved to the time of their row": self.moved,
            "missing and inserted": self.inserted,
            "trimmed off the ends": self.trimmed,
        }
        parts = [f"{count:,} {what}" for what, count in counts.items() if count]
        if self.untimed:
            parts.append(f"without a time {self.untimed}")
        if self.broken:
            parts.append(f"with other cells than the header {self.broken}")
        if parts:
            lines.append(f"rows: {', '.join(parts)}")
        if self.left_out:
            lines.append(f"columns left out: {', '.join(self.left_out)}")
        return "\n".join([*lines, *map(str, self.channels)])


def _shorten(time: str) -> str:
    return time.replace(".000000Z", "Z")
