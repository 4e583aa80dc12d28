"""What is sent to the central server, and when: parcels put into the outbox.

- Rows of ten minutes, a minute after their end, whether complete or not; with them earlier rows
  that have changed since they were sent.
- The rows of a day, after its end.
- Each forecast, and alerts, as soon as they are known.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec

from wearcast.clients.edge.progress import Progress
from wearcast.clients.edge.settings import EdgeSettings
from wearcast.clients.edge.store.edge_store import EdgeStore
from wearcast.signals.alerts import Alert
from wearcast.signals.clock import find_zone, format_time
from wearcast.signals.estimate import Estimate
from wearcast.signals.parcel import Parcel, ParcelKind
from wearcast.signals.plant_table import PlantRow
from wearcast.signals.schedule import TEN_MINUTES_US, Span, days_from, spans_from

# With a server that judges: how long rows wait for their stages before they are sent without.
_PATIENCE_US = 60_000_000
# Earlier rows in one parcel.
_MOST_AMENDED = 2_000
# Ten minutes without rows that lie further back are sent together.
_LONG_AGO_US = 86_400_000_000
_MOST_LATE = 500


class Sender:
    """Puts parcels into the outbox. All its methods are called inside a transaction."""

    def __init__(
        self, store: EdgeStore, progress: Progress, settings: EdgeSettings, *, judged: bool
    ) -> None:
        self._store = store
        self._progress = progress
        self._asset = settings.asset
        self._wanted = settings.delivery is not None
        self._judged = judged
        self._driven = settings.clock == "readings"
        self._delay_us = round(settings.schedule.send_delay_s * 1e6)
        self._step_us = round(settings.step_s * 1e6)
        self._zone: ZoneInfo = find_zone(settings.time_zone)

    def send_alerts(self, alerts: Sequence[Alert], now_us: int) -> None:
        """Alerts, at once."""
        if self._wanted and alerts:
            times_us = [alert.time_us for alert in alerts]
            span = Span(min(times_us), max(times_us) + 1)
            parcel = self._make(ParcelKind.ALERTS, span, now_us, alerts[0].id)
            self._store.send_later(_with(parcel, alerts=tuple(alerts)))

    def send_forecasts(self, forecasts: Sequence[Estimate], now_us: int) -> None:
        """Forecasts, at once."""
        for estimate in forecasts if self._wanted else ():
            span = Span(estimate.window_end_us, estimate.window_end_us + 1)
            name = f"{self._asset}/{estimate.model}/{format_time(estimate.window_end_us)}"
            parcel = self._make(ParcelKind.FORECASTS, span, now_us, name)
            self._store.send_later(_with(parcel, forecasts=(estimate,)))

    def send_due(self, now_us: int) -> int:
        """Ten minutes and days that have ended; gives how many parcels."""
        progress = self._progress
        if progress.next_us is None or progress.origin_us is None:
            return 0
        if not progress.sent_us:
            # What ran before the service began is not what it has seen from its begin.
            first_us = progress.origin_us if self._driven else progress.began_us
            progress.sent_us = max(first_us, 1)
            progress.day_us = max(min(first_us, progress.origin_us), 1)
            progress.amended_us = -1
        if not self._wanted:
            # As if it had been sent, whoever is given as receiver later.
            ended_us = progress.next_us // TEN_MINUTES_US * TEN_MINUTES_US
            progress.sent_us = progress.day_us = max(progress.sent_us, ended_us)
            progress.amended_us = max(progress.amended_us, progress.answered_us)
            progress.late_us.clear()
            return 0
        count = self._send_spans(progress.next_us, now_us)
        for span in days_from(progress.day_us, progress.next_us, self._zone):
            if not self._is_due(span, now_us):
                break
            progress.day_us = span.end_us
            if span.end_us > now_us - _LONG_AGO_US or self._store.table.read(*span):
                self._store.send_later(self._make_rows(ParcelKind.DAY, span, now_us, ()))
                count += 1
        return count

    def _send_spans(self, closed_us: int, now_us: int) -> int:
        progress, count = self._progress, 0
        for span in spans_from(progress.sent_us, closed_us, self._zone):
            if span.first_us < progress.sent_us:
                continue
            if not self._is_due(span, now_us):
                break
            whole = self._stretch(span, closed_us, now_us)
            amended = self._find_amended(span.first_us)
            self._store.send_later(self._make_rows(ParcelKind.ROWS, whole, now_us, amended))
            if progress.amended_us >= min(progress.answered_us, span.first_us - 1):  # none is left
                last_us = min(progress.answered_us, whole.end_us - self._step_us)
                progress.amended_us = max(progress.amended_us, last_us)
            progress.sent_us = whole.end_us
            count += 1
        return count

    def _stretch(self, span: Span, closed_us: int, now_us: int) -> Span:
        """The ten minutes; or, long ago and without rows, with as many days behind them."""
        last_us = min(now_us - _LONG_AGO_US - 1, closed_us)  # behind it there are no rows yet
        end_us = span.end_us
        while end_us <= last_us and not self._store.table.read(span.first_us, end_us):
            whole, end_us = Span(span.first_us, end_us), end_us + _LONG_AGO_US
            span = whole
        return span

    def _is_due(self, span: Span, now_us: int) -> bool:
        if now_us < span.end_us + self._delay_us and not self._driven:
            return False
        if not self._judged or self._progress.answered_us >= span.end_us - self._step_us:
            return True
        patient = self._driven or now_us < span.end_us + self._delay_us + _PATIENCE_US
        # Where nobody read anything, there is nothing to judge.
        return not patient or not self._store.table.read(*span)

    def _find_amended(self, before_us: int) -> tuple[PlantRow, ...]:
        """Earlier rows that have not been sent as they are now."""
        progress = self._progress
        end_us = min(progress.answered_us + 1, before_us)
        first_us = max(progress.amended_us + 1, progress.origin_us or 0)
        rows: list[PlantRow] = []
        while not rows and first_us < end_us:  # in parts: they may be those of years
            part_us = min(first_us + _MOST_AMENDED * self._step_us, end_us)
            rows, first_us = self._store.table.read(first_us, part_us), part_us
        progress.amended_us = max(progress.amended_us, first_us - 1)
        late_us, progress.late_us = progress.late_us[:_MOST_LATE], progress.late_us[_MOST_LATE:]
        known = {row.time_us for row in rows}
        for time_us in sorted(set(late_us) - known):
            if time_us < before_us:
                rows += self._store.table.read(time_us, time_us + 1)
        return tuple(rows)

    def _make_rows(
        self, kind: ParcelKind, span: Span, now_us: int, amended: tuple[PlantRow, ...]
    ) -> Parcel:
        rows = tuple(self._store.table.read(*span))
        # Steps that begin in it: at times one more, where ten minutes are no multiple of a step.
        expected = -(-span.end_us // self._step_us) - -(-span.first_us // self._step_us)
        whole = len(rows) == expected and not any(
            None in row.readings or None in row.stages for row in rows
        )
        name = f"{self._asset}/{kind.value}/{format_time(span.first_us)}"
        parcel = self._make(kind, span, now_us, name)
        columns = self._store.table.columns
        return _with(
            parcel, rows=rows + amended, expected=expected, complete=whole, columns=columns
        )

    def _make(self, kind: ParcelKind, span: Span, now_us: int, key: str) -> Parcel:
        key = f"{key}/{self._progress.store_id}"
        if self._progress.rewound:  # the same time may have been sent before, by a wrong clock
            key += f"/{self._progress.rewound}"
        return Parcel(key, self._asset, kind, span.first_us, span.end_us, now_us)


def _with(parcel: Parcel, **changes: object) -> Parcel:
    changed: Parcel = msgspec.structs.replace(parcel, **changes)
    return changed
