"""From gRPC statuses back to our errors, and which of them a new connection may mend."""

import re

import grpc

from wearcast.signals.errors import (
    AccessError,
    ArtefactError,
    BusyError,
    FieldError,
    InputError,
    MismatchError,
    NotFoundError,
    ReplacedError,
    UnreachableError,
    WearcastError,
)

_FIELD_ERRORS: dict[str, type[FieldError]] = {
    "INVALID_ARGUMENT": InputError,
    "ALREADY_EXISTS": InputError,
    "ABORTED": InputError,
    "OUT_OF_RANGE": InputError,
    "FAILED_PRECONDITION": MismatchError,
    "NOT_FOUND": NotFoundError,
    "UNAUTHENTICATED": AccessError,
    "PERMISSION_DENIED": AccessError,
    "RESOURCE_EXHAUSTED": InputError,  # a message over the limit; what is busy has its own reason
}
_MESSAGE = re.compile(r"(?P<field>.+?): expected (?P<expected>.+), got (?P<got>.*)", re.DOTALL)
# How gRPC words a connection that was cut in the middle of a stream, whatever code it then picks.
_CUT = re.compile("stream removed|rst_stream|socket closed|connection reset", re.IGNORECASE)


class ServerError(WearcastError):
    """The server refused or failed in a way that has no error class of ours."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(f"the server answered {status}: {message}")
        self.status = status
        if status in _FIELD_ERRORS:
            self.exit_code = _FIELD_ERRORS[status].exit_code


def decode_error(error: grpc.RpcError, address: str) -> WearcastError:
    """The error that a server at an address answered with, or that kept it from answering."""
    status, message, reason = error.code().name, error.details() or "", _reason(error)
    if status in {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"} or _is_cut(message, reason):
        return UnreachableError(f"server {address}: {message or status}")
    if status == "UNIMPLEMENTED":
        return UnreachableError(f"server {address}: it is not wearcast's, or older: {message}")
    if reason == ReplacedError.reason:
        return ReplacedError(message)
    if status == "RESOURCE_EXHAUSTED" and reason == BusyError.reason:
        return BusyError(message)
    match = _MESSAGE.fullmatch(message)
    if match is None or status not in _FIELD_ERRORS:
        return ServerError(status, message)
    kind = ArtefactError if reason == ArtefactError.reason else _FIELD_ERRORS[status]
    return kind(match["field"], match["expected"], match["got"], reason=reason, status=status)


def is_passing(error: grpc.RpcError) -> bool:
    """Whether the same stream may succeed on a new connection."""
    status, message, reason = error.code().name, error.details() or "", _reason(error)
    return (
        status in {"UNAVAILABLE", "CANCELLED"}
        or (status == "RESOURCE_EXHAUSTED" and reason == BusyError.reason)
        or _is_cut(message, reason)
    )


def _is_cut(message: str, reason: str) -> bool:
    # A server of ours gives its reason, and may quote anything in its message.
    return not reason and bool(_CUT.search(message))


def _reason(error: grpc.RpcError) -> str:
    """The reason in the status's details; empty where there is none."""
    # Imported only when something went wrong: they would cost each program start.
    from google.rpc import error_details_pb2  # noqa: PLC0415
    from grpc_status import rpc_status  # noqa: PLC0415

    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            return str(info.reason)
        if detail.Unpack(request) and request.field_violations:
            return str(request.field_violations[0].reason)
    return ""
