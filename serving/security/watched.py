"""What small files hold, read again when they change while the server runs."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from wearcast.signals.errors import InputError

_LOG = logging.getLogger(__name__)
# What is taken away is gone within this time.
CHECK_S = 1.0

Value = TypeVar("Value")


class Watched(Generic[Value]):
    """What files hold now; a change that can't be used is told in the log, and the old stays.

    paths: by the name of the setting that gives them. make: from their contents, by the same names,
    to the value; raises InputError. Threads may share it.

    Raises:
        InputError: a file can't be read or used at first.
    """

    def __init__(
        self, paths: Mapping[str, Path], make: Callable[[dict[str, bytes]], Value]
    ) -> None:
        self._paths = paths
        self._make = make
        self._lock = threading.Lock()
        self._problem = ""
        self._contents = read_files(paths)
        self._value = make(self._contents)
        self._next_s = time.monotonic() + CHECK_S

    def get(self) -> Value:
        """The same object until a file has changed; looked for at most once in `CHECK_S`."""
        with self._lock:
            now_s = time.monotonic()
            if now_s >= self._next_s:
                self._next_s = now_s + CHECK_S
                self._look()
            return self._value

    def _look(self) -> None:
        # Contents are compared, not times: two changes within one tick of the clock are two.
        try:
            contents = read_files(self._paths)
            if contents != self._contents:
                self._value = self._make(contents)
                self._contents = contents
                _LOG.info("read again: %s", ", ".join(self._paths))
            self._problem = ""
        except InputError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                _LOG.warning("%s; what was read before stays in force", error)


def read_files(paths: Mapping[str, Path]) -> dict[str, bytes]:
    """The contents of files by the name of their settings.

    Raises:
        InputError: one can't be read.
    """
    contents = {}
    for field, path in paths.items():
        try:
            contents[field] = path.read_bytes()
        except OSError as error:
            got = f"{path}: {error.strerror}"
            raise InputError(field, "a readable file", got) from error
    return contents
