"""What stands before every method of every service: tokens, roles, and room for streams."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from wearcast.serving.live import DrainingError
from wearcast.serving.security.access import check_role, find_caller
from wearcast.serving.security.audit import Audit
from wearcast.serving.security.roles import role_of
from wearcast.serving.security.streams import StreamLimit
from wearcast.serving.security.tokens import Holders
from wearcast.serving.security.watched import Watched
from wearcast.signals.errors import AccessError, BusyError, WearcastError

# Of what is open to everyone; health has places of its own, for it must never wait.
_OPEN_PER_CONNECTION = 16


class Gate:
    """Asked before anything is done for a call.

    tokens: who may call what; None: everyone everything. audit: hears of each call that is refused.
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

    def find_caller(self, method: str, metadata: Any) -> "Caller":  # noqa: ANN401
        """Who makes a call."""
        return Caller(self._tokens, self._audit, method, metadata)

    def check(self, caller: "Caller") -> None:
        """Let a call in.

        Raises:
            AccessError: its token does not allow it.
            DrainingError: the server is going away.
        """
        caller.check()
        if self._draining and role_of(caller.method) is not None:
            raise DrainingError

    @contextmanager
    def place(self, caller: "Caller", context: Any) -> Iterator[None]:  # noqa: ANN401
        """Hold a stream's place while the block runs.

        Raises:
            BusyError: there is none left.
        """
        limit = self._open_streams if role_of(caller.method) is None else self._streams
        with ExitStack() as stack:
            try:
                stack.enter_context(limit.place(context.peer()))
            except BusyError as error:
                caller.be_refused(context, error)
                raise
            yield


class Caller:
    """Who makes one call, as far as that is known.

    A stream whose token is taken away, or loses the role, ends at its client's next message.
    """

    __slots__ = ("_audit", "_holder", "_metadata", "_seen", "_tokens", "method")

    def __init__(
        self,
        tokens: Watched[Holders] | None,
        audit: Audit,
        method: str,
        metadata: Any,  # noqa: ANN401
    ) -> None:
        self.method = method
        self._tokens = tokens
        self._audit = audit
        self._metadata = metadata
        self._seen: Holders | None = None
        self._holder = ""

    def check(self) -> None:
        """Whether it may be made, or go on; looks again only where the tokens have changed.

        Raises:
            AccessError: it may not.
        """
        if self._tokens is None or (holders := self._tokens.get()) is self._seen:
            return
        role = role_of(self.method)
        if role is not None:
            holder = find_caller(holders, self._metadata)
            self._holder = holder.name
            check_role(holder, role, self.method)
        self._seen = holders

    def check_again(self, context: Any) -> None:  # noqa: ANN401
        """Whether its stream may go on; the audit hears of it if not.

        Raises:
            AccessError: it may not.
        """
        try:
            self.check()
        except AccessError as error:
            self.be_refused(context, error)
            raise

    def be_refused(self, context: Any, error: WearcastError) -> None:  # noqa: ANN401
        """Tell the audit, unless it is the server that goes away."""
        if not isinstance(error, DrainingError):
            self._audit.refused(error, self.method, context.peer(), self._holder)
