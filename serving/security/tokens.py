"""Bearer tokens: the file says who holds one and may do what, and of the token only the hash.

A token is 32 random bytes, so one round of SHA-256 is enough: there is nothing to guess.
"""

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wearcast.serving.security.roles import ROLES, Role
from wearcast.serving.security.watched import Watched
from wearcast.signals.errors import InputError

FIELD = "tokens"
_NAME = re.compile("[A-Za-z0-9_-]{1,100}")
_HASH = re.compile("[0-9a-f]{64}")
_KEYS = {"sha256", "roles"}


class Holder(NamedTuple):
    """Who holds a token. sha256: of the token, in hexadecimal."""

    name: str
    sha256: str
    roles: frozenset[Role]


Holders = tuple[Holder, ...]


def make_token() -> str:
    """A new token, 43 characters that need no quotes anywhere."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """What the file holds of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def format_holder(name: str, token: str, roles: Iterable[Role]) -> str:
    """The line of the file.

    >>> print(format_holder("plant-7", "secret", ["ingest"])[:36])
    plant-7 = { sha256 = "2bb80d537b1da3

    Raises:
        InputError: the name holds other than letters, digits, - and _.
    """
    if not _NAME.fullmatch(name):
        raise InputError("name", "1 to 100 letters, digits, - and _", repr(name))
    texts = ", ".join(f'"{role}"' for role in roles)
    return f'{name} = {{ sha256 = "{hash_token(token)}", roles = [{texts}] }}'


def watch_tokens(path: Path) -> Watched[Holders]:
    """The holders that a file names, read again when it changes.

    Raises:
        InputError: it can't be read, or is not as it should be.
    """
    return Watched({FIELD: path}, lambda contents: read_holders(contents[FIELD]))


def read_holders(content: bytes) -> Holders:
    """The holders in a file of lines `NAME = { sha256 = "...", roles = ["infer"] }`; none is fine.

    Raises:
        InputError: it is no TOML, or a line is not as it should be.
    """
    try:
        table = tomllib.loads(content.decode())
    except ValueError as error:  # of TOML and of UTF-8
        raise InputError(FIELD, "TOML", error) from error
    holders = tuple(_read_holder(name, entry) for name, entry in table.items())
    if len({holder.sha256 for holder in holders}) < len(holders):
        raise InputError(FIELD, "a token of its own each", "one hash twice")
    return holders


def _read_holder(name: str, entry: Any) -> Holder:  # noqa: ANN401
    field = f"{FIELD}.{name}"
    if not isinstance(entry, dict) or set(entry) != _KEYS:
        got = ", ".join(sorted(entry)) if isinstance(entry, dict) else type(entry).__name__
        raise InputError(field, "sha256 and roles", got or "nothing")
    digest, roles = entry["sha256"], entry["roles"]
    if not isinstance(digest, str) or not _HASH.fullmatch(digest):
        # Not what is there: somebody may have written the token itself.
        raise InputError(f"{field}.sha256", "64 digits 0 to 9, a to f", "something else")
    known = isinstance(roles, list) and roles and all(role in ROLES for role in roles)
    if not known:
        raise InputError(f"{field}.roles", f"some of {', '.join(ROLES)}", roles)
    return Holder(name, digest, frozenset(roles))


def find_holder(holders: Sequence[Holder], token: str) -> Holder | None:
    """Who holds a token; takes as long for every token."""
    got = hash_token(token)
    found = None
    for holder in holders:
        if hmac.compare_digest(holder.sha256, got):
            found = holder
    return found
