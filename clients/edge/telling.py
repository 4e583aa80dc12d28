"""Writes alerts out, a line of JSON each: to standard output, or at the end of a file."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO

from wearcast.clients.edge.settings import EdgeSettings
from wearcast.signals.alert_formats import encode_alert
from wearcast.signals.alerts import Alert
from wearcast.signals.errors import StoreError


class AlertWriter:
    """Call it with alerts; they are on disk when it returns."""

    def __init__(self, settings: EdgeSettings) -> None:
        self._file = settings.alerts.file
        self._form = settings.alerts.format
        number = settings.machine_number
        self._machine_number = settings.asset if number is None else number

    def __call__(self, alerts: Sequence[Alert]) -> None:
        """Write alerts.

        Raises:
            StoreError: they can't be written now; none of them counts as told.
        """
        text = b"".join(encode_alert(it, self._form, self._machine_number) for it in alerts)
        try:
            if self._file is None:
                sys.stdout.buffer.write(text)
                sys.stdout.flush()
                return
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab", buffering=0) as file:
                self._append(file, text)
        except OSError as error:
            place = self._file or "standard output"
            raise StoreError(f"alerts: {place}: {error.strerror}") from error

    def _append(self, file: FileIO, text: bytes) -> None:
        before = file.seek(0, os.SEEK_END)
        left = memoryview(text)
        try:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):  # half a line would spoil the next one
                file.truncate(before)
            raise
