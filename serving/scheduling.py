"""What the operating system is told about our threads, so that they do not get in each other's way.

Only Linux has priorities of threads; where one can't be set all goes on as it is.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

# Chosen: a third of the processor's time beside the event loop, where there is not enough for both.
_NICENESS = 5


def stand_back() -> None:
    """Let the event loop have its turn before this thread: it is short, and feeds all others."""
    if sys.platform != "linux":
        return
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        niceness = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, niceness + _NICENESS)


@contextlib.contextmanager
def interrupting_nobody() -> Iterator[None]:
    """Let Python's threads that start while the block runs stop no other when they wake up.

    For the one of gRPC that waits for what happens, which has microseconds of work a few times a
    call. It would stop a worker each time, and wake the event loop for each thing alone; so it
    hands on what has gathered once a core is free, or some milliseconds later when its turn comes.
    """
    before = set(threading.enumerate())
    yield
    if sys.platform != "linux":
        return
    for thread in set(threading.enumerate()) - before:
        if thread.native_id is not None:
            with contextlib.suppress(OSError):
                os.sched_setscheduler(thread.native_id, os.SCHED_BATCH, os.sched_param(0))
