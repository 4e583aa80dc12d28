"""What is done around each call, of whichever kind: counting it, tracing it."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Any

import grpc

from wearcast.serving.security.roles import METHODS

Around = Callable[[Any], AbstractContextManager[None]]


def follow(handler: Any, around: Around) -> Any:  # noqa: ANN401
    """A handler like another, each of whose calls runs within `around(context)`."""
    if handler.unary_unary:
        behaviour, make = handler.unary_unary, grpc.unary_unary_rpc_method_handler
    elif handler.unary_stream:
        behaviour, make = handler.unary_stream, grpc.unary_stream_rpc_method_handler
    elif handler.stream_unary:
        behaviour, make = handler.stream_unary, grpc.stream_unary_rpc_method_handler
    else:
        behaviour, make = handler.stream_stream, grpc.stream_stream_rpc_method_handler

    async def run(request: Any, context: Any) -> Any:  # noqa: ANN401
        with around(context):
            return await behaviour(request, context)

    async def generate(request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        with around(context):
            async for response in behaviour(request, context):
                yield response

    followed = generate if inspect.isasyncgenfunction(behaviour) else run
    return make(followed, handler.request_deserializer, handler.response_serializer)


def name_call(method: str) -> tuple[str, str]:
    """Service and method; what a client makes up is one name, not one each."""
    if method not in METHODS:
        return ("other", "other")
    _, service, name = method.split("/")
    return service, name


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
