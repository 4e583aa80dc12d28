"""Every method of every service behind what all calls go through, in one layer.

A call is let in or refused by its metadata, before anything of it is read; it is followed, its
message is decoded, and what goes wrong ends it with a status. Interceptors could do the same, but
gRPC builds their handlers anew for each call, which costs more than most calls.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import grpc
import grpc.aio

from wearcast.serving.errors import abort, end_call, to_status
from wearcast.serving.malformed import be_lenient, check_decoded
from wearcast.serving.operations.calls import Calls
from wearcast.serving.security.gate import Caller, Gate
from wearcast.signals.errors import WearcastError

Trace = Callable[[str, Any], AbstractContextManager[None]]
Behaviour = Callable[[Any, Any], Awaitable[Any]]


class Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Takes the methods of services as a server would, and gives them to the real one.

    trace: what traces a call, given its method and context. own: names of the services whose errors
    become statuses here; the others see to theirs.
    """

    def __init__(self, calls: Calls, trace: Trace | None, gate: Gate, own: tuple[str, ...]) -> None:
        self._calls = calls
        self._trace = trace
        self._gate = gate
        self._own = own
        self._handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Nothing: what generated code adds here it adds below too."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Take the methods of a service."""
        for name, handler in handlers.items():
            method = f"/{service}/{name}"
            self._handlers[method] = self._wrap(method, handler, is_own=service in self._own)

    def service(self, details: Any) -> Any:  # noqa: ANN401
        """The handler of a call; None where there is no such method."""
        method, metadata = details.method, details.invocation_metadata or ()
        self._calls.begin(metadata)
        caller = self._gate.find_caller(method, metadata)
        try:
            self._gate.check(caller)
        except WearcastError as error:
            return self._refuse(caller, error)
        handler = self._handlers.get(method)
        if handler is None:
            self._calls.count_unknown(method)
        return handler

    def _refuse(self, caller: Caller, error: WearcastError) -> grpc.RpcMethodHandler:
        """A handler that reads nothing of the call; of this kind it fits calls of all kinds."""

        async def refuse(_requests: Any, context: Any) -> None:  # noqa: ANN401
            with self._follow(caller.method, context):
                caller.be_refused(context, error)
                await abort(context, to_status(error))

        return grpc.stream_stream_rpc_method_handler(refuse)

    def _wrap(self, method: str, handler: Any, *, is_own: bool) -> grpc.RpcMethodHandler:  # noqa: ANN401
        decode, encode = be_lenient(handler.request_deserializer), handler.response_serializer
        if handler.unary_unary:
            answer = self._wrap_call(method, handler.unary_unary, is_own=is_own)
            return grpc.unary_unary_rpc_method_handler(answer, decode, encode)
        behaviour = _as_coroutine(handler.unary_stream or handler.stream_stream)
        if handler.unary_stream:
            stream = self._wrap_stream(method, behaviour, _check_one, is_own=is_own)
            return grpc.unary_stream_rpc_method_handler(stream, decode, encode)
        stream = self._wrap_stream(method, behaviour, _check_each, is_own=is_own)
        return grpc.stream_stream_rpc_method_handler(stream, decode, encode)

    def _wrap_call(self, method: str, behaviour: Behaviour, *, is_own: bool) -> Behaviour:
        follow = self._follow

        async def answer(request: Any, context: Any) -> Any:  # noqa: ANN401
            with follow(method, context):
                try:
                    return await behaviour(check_decoded(request), context)
                except Exception as error:  # noqa: BLE001
                    await end_call(context, error, is_own=is_own)

        return answer

    def _wrap_stream(
        self,
        method: str,
        behaviour: Behaviour,
        checked: Callable[[Caller, Any, Any], Any],
        *,
        is_own: bool,
    ) -> Behaviour:
        """With a place for the stream, and a look at its token with each message."""

        async def stream(request: Any, context: Any) -> None:  # noqa: ANN401
            caller = self._gate.find_caller(method, context.invocation_metadata() or ())
            with self._follow(method, context, is_stream=True):
                try:
                    caller.check_again(context)
                    with self._gate.place(caller, context):
                        await behaviour(checked(caller, request, context), context)
                except Exception as error:  # noqa: BLE001
                    await end_call(context, error, is_own=is_own)

        return stream

    def _follow(
        self,
        method: str,
        context: Any,  # noqa: ANN401
        *,
        is_stream: bool = False,
    ) -> AbstractContextManager[None]:
        followed = self._calls.follow(method, context, is_stream=is_stream)
        if self._trace is None:
            return followed
        return _both(followed, self._trace(method, context))


@contextmanager
def _both(
    outer: AbstractContextManager[None], inner: AbstractContextManager[None]
) -> Iterator[None]:
    with outer, inner:
        yield


def _as_coroutine(behaviour: Any) -> Behaviour:  # noqa: ANN401
    if not inspect.isasyncgenfunction(behaviour):
        return behaviour  # type: ignore[no-any-return]

    async def write_all(request: Any, context: Any) -> None:  # noqa: ANN401
        async for response in behaviour(request, context):
            await context.write(response)

    return write_all


def _check_one(_caller: Caller, request: Any, _context: Any) -> Any:  # noqa: ANN401
    return check_decoded(request)


async def _check_each(
    caller: Caller,
    requests: AsyncIterator[Any],
    context: Any,  # noqa: ANN401
) -> AsyncIterator[Any]:
    """What came before a message that is none is answered first."""
    async for request in requests:
        caller.check_again(context)
        yield check_decoded(request)
