"""Bounds of usual readings by channel: fitted to the rows that are kept, now and then anew.

They are Tukey's fences, Q1 - 1.5 IQR and Q3 + 1.5 IQR, as in `wearcast clean`. A reading outside
them is kept, judged and sent like any other; its row carries the flag OUTSIDE.
"""

import logging

import numpy as np

from wearcast.clients.edge.progress import Progress
from wearcast.clients.edge.settings import EdgeSettings
from wearcast.clients.edge.store.edge_store import EdgeStore

_LOG = logging.getLogger(__name__)
_BOUNDS = "bounds"
_DAY_US = 86_400_000_000
# Source: Tukey, Exploratory Data Analysis (1977).
_FENCE = 1.5
# Fewer rows than a day has minutes do not tell what is usual.
_FEWEST = 1440
_PAGE_US = 7 * _DAY_US


class Criteria:
    """The bounds in force. `refresh` is called in a transaction."""

    def __init__(self, store: EdgeStore, progress: Progress, settings: EdgeSettings) -> None:
        self._store = store
        self._progress = progress
        self._channels = list(settings.channels)
        self._every_us = round(settings.schedule.criteria_days * _DAY_US)
        self._look_back_us = round(settings.store.keep_days * _DAY_US)
        self.bounds = store.get(_BOUNDS, dict[str, tuple[float, float]]) or {}

    def refresh(self) -> bool:
        """Fit anew if it is time; the first time once a day has been seen. Whether it was done."""
        progress = self._progress
        if progress.origin_us is None or progress.next_us is None:
            return False
        due_us = progress.criteria_us + self._every_us
        if not progress.criteria_us:
            due_us = progress.origin_us + _DAY_US
        if progress.next_us < due_us:
            return False
        progress.criteria_us = progress.next_us
        # Where too little was read to tell, the old ones stay in force.
        self.bounds = self.bounds | self._fit(progress.next_us)
        self._store.put(_BOUNDS, self.bounds)
        shown = [f"{name} {low:.4g} to {high:.4g}" for name, (low, high) in self.bounds.items()]
        _LOG.info("bounds of usual readings: %s", ", ".join(shown) or "none, too few rows")
        return True

    def _fit(self, end_us: int) -> dict[str, tuple[float, float]]:
        columns: list[list[float]] = [[] for _ in self._channels]
        first_us = self._progress.origin_us or 0
        for page_us in range(max(first_us, end_us - self._look_back_us), end_us, _PAGE_US):
            for row in self._store.table.read(page_us, min(page_us + _PAGE_US, end_us)):
                for column, value in zip(columns, row.readings, strict=True):
                    if value is not None:
                        column.append(value)
        bounds = {}
        for channel, column in zip(self._channels, columns, strict=True):
            if len(column) >= _FEWEST // 2:
                low, high = np.quantile(column, [0.25, 0.75])
                reach = _FENCE * (high - low)
                bounds[channel] = (float(low - reach), float(high + reach))
        return bounds
