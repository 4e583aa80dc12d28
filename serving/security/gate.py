"""What stands before every method of every service: tokens, roles, and room for streams."""

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio

from wearcast.serving.errors import abort, to_status
from wearcast.serving.live import DrainingError
from wearcast.serving.security.access import check_access
from wearcast.serving.security.roles import role_of
from wearcast.serving.security.streams import StreamLimit
from wearcast.serving.security.tokens import Holders
from wearcast.serving.security.watched import Watched
from wearcast.signals.errors import WearcastError

# Of what is open to everyone; health has places of its own, for it must never wait.
_OPEN_PER_CONNECTION = 16

Check = Callable[[], None]


class Gate(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Must come before what does anything, so that nothing is done for who may not call.

    tokens: who may call what; None: everyone everything. A stream whose token is taken away, or
    loses the role, ends at its client's next message.
    """

    def __init__(
        self,
        tokens: Watched[Holders] | None,
        *,
        max_streams: int,
        max_streams_per_connection: int,
    ) -> None:
        self._tokens = tokens
        self._streams = StreamLimit(max_streams, max_streams_per_connection)
        self._open_streams = StreamLimit(max_streams, _OPEN_PER_CONNECTION)
        self._draining = False

    def drain(self) -> None:
        """Let no call in any more, but for what is open to everyone."""
        self._draining = True

    async def intercept_service(self, continuation: Any, details: Any) -> Any:  # noqa: ANN401
        """Give the method's handler, behind the gate."""
        method = details.method
        check = self._make_check(method, details.invocation_metadata or ())
        try:
            check()
        except WearcastError as error:
            return _refuse(error)
        if self._draining and role_of(method) is not None:
            return _refuse(DrainingError())
        handler = await continuation(details)
        if handler is None or not (handler.request_streaming or handler.response_streaming):
            return handler
        limit = self._open_streams if role_of(method) is None else self._streams
        return _limit(handler, limit, check)

    def _make_check(self, method: str, metadata: Any) -> Check:  # noqa: ANN401
        tokens, seen = self._tokens, None

        def check() -> None:
            nonlocal seen
            if tokens is not None and (holders := tokens.get()) is not seen:
                check_access(holders, method, metadata)
                seen = holders

        return check


def _refuse(error: WearcastError) -> grpc.RpcMethodHandler:
    """A handler that reads nothing of the call; of this kind it fits calls of all kinds."""

    async def refuse(_requests: Any, context: Any) -> None:  # noqa: ANN401
        await abort(context, to_status(error))

    return grpc.stream_stream_rpc_method_handler(refuse)


def _limit(handler: Any, limit: StreamLimit, check: Check) -> Any:  # noqa: ANN401
    """The handler of a stream, with a place for each call and a check for each message."""
    behaviour = handler.stream_stream or handler.unary_stream or handler.stream_unary

    def checked(request: Any) -> Any:  # noqa: ANN401
        return _check_each(request, check) if handler.request_streaming else request

    async def run(request: Any, context: Any) -> Any:  # noqa: ANN401
        try:
            with limit.place(context.peer()):
                return await behaviour(checked(request), context)
        except WearcastError as error:
            await abort(context, to_status(error))

    async def generate(request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        try:
            with limit.place(context.peer()):
                async for response in behaviour(checked(request), context):
                    yield response
        except WearcastError as error:
            await abort(context, to_status(error))

    wrapped = generate if inspect.isasyncgenfunction(behaviour) else run
    codecs = (handler.request_deserializer, handler.response_serializer)
    if handler.stream_stream:
        return grpc.stream_stream_rpc_method_handler(wrapped, *codecs)
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(wrapped, *codecs)
    return grpc.stream_unary_rpc_method_handler(wrapped, *codecs)


async def _check_each(requests: AsyncIterator[Any], check: Check) -> AsyncIterator[Any]:
    async for request in requests:
        check()
        yield request
