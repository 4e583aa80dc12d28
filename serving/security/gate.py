"""What stands before every method of every service: tokens, roles, and room for streams."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from wearcast.serving.errors import abort, to_status
from wearcast.serving.live import DrainingError
from wearcast.serving.security.access import check_role, find_caller
from wearcast.serving.security.audit import Audit
from wearcast.serving.security.roles import role_of
from wearcast.serving.security.streams import StreamLimit
from wearcast.serving.security.tokens import Holders
from wearcast.serving.security.watched import Watched
from wearcast.signals.errors import WearcastError

# Of what is open to everyone; health has places of its own, for it must never wait.
_OPEN_PER_CONNECTION = 16


class Gate(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Must come before what does anything, so that nothing is done for who may not call.

    tokens: who may call what; None: everyone everything. A stream whose token is taken away, or
    loses the role, ends at its client's next message. audit: hears of each call that is refused.
    """

    def __init__(
        self,
        tokens: Watched[Holders] | None,
        audit: Audit,
        *,
        max_streams: int,
        max_streams_per_connection: int,
    ) -> None:
        self._tokens = tokens
        self._audit = audit
        self._streams = StreamLimit(max_streams, max_streams_per_connection)
        self._open_streams = StreamLimit(max_streams, _OPEN_PER_CONNECTION)
        self._draining = False

    def drain(self) -> None:
        """Let no call in any more, but for what is open to everyone."""
        self._draining = True

    async def intercept_service(self, continuation: Any, details: Any) -> Any:  # noqa: ANN401
        """Give the method's handler, behind the gate."""
        method = details.method
        call = _Call(self._tokens, self._audit, method, details.invocation_metadata or ())
        try:
            call.check()
        except WearcastError as error:
            return _answer(call.refuse, error)
        if self._draining and role_of(method) is not None:
            return _answer(_abort, DrainingError())
        handler = await continuation(details)
        if handler is None or not (handler.request_streaming or handler.response_streaming):
            return handler
        limit = self._open_streams if role_of(method) is None else self._streams
        return _limit(handler, limit, call)


class _Call:
    """One call and whose it is, as far as that is known."""

    def __init__(
        self,
        tokens: Watched[Holders] | None,
        audit: Audit,
        method: str,
        metadata: Any,  # noqa: ANN401
    ) -> None:
        self._tokens = tokens
        self._audit = audit
        self._method = method
        self._metadata = metadata
        self._seen: Holders | None = None
        self._holder = ""
        self._told = False

    def check(self) -> None:
        """Whether it may be made, or go on; looks again only where the tokens have changed.

        Raises:
            AccessError: it may not.
        """
        if self._tokens is None or (holders := self._tokens.get()) is self._seen:
            return
        role = role_of(self._method)
        if role is not None:
            holder = find_caller(holders, self._metadata)
            self._holder = holder.name
            check_role(holder, role, self._method)
        self._seen = holders

    async def check_each(
        self,
        requests: AsyncIterator[Any],
        context: Any,  # noqa: ANN401
    ) -> AsyncIterator[Any]:
        """The requests of a stream, as long as it may go on."""
        async for request in requests:
            try:
                self.check()
            except WearcastError as error:
                self._tell(context, error)
                raise
            yield request

    async def refuse(self, context: Any, error: WearcastError) -> None:  # noqa: ANN401
        """End it with an error."""
        self._tell(context, error)
        await _abort(context, error)

    def _tell(self, context: Any, error: WearcastError) -> None:  # noqa: ANN401
        if not self._told:  # what ends a stream may pass by here twice
            self._told = True
            self._audit.refused(error, self._method, context.peer(), self._holder)


async def _abort(context: Any, error: WearcastError) -> None:  # noqa: ANN401
    await abort(context, to_status(error))


def _answer(
    refuse: Callable[[Any, WearcastError], Awaitable[None]], error: WearcastError
) -> grpc.RpcMethodHandler:
    """A handler that reads nothing of the call; of this kind it fits calls of all kinds."""

    async def answer(_requests: Any, context: Any) -> None:  # noqa: ANN401
        await refuse(context, error)

    return grpc.stream_stream_rpc_method_handler(answer)


def _limit(handler: Any, limit: StreamLimit, call: _Call) -> Any:  # noqa: ANN401
    """The handler of a stream, with a place for each call and a check for each message."""
    behaviour = handler.stream_stream or handler.unary_stream or handler.stream_unary

    def checked(request: Any, context: Any) -> Any:  # noqa: ANN401
        return call.check_each(request, context) if handler.request_streaming else request

    async def run(request: Any, context: Any) -> Any:  # noqa: ANN401
        try:
            with limit.place(context.peer()):
                return await behaviour(checked(request, context), context)
        except WearcastError as error:
            await call.refuse(context, error)

    async def generate(request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        try:
            with limit.place(context.peer()):
                async for response in behaviour(checked(request, context), context):
                    yield response
        except WearcastError as error:
            await call.refuse(context, error)

    wrapped = generate if inspect.isasyncgenfunction(behaviour) else run
    codecs = (handler.request_deserializer, handler.response_serializer)
    if handler.stream_stream:
        return grpc.stream_stream_rpc_method_handler(wrapped, *codecs)
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(wrapped, *codecs)
    return grpc.stream_unary_rpc_method_handler(wrapped, *codecs)
