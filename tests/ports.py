"""A port that stays a test's own while servers on it go and come back."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"


@contextmanager
def held_port() -> Iterator[int]:
    """A port that the kernel gives to nobody else while the block runs, also while none listens.

    A port that was found free is given away again as soon as it is closed, even to the client that
    tries to reach it. This one is bound all the time and never listens: who asks for it by number
    and with SO_REUSEADDR, as servers do, gets it, and a client is refused while there is none.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, 0))
        yield holder.getsockname()[1]
