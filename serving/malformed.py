"""Bytes that are no message: INVALID_ARGUMENT, where gRPC itself would say UNKNOWN."""

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from wearcast.serving.errors import abort, to_status
from wearcast.signals.errors import InputError, WearcastError

_MALFORMED = object()

Decode = Callable[[bytes], Any]


class MalformedInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Wraps the methods of all services; in a stream, what came before is answered first."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:  # noqa: ANN401
        """Give the method's handler, wrapped."""
        handler = await continuation(details)
        if handler is None or handler.request_deserializer is None:
            return handler
        codecs = (_be_lenient(handler.request_deserializer), handler.response_serializer)
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(_check_one(handler.unary_unary), *codecs)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(_check_one(handler.unary_stream), *codecs)
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(_check_all(handler.stream_unary), *codecs)
        return grpc.stream_stream_rpc_method_handler(_check_all(handler.stream_stream), *codecs)


def _be_lenient(decode: Decode) -> Decode:
    """What raises in here ends a call before anything of ours hears of it."""

    def be_lenient(content: bytes) -> Any:  # noqa: ANN401
        try:
            return decode(content)
        except DecodeError:
            return _MALFORMED

    return be_lenient


def _check(request: Any) -> Any:  # noqa: ANN401
    if request is _MALFORMED:
        raise InputError(
            "message", "one of the method's", "bytes that are none", reason="MALFORMED"
        )
    return request


def _check_one(behaviour: Any) -> Any:  # noqa: ANN401
    return _wrap(behaviour, _check)


def _check_all(behaviour: Any) -> Any:  # noqa: ANN401
    async def check_each(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            yield _check(request)

    return _wrap(behaviour, check_each)


def _wrap(behaviour: Any, check: Callable[[Any], Any]) -> Any:  # noqa: ANN401
    async def run(request: Any, context: Any) -> Any:  # noqa: ANN401
        try:
            return await behaviour(check(request), context)
        except WearcastError as error:
            await abort(context, to_status(error))

    async def generate(request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        try:
            async for response in behaviour(check(request), context):
                yield response
        except WearcastError as error:
            await abort(context, to_status(error))

    return generate if inspect.isasyncgenfunction(behaviour) else run
