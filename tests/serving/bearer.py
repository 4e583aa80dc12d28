"""Calls with tokens, made of bare bytes: methods of any service, those too that nobody has."""

from collections.abc import Sequence
from pathlib import Path

import grpc
from wire import TIMEOUT_S, Failure, failure

from wearcast.serving.security.tokens import format_holder, make_token

NOBODY = ("/wearcast.v1.MachineHealthService/Nothing", "/what.nobody/HasListed")


class TokenFile:
    """A server's file of tokens, and the tokens themselves, by name."""

    def __init__(self, path: Path, **roles: Sequence[str]) -> None:
        self.path = path
        self._tokens = {name: make_token() for name in roles}
        self.write(**roles)

    def __getitem__(self, name: str) -> str:
        return self._tokens[name]

    def write(self, **roles: Sequence[str]) -> None:
        """Say who may do what from now on."""
        lines = [format_holder(name, self._tokens[name], given) for name, given in roles.items()]
        new = self.path.with_suffix(".new")
        new.write_text("\n".join(lines))
        new.replace(self.path)

    def header(self, name: str) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self[name]}"),)


def call(
    channel: grpc.Channel,
    method: str,
    metadata: Sequence[tuple[str, str]] = (),
    request: bytes = b"",
) -> Failure | None:
    """How a call of any kind with one message ends; None: well."""
    responses = channel.stream_stream(method)(iter([request]), metadata=metadata, timeout=TIMEOUT_S)
    try:
        next(responses, None)  # more would wait for a Watch to end
        responses.cancel()
    except grpc.RpcError as error:
        return failure(error)
    return None
