"""Models trained anew on a schedule, in a process of its own, while the service goes on."""

import logging
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress

from wearcast.clients.edge.models import Models
from wearcast.clients.edge.progress import Progress
from wearcast.clients.edge.settings import EdgeSettings
from wearcast.signals.errors import WearcastError

_LOG = logging.getLogger(__name__)
_DAY_US = 86_400_000_000
_PATIENCE_S = 5.0
_LAST_CHARACTERS = 2_000


class Retrainer:
    """Starts the command when it is time, one at a time; asked each turn, it never waits for it.

    command: trains, and leaves new versions where open_models finds them. open_models: gives the
    newest ones, checked. process: what is going on; None: nothing. problem: why the last time
    failed, in words; the old models go on, and it is tried again after a day.
    """

    def __init__(
        self, settings: EdgeSettings, command: Sequence[str], open_models: Callable[[], Models]
    ) -> None:
        self.problem = ""
        self._command = list(command)
        self._open_models = open_models
        self._every_us = round(settings.schedule.retrain_days * _DAY_US)
        self._replays = settings.clock == "readings"
        self.process: subprocess.Popen[bytes] | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as this is
        self._not_before_us = 0

    def turn(self, progress: Progress, now_us: int) -> Models | None:
        """Do what is due; new models, once there are some: `progress` says so then."""
        if self._replays:  # time is that of the rows
            now_us = progress.next_us or 0
        if self.process is None:
            if self._is_due(progress, now_us):
                self._begin(now_us)
            return None
        code = self.process.poll()
        if code is None:
            return None
        self.process = None
        if code:
            self._tell(f"training failed: {self._read_output() or f'exit code {code}'}")
            self._not_before_us = now_us + _DAY_US
            return None
        try:
            models = self._open_models()
        except WearcastError as error:
            self._tell(f"models trained anew can't be used now: {error}")
            self._not_before_us = now_us + _DAY_US
            return None
        progress.retrained_us = now_us
        self.problem = ""
        names = ", ".join(f"{it.name}/{it.version}" for it in models.contracts)
        _LOG.info("models trained anew: %s", names)
        return models

    def close(self) -> None:
        """End what is going on."""
        process, self.process = self.process, None
        if process is not None:
            self._end(process, signal.SIGTERM)
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._end(process, signal.SIGKILL)
                process.wait()
        self._output.close()

    def _is_due(self, progress: Progress, now_us: int) -> bool:
        if progress.next_us is None or progress.origin_us is None:
            return False
        began_us = progress.origin_us if self._replays else progress.began_us
        due_us = (progress.retrained_us or began_us) + self._every_us
        return now_us >= max(due_us, self._not_before_us)

    def _begin(self, now_us: int) -> None:
        self._output.seek(0)
        self._output.truncate()
        try:
            self.process = subprocess.Popen(  # noqa: S603 - ours, and no shell
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._output,
                start_new_session=True,
            )
        except OSError as error:
            self._tell(f"training failed: {error}")
            self._not_before_us = now_us + _DAY_US
        else:
            _LOG.info("training models anew")

    def _tell(self, problem: str) -> None:
        self.problem = problem
        _LOG.error("%s; the models in use go on", problem)

    def _end(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # with all that it has started
            os.killpg(process.pid, number)

    def _read_output(self) -> str:
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _LAST_CHARACTERS))
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("wearcast: ") if lines else ""
