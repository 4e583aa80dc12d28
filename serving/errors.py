"""Turns errors into gRPC statuses: ours with details, all others into INTERNAL and an id."""

import logging
import secrets
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from wearcast.serving.operations.logs import REQUEST_ID, REQUEST_ID_KEY
from wearcast.signals.errors import BusyError, FieldError, WearcastError

_LOG = logging.getLogger(__name__)
_DETAILS_KEY = "grpc-status-details-bin"
DOMAIN = "wearcast"
_TEXT_BYTES = 1000


async def end_call(context: Any, error: Exception, *, is_own: bool) -> None:  # noqa: ANN401
    """End a call in which an error was raised: with its status, if its client is still there.

    is_own: the method is one of ours, whose errors all become statuses; else gRPC sees to those
    that are not ours.
    """
    if isinstance(error, WearcastError):
        await abort(context, to_status(error))
    if not is_own:
        raise error
    # The client went away in the middle of an answer; it may be that only writing says so.
    if context.done() or isinstance(error, grpc.aio.InternalError):
        _LOG.info("a client went away")
        return
    await abort(context, status_of(error))


def status_of(error: Exception) -> status_pb2.Status:
    """The status of any error; one that is not ours goes to the log, where its id finds it."""
    if isinstance(error, WearcastError):
        return to_status(error)
    identity = secrets.token_hex(8)
    _LOG.error("error %s", identity, exc_info=error)
    text = f"internal error {identity}; the server's log has it under this id"
    return status_pb2.Status(code=code_pb2.INTERNAL, message=text)


def to_status(error: WearcastError) -> status_pb2.Status:
    """The status of an error of ours, with the reason and, where one is at fault, the field."""
    text = _shorten(str(error))
    status = status_pb2.Status(code=code_pb2.Code.Value(error.status), message=text)
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)]
    if isinstance(error, FieldError):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=text, reason=error.reason
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, BusyError) and error.retry_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMicroseconds(round(error.retry_s * 1e6))
        details.append(retry)
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _shorten(text: str) -> str:
    """A text that fits: clients drop a status of more than 8 kB, percent-encoded."""
    encoded = text.encode()
    if len(encoded) <= _TEXT_BYTES:
        return text
    return encoded[:_TEXT_BYTES].decode(errors="ignore") + "..."


async def abort(context: Any, status: status_pb2.Status) -> NoReturn:  # noqa: ANN401
    """End a call with a status, its details and its request id."""
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    told = ((REQUEST_ID_KEY, REQUEST_ID.get()), (_DETAILS_KEY, status.SerializeToString()))
    await context.abort(code, status.message, told)
    raise AssertionError  # abort raises
