"""Every method of every service behind what all calls go through, in one layer.

A call is let in or refused by its metadata, before anything of it is read; it is followed, its
message is decoded, and what goes wrong ends it with a status. Interceptors could do the same, but
gRPC builds their handlers anew for each call, which costs more than most calls.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
import grpc.aio

from wearcast.serving.errors import abort, end_call, to_status
from wearcast.serving.malformed import be_lenient, check_decoded
from wearcast.serving.operations.calls import Calls
from wearcast.serving.security.gate import Gate
from wearcast.signals.errors import WearcastError

Behaviour = Callable[[Any, Any], Awaitable[Any]]


class Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Takes the methods of services as a server would, and gives them to the real one.

    own: names of the services whose errors become statuses here; the others see to theirs.
    """

    def __init__(self, calls: Calls, gate: Gate, own: tuple[str, ...]) -> None:
        self._calls = calls
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
        try:
            self._gate.check(method, metadata)
        except WearcastError as error:
            return self._refuse(method, error)
        handler = self._handlers.get(method)
        if handler is None:
            self._calls.count_unknown(method)
        return handler

    def _refuse(self, method: str, error: WearcastError) -> grpc.RpcMethodHandler:
        """A handler that reads nothing of the call; of this kind it fits calls of all kinds."""

        async def refuse(_requests: Any, context: Any) -> None:  # noqa: ANN401
            with self._calls.follow(method, context):
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
        follow = self._calls.follow

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
        checked: Callable[[Any, Callable[[], None]], Any],
        *,
        is_own: bool,
    ) -> Behaviour:
        """With a place for the stream, and a look at its token with each message."""

        async def stream(request: Any, context: Any) -> None:  # noqa: ANN401
            check = self._gate.make_check(method, context.invocation_metadata() or ())
            with self._calls.follow(method, context, is_stream=True):
                try:
                    with self._gate.place(method, context.peer()):
                        await behaviour(checked(request, check), context)
                except Exception as error:  # noqa: BLE001
                    await end_call(context, error, is_own=is_own)

        return stream


def _as_coroutine(behaviour: Any) -> Behaviour:  # noqa: ANN401
    if not inspect.isasyncgenfunction(behaviour):
        return behaviour  # type: ignore[no-any-return]

    async def write_all(request: Any, context: Any) -> None:  # noqa: ANN401
        async for response in behaviour(request, context):
            await context.write(response)

    return write_all


def _check_one(request: Any, _check: Callable[[], None]) -> Any:  # noqa: ANN401
    return check_decoded(request)


async def _check_each(
    requests: AsyncIterator[Any], check: Callable[[], None]
) -> AsyncIterator[Any]:
    """What came before a message that is none is answered first."""
    async for request in requests:
        check()
        yield check_decoded(request)
