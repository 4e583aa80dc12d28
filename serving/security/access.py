"""Whether a call may be made: by the token in its metadata, `authorization: Bearer TOKEN`."""

from collections.abc import Iterable, Sequence

from wearcast.serving.security.roles import Role
from wearcast.serving.security.tokens import Holder, find_holder
from wearcast.signals.errors import AccessError

_KEY = "authorization"
_SCHEME = "bearer"


def find_caller(holders: Sequence[Holder], metadata: Iterable[tuple[str, str | bytes]]) -> Holder:
    """Who holds the token of a call.

    Raises:
        AccessError: it has no token, or an unknown one.
    """
    holder = find_holder(holders, _find_token(metadata))
    if holder is None:
        raise AccessError(_KEY, "a token that this server knows", "another")
    return holder


def check_role(holder: Holder, role: Role, method: str) -> None:
    """Let a call pass whose token has the role that its method needs.

    Raises:
        AccessError: it has other roles.
    """
    if role not in holder.roles:
        got = ", ".join(sorted(holder.roles))
        raise AccessError(
            _KEY,
            f"role {role} for {method}",
            f"{holder.name} with {got}",
            reason="ROLE",
            status="PERMISSION_DENIED",
        )


def _find_token(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    values = [str(value) for key, value in metadata if key == _KEY]
    if len(values) != 1:
        raise AccessError(_KEY, "Bearer TOKEN", f"{len(values)} of them" if values else "none")
    scheme, _, token = values[0].partition(" ")
    if scheme.lower() != _SCHEME or not token:
        raise AccessError(_KEY, "Bearer TOKEN", "something else")
    return token
