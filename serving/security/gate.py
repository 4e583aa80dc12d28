"""What stands before every method of every service: tokens, roles, and room for streams."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from wearcast.serving.live import DrainingError
from wearcast.serving.security.access import check_access
from wearcast.serving.security.roles import role_of
from wearcast.serving.security.streams import StreamLimit
from wearcast.serving.security.tokens import Holders
from wearcast.serving.security.watched import Watched

# Of what is open to everyone; health has places of its own, for it must never wait.
_OPEN_PER_CONNECTION = 16


class Gate:
    """Asked before anything is done for a call.

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

    def check(self, method: str, metadata: Any) -> None:  # noqa: ANN401
        """Let a call in.

        Raises:
            AccessError: its token does not allow it.
            DrainingError: the server is going away.
        """
        if self._tokens is not None:
            check_access(self._tokens.get(), method, metadata)
        if self._draining and role_of(method) is not None:
            raise DrainingError

    def make_check(self, method: str, metadata: Any) -> Callable[[], None]:  # noqa: ANN401
        """What a stream asks with each message; raises AccessError once its token allows no more.

        It is cheap as long as the tokens are the same.
        """
        tokens, seen = self._tokens, None

        def check() -> None:
            nonlocal seen
            if tokens is not None and (holders := tokens.get()) is not seen:
                check_access(holders, method, metadata)
                seen = holders

        return check

    def place(self, method: str, peer: str) -> AbstractContextManager[None]:
        """A stream's place while the block runs; raises BusyError if there is none left."""
        limit = self._open_streams if role_of(method) is None else self._streams
        return limit.place(peer)
