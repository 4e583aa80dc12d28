"""One service a store: a lock that ends with the process that holds it, whatever ends that."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wearcast.signals.errors import InputError, StoreError


@contextmanager
def owned(path: Path, field: str) -> Iterator[None]:
    """Hold a store as its service; others that only read or write the file are not kept out.

    The lock is of a file of its own beside it, PATH-lock: closing a file of SQLite's would end the
    locks that SQLite itself has on it. A link to a store is that store. field: the setting that
    names it, for errors.

    Raises:
        InputError: another service holds it, or there is no such folder.
        StoreError: the lock can't be made now.
    """
    path = path.resolve()
    lock = path.with_name(f"{path.name}-lock")
    try:
        file = lock.open("a")
    except FileNotFoundError as error:
        raise InputError(field, "a file in a folder that is there", path) from error
    except OSError as error:
        raise StoreError(f"store: {lock}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            expected = "a store that no other service keeps"
            raise InputError(field, expected, f"{path}: one runs on it") from error
        except OSError as error:  # a file system without locks
            raise StoreError(f"store: {lock}: {error.strerror}") from error
        yield
