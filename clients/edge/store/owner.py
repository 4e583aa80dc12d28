"""One service a store: a lock that ends with the process that holds it, whatever ends that."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wearcast.signals.errors import InputError, StoreError


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Hold a store as its service; `reopen_store` and SQLite programs are not kept out.

    The lock is of a file of its own beside it, PATH-lock: closing a file of SQLite's would end the
    locks that SQLite itself has on it.

    Raises:
        InputError: another service holds it.
        StoreError: the lock can't be made now.
    """
    lock = path.with_name(f"{path.name}-lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    except OSError as error:
        raise StoreError(f"store: {lock}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            expected = "a store that no other service keeps"
            raise InputError("store.path", expected, f"{path}: one runs on it") from error
        yield
