"""What a call is called, and how it ended, in metrics, log and traces."""

import asyncio
from functools import cache
from typing import Any

import grpc

from wearcast.serving.security.roles import METHODS


@cache
def _name_known(method: str) -> tuple[str, str]:
    _, service, name = method.split("/")
    return service, name


def name_call(method: str) -> tuple[str, str]:
    """Service and method; what a client makes up is one name, not one each.

    >>> name_call("/wearcast.v1.IngestService/Ingest"), name_call("/what.nobody/HasListed")
    (('wearcast.v1.IngestService', 'Ingest'), ('other', 'other'))
    """
    return _name_known(method) if method in METHODS else ("other", "other")


def find_code(context: Any, error: BaseException | None) -> str:  # noqa: ANN401
    """The name of the status that the client gets, or would have got."""
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)) or (
        error is None and context.done()
    ):
        left_s = context.time_remaining()
        return "CANCELLED" if left_s is None or left_s > 0 else "DEADLINE_EXCEEDED"
    # A number until somebody sets one.
    code = context.code() or grpc.StatusCode.OK
    return "UNKNOWN" if error is not None and code is grpc.StatusCode.OK else str(code.name)
