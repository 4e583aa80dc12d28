"""What Linux knows about the threads of a server that answers."""

import os
import sys
from pathlib import Path

import pytest
from running import RunningServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such threads")


def test_threads_do_not_get_in_each_others_way(tiny_server: RunningServer) -> None:
    server = tiny_server.process.pid
    threads = [int(path.name) for path in Path(f"/proc/{server}/task").iterdir()]
    batch = [thread for thread in threads if os.sched_getscheduler(thread) == os.SCHED_BATCH]
    assert len(batch) == 1  # in which gRPC waits for what happens
    assert server not in batch

    usual = os.getpriority(os.PRIO_PROCESS, server)
    lower = [thread for thread in threads if os.getpriority(os.PRIO_PROCESS, thread) > usual]
    assert lower
    assert set(lower).isdisjoint(batch)
