"""From readings to the rows of the table: one row for each step of time, closed once.

Readings wait in the store until their step is closed, and are averaged then. Afterwards they stay
for a while, so that what a source sends again is known. A reading for a step that is closed fills
an empty place of its row (flag LATE); where there is none, it is kept apart.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from wearcast.clients.edge.progress import Progress
from wearcast.clients.edge.readings import Reading
from wearcast.clients.edge.store.edge_store import EdgeStore
from wearcast.signals.plant_table import PlantRow
from wearcast.signals.series import MAX_START_US

# Steps without any reading become rows, unless there are more of them than a day has minutes: then
# the service was off, or a clock was wrong.
MAX_EMPTY = 1440
# How long readings of closed steps are known by.
_HOUR_US = 3_600_000_000
# No plant reads more in any unit; float32 models would make infinity of what is far above.
_LARGEST = 1e12

# Flags of a row, beside those that sources give.
MISSING = "MISSING"  # a channel has no reading
LATE = "LATE"  # a reading came after the models had judged the row
OFF = "OFF"  # nobody was there to read
OUTSIDE = "OUTSIDE"  # outside the bounds of usual readings
GARBLED = "GARBLED"  # what came was no number

Bounds = Mapping[str, tuple[float, float]]


class Steps:
    """Takes readings in and closes steps. All its methods are called inside a transaction."""

    def __init__(
        self, store: EdgeStore, progress: Progress, channels: Sequence[str], step_us: int
    ) -> None:
        self._store = store
        self._progress = progress
        self._channels = list(channels)
        self._step_us = step_us

    def begin_of(self, time_us: int) -> int:
        """When the step that a time lies in begins."""
        return time_us // self._step_us * self._step_us

    def take(self, readings: Iterable[Reading], now_us: int) -> None:
        """Keep readings that have just come."""
        waiting, late = [], []
        closed_us = self._progress.next_us
        for given in readings:
            if not 0 <= given.time_us < MAX_START_US:  # no time that a row can have
                self._store.keep_spare(given, now_us)
                continue
            reading = self._check(given, now_us)
            if closed_us is not None and reading.time_us < closed_us:
                late.append(reading)
            else:
                waiting.append(reading)
        for reading in self._store.add_readings(waiting):
            self._store.keep_spare(reading, now_us)
        for reading in late:
            self._take_late(reading, now_us)

    def close(self, horizon_us: int, bounds: Bounds, *, most: int, off_before_us: int) -> bool:
        """Write rows of steps that end by `horizon_us`, at most `most`; whether any were closed.

        off_before_us: empty steps that end before it had nobody to read them.
        """
        progress = self._progress
        if progress.next_us is None:
            oldest_us = self._store.oldest_pending_us()
            if oldest_us is None:
                return False
            progress.origin_us = progress.next_us = self.begin_of(oldest_us)
        end_us = min(self.begin_of(horizon_us), progress.next_us + most * self._step_us)
        if end_us <= progress.next_us:
            return False
        by_step: dict[int, list[Reading]] = {}
        for reading in self._store.pending(progress.next_us, end_us):
            by_step.setdefault(self.begin_of(reading.time_us), []).append(reading)
        read_us = max(by_step, default=progress.next_us - self._step_us) + self._step_us
        next_us = end_us
        if read_us < end_us:
            resume_us = self._find_resume(read_us, horizon_us)
            if resume_us - read_us > MAX_EMPTY * self._step_us:
                end_us, next_us = read_us, resume_us
        known = {row.time_us: row for row in self._store.table.read(progress.next_us, end_us)}
        rows = []
        for begin_us in range(progress.next_us, end_us, self._step_us):
            readings = by_step.get(begin_us, [])
            if begin_us in known:  # a clock was wrong, or is: no row is written over
                made = self._make_row(begin_us, readings, bounds, off=False)
                # Or a CSV table has it from a turn that was cut off.
                again = made.readings == known[begin_us].readings
                for reading in () if again else readings:
                    self._fit_in(reading, horizon_us)
                continue
            off = not readings and begin_us + self._step_us <= off_before_us
            rows.append(self._make_row(begin_us, readings, bounds, off=off))
        self._store.table.write(rows)
        progress.next_us = next_us
        self._store.drop_pending(next_us - _HOUR_US)
        return True

    def rewind(self, now_us: int) -> bool:
        """Begin anew at the present, if a clock was far ahead before; whether that was so.

        It was if the next step to close lies more than an hour ahead, and nobody has read anything
        in the hour from now on: then this time was skipped. (A clock that is behind shows a time
        that has its rows.) Blocks are numbered from here on, as models take no block from before.
        """
        progress, begin_us = self._progress, self.begin_of(now_us)
        if progress.next_us is None or progress.next_us <= begin_us + _HOUR_US:
            return False
        rows = self._store.table.read(begin_us, begin_us + _HOUR_US)
        if any(LATE not in row.quality for row in rows):
            return False
        progress.origin_us = progress.next_us = progress.sent_us = progress.day_us = begin_us
        progress.answered_us = progress.amended_us = begin_us - self._step_us
        progress.criteria_us = min(progress.criteria_us, begin_us)
        progress.retrained_us = min(progress.retrained_us, begin_us)
        progress.rewound += 1
        return True

    def _find_resume(self, after_us: int, horizon_us: int) -> int:
        """The first step at or behind a time that has a reading; else where the horizon is."""
        waiting = self._store.pending(after_us, self.begin_of(horizon_us))
        return self.begin_of(waiting[0].time_us if waiting else horizon_us)

    def _make_row(
        self, begin_us: int, readings: Sequence[Reading], bounds: Bounds, *, off: bool
    ) -> PlantRow:
        flags = {flag for reading in readings for flag in reading.quality}
        values: list[float | None] = []
        for channel in self._channels:
            known = [
                reading.value
                for reading in readings
                if reading.channel == channel and reading.value is not None
            ]
            values.append(math.fsum(known) / len(known) if known else None)
            low, high = bounds.get(channel, (-math.inf, math.inf))
            if known and not low <= math.fsum(known) / len(known) <= high:
                flags.add(OUTSIDE)
        if None in values:
            flags.add(OFF if off else MISSING)
        next_day = self._store.next_day(begin_us)
        predictions = tuple(next_day.get(channel) for channel in self._channels)
        stages = (None,) * len(self._store.table.columns.points)
        return PlantRow(begin_us, tuple(values), predictions, stages, tuple(sorted(flags)))

    def _take_late(self, reading: Reading, now_us: int) -> None:
        around = self._store.pending(reading.time_us, reading.time_us + 1)
        if reading.value in [known.value for known in around if known.channel == reading.channel]:
            return  # sent again
        self._fit_in(reading, now_us)

    def _fit_in(self, reading: Reading, now_us: int) -> None:
        """Into an empty place of its row; if it is taken, the reading is kept apart."""
        begin_us = self.begin_of(reading.time_us)
        rows = self._store.table.read(begin_us, begin_us + self._step_us)
        row = rows[0] if rows else self._make_row(begin_us, [], {}, off=False)
        place = self._channels.index(reading.channel)
        held = row.readings[place]
        if held is not None or reading.value is None:
            if held != reading.value:
                self._store.keep_spare(reading, now_us)
            elif LATE in row.quality:  # a CSV table may have it from a turn that was cut off
                self._note_late(begin_us)
            return
        values = list(row.readings)
        values[place] = reading.value
        flags = {LATE, *row.quality, *reading.quality}
        if None not in values:
            flags -= {MISSING, OFF}
        changed = PlantRow(
            begin_us, tuple(values), row.predictions, row.stages, tuple(sorted(flags))
        )
        self._store.table.write([changed])
        for rest in self._store.add_readings([reading]):
            self._store.keep_spare(rest, now_us)
        self._note_late(begin_us)

    def _note_late(self, begin_us: int) -> None:
        if begin_us not in self._progress.late_us:
            self._progress.late_us.append(begin_us)

    def _check(self, reading: Reading, now_us: int) -> Reading:
        """The reading, without a value that is none; such a value is kept apart."""
        if reading.value is None or (
            math.isfinite(reading.value) and abs(reading.value) <= _LARGEST
        ):
            return reading
        if math.isfinite(reading.value):
            self._store.keep_spare(reading, now_us)
        return Reading(reading.time_us, reading.channel, None, (*reading.quality, GARBLED))
