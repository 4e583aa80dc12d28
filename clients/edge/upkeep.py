"""Keeps the store small: old history goes, once a day, and the file gives back what it held."""

import logging

from wearcast.clients.edge.progress import Progress
from wearcast.clients.edge.settings import EdgeSettings
from wearcast.clients.edge.store.edge_store import EdgeStore

_LOG = logging.getLogger(__name__)
_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_MOST_DAYS = 31


class Upkeep:
    """Purges and tidies."""

    def __init__(self, store: EdgeStore, progress: Progress, settings: EdgeSettings) -> None:
        self._store = store
        self._progress = progress
        self._keep_us = round(settings.store.keep_days * _DAY_US)
        self._maintained_us = 0

    def purge(self, now_us: int) -> None:
        """Once a day: forget what is older than it has to be. Called in a transaction."""
        now_us = self._limit(now_us)
        days = now_us // _DAY_US - self._progress.kept_us // _DAY_US
        if not days:
            return
        self._progress.kept_us = now_us
        # A clock that leaps may be wrong, and right again tomorrow.
        if not 0 < days <= _MOST_DAYS:
            return
        gone = self._store.purge(now_us - self._keep_us)
        if gone:
            _LOG.info("purged %d entries older than %g days", gone, self._keep_us / _DAY_US)

    def maintain(self, now_us: int) -> None:
        """Each hour: write the log of the database back into its file, and give free pages back."""
        now_us = self._limit(now_us)
        if now_us - self._maintained_us >= _HOUR_US:
            self._maintained_us = now_us
            self._store.maintain()

    def _limit(self, now_us: int) -> int:
        """A record that is caught up with is not history before it has become rows."""
        return min(now_us, self._progress.next_us or 0)
