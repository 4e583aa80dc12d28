"""From the answers of models to stages in rows, forecasts kept, alarms and alerts."""

from collections.abc import Sequence
from typing import NamedTuple

from wearcast.clients.edge.blocks import Numbering
from wearcast.clients.edge.models import Models
from wearcast.clients.edge.progress import Progress
from wearcast.clients.edge.settings import EdgeSettings
from wearcast.clients.edge.steps import OFF
from wearcast.clients.edge.store.edge_store import EdgeStore
from wearcast.signals.alarm_state import AlarmsState
from wearcast.signals.alarms import Alarms
from wearcast.signals.alerts import Alert, alerts_every
from wearcast.signals.contract import Contract
from wearcast.signals.estimate import Estimate, Forecast, Outlier
from wearcast.signals.plant_table import PlantRow

# Rows that models are given at once: what a backlog may hold in memory.
_MOST = 240
_DAY_S = 86_400.0
_ALARMS = "alarms"
_UNTOLD = "untold"


class Said(NamedTuple):
    """What has come of answers."""

    alerts: list[Alert]
    forecasts: list[Estimate]


class Judge:
    """Feeds rows to the models and keeps what they say."""

    def __init__(
        self,
        store: EdgeStore,
        progress: Progress,
        settings: EdgeSettings,
        models: Models,
        numbering: Numbering,
    ) -> None:
        self._store = store
        self._progress = progress
        self._settings = settings
        self._models = models
        self._numbering = numbering
        self._contracts = {contract.name: contract for contract in models.contracts}
        self._step_us = round(settings.step_s * 1e6)
        self.alarms = Alarms(
            settings.asset,
            settings.alarms.default,
            settings.alarms.by_tag,
            state=store.get(_ALARMS, AlarmsState),
            step_s=settings.step_s,
        )
        models.resume(self._answered, numbering)

    @property
    def _answered(self) -> int:
        return max(-1, self._numbering.number(self._progress.answered_us))

    def feed(self) -> bool:
        """Give the models the next closed rows; whether there were any."""
        first = self._models.needs
        first_us = self._numbering.time_us(first)
        end_us = self._progress.next_us or 0
        # Where nobody read anything for long, rows begin again somewhere behind.
        rows = self._store.table.read(first_us, min(end_us, first_us + _MOST * self._step_us))
        if not rows and first_us < end_us:
            rows = self._store.table.read(first_us, end_us)[:_MOST]
        self._models.feed(list(self._numbering.make_blocks(rows, first)))
        return bool(rows)

    def take(self) -> Said:
        """Keep what the models have answered. Called in a transaction."""
        answers = self._models.take()
        said = Said([], [])
        if answers is None or answers.done <= self._answered:
            return said
        new = [it for it in answers.estimates if it.sequence > self._answered]
        times_us = [self._numbering.time_us(estimate.sequence) for estimate in new]
        rows = self._read_rows(times_us)
        for time_us, estimate in zip(times_us, new, strict=True):
            if isinstance(estimate.answer, Forecast):
                self._keep_forecast(estimate, self._contracts[estimate.model])
                said.forecasts.append(estimate)
            elif isinstance(estimate.answer, Outlier) and time_us in rows:
                rows[time_us] = self._mark(rows[time_us], estimate)
                said.alerts.extend(self._watch(rows[time_us], estimate))
        self._store.table.write(list(rows.values()))
        self._progress.answered_us = self._numbering.time_us(answers.done)
        self._store.put(_ALARMS, self.alarms.state)
        if said.alerts:
            self._store.add_alerts(said.alerts)
            self._store.put(_UNTOLD, [*self.untold(), *said.alerts])
        return said

    def untold(self) -> list[Alert]:
        """Alerts that have not been written out."""
        return self._store.get(_UNTOLD, list[Alert]) or []

    def forget_told(self) -> None:
        """All of them have been. Called in a transaction."""
        self._store.put(_UNTOLD, [])

    def save_alarms(self) -> None:
        """Keep what a person has done to alarms. Called in a transaction."""
        self._store.put(_ALARMS, self.alarms.state)

    def _read_rows(self, times_us: Sequence[int]) -> dict[int, PlantRow]:
        if not times_us:
            return {}
        rows = self._store.table.read(min(times_us), max(times_us) + 1)
        return {row.time_us: row for row in rows}

    def _mark(self, row: PlantRow, estimate: Estimate) -> PlantRow:
        """The row with the stages of an answer."""
        said = {
            (item.detector, item.channel): -1 if item.stage is None else item.stage
            for item in estimate.outlier.stages
        }
        points = self._store.table.columns.points
        stages = tuple(said.get(point, old) for point, old in zip(points, row.stages, strict=True))
        return PlantRow(row.time_us, row.readings, row.predictions, stages, row.quality)

    def _watch(self, row: PlantRow, estimate: Estimate) -> list[Alert]:
        if OFF in row.quality:  # no sensor is at fault
            return []
        transitions = self.alarms.update(estimate)
        if self._settings.alerts.emit == "every":
            return alerts_every(estimate, self._settings.asset)
        return transitions

    def _keep_forecast(self, estimate: Estimate, contract: Contract) -> None:
        """Keep a forecast, and beside the rows to come what it says of them a day before."""
        self._store.add_forecast(estimate)
        if contract.forecast is None:
            return
        mean_us = round(contract.forecast.mean_s * 1e6)
        for point in estimate.forecast.points:
            if point.horizon_s != _DAY_S:
                continue
            end_us = estimate.window_end_us + round(point.horizon_s * 1e6) + self._step_us
            median = min(point.values, key=lambda pair: abs(pair[0] - 0.5))[1]
            self._store.add_next_day(point.channel, end_us - mean_us, end_us, median)
