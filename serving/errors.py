"""Turns errors into gRPC statuses: ours with details, all others into INTERNAL and an id."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2

from wearcast.signals.errors import FieldError, WearcastError

_LOG = logging.getLogger(__name__)
_DETAILS_KEY = "grpc-status-details-bin"
DOMAIN = "wearcast"

Behaviour = Callable[[Any, Any], Awaitable[Any]]


class StatusInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Wraps the methods of one service, all of them coroutines (request, context)."""

    def __init__(self, service: str) -> None:
        self._prefix = f"/{service}/"

    async def intercept_service(self, continuation: Any, details: Any) -> Any:  # noqa: ANN401
        """Give the method's handler, wrapped."""
        handler = await continuation(details)
        if handler is None or not details.method.startswith(self._prefix):
            return handler
        codecs = (handler.request_deserializer, handler.response_serializer)
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(_guard(handler.unary_unary), *codecs)
        return grpc.stream_stream_rpc_method_handler(_guard(handler.stream_stream), *codecs)


def _guard(behaviour: Behaviour) -> Behaviour:
    async def guarded(request: Any, context: Any) -> Any:  # noqa: ANN401
        try:
            return await behaviour(request, context)
        except WearcastError as error:
            await _abort(context, to_status(error))
        except Exception:  # noqa: BLE001
            if context.done():  # the client went away in the middle of an answer
                _LOG.info("a client went away")
                return None
            identity = secrets.token_hex(8)
            _LOG.exception("error %s", identity)
            text = f"internal error {identity}; the server's log has it under this id"
            await _abort(context, status_pb2.Status(code=code_pb2.INTERNAL, message=text))

    return guarded


def to_status(error: WearcastError) -> status_pb2.Status:
    """The status of an error of ours, with the reason and, where one is at fault, the field."""
    text = str(error)
    status = status_pb2.Status(code=code_pb2.Code.Value(error.status), message=text)
    details = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)]
    if isinstance(error, FieldError):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=text, reason=error.reason
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


async def _abort(context: Any, status: status_pb2.Status) -> NoReturn:  # noqa: ANN401
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    metadata = ((_DETAILS_KEY, status.SerializeToString()),)
    await context.abort(code, status.message, metadata)
    raise AssertionError  # abort raises
