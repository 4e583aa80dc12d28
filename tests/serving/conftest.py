from collections.abc import Iterator

import grpc
import pytest
from running import RunningServer


@pytest.fixture
def channel(tiny_server: RunningServer) -> Iterator[grpc.Channel]:
    """A connection to the server that all tests share."""
    with grpc.insecure_channel(tiny_server.address) as channel:
        yield channel
