"""The log on stderr: lines for people, or one JSON object a line."""

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

LogFormat = Literal["text", "json"]
# In the metadata of a call.
REQUEST_ID_KEY = "x-request-id"
# Of the call that is being answered; empty: none is.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

_FIELDS = ("method", "code", "duration_s", "reason", "peer", "holder")


def start_log(log_format: LogFormat) -> None:
    """Write what is logged from now on to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    if log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class JsonFormatter(logging.Formatter):
    """One JSON object: `time` (UTC), `level`, `logger`, `message`, and more where it applies.

    `request_id` of the call, `method`, `code`, `duration_s`; of one that was refused `reason`,
    `peer`, `holder`; `error`, the trace of an error.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        line |= {
            name: value for name in _FIELDS if (value := getattr(record, name, None)) is not None
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()
