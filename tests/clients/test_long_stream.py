"""A stream of more than 400 real snapshots: the last ones count as much as the first."""

import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from running import RunningServer

from wearcast.clients import Client
from wearcast.clients.folder import Replay
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block

ARCHIVE = Path(__file__).parents[3] / "shared/data/femto/Test_set/Bearing1_4.tar.xz"
BLOCKS = 405


@pytest.fixture(scope="module")
def real_bearing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not ARCHIVE.exists():
        pytest.skip(f"no real data: {ARCHIVE} is absent")
    folder = tmp_path_factory.mktemp("real")
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            name = Path(member.name).name
            if name.startswith("acc_") and int(name[4:9]) <= BLOCKS:
                archive.extract(member, folder, filter="data")
    return next(folder.rglob("acc_00001.csv")).parent


class Doubled(Replay):
    """A replay in which one block is twice as strong."""

    def __init__(self, folder: Path, number: int) -> None:
        super().__init__(folder, speed=0)
        self._number = number

    def blocks(self, from_sequence: int) -> Iterator[Block | None]:
        for block in super().blocks(from_sequence):
            changed = block is not None and block.sequence == self._number
            yield replace(block, values=block.values * np.float32(2)) if changed else block


def test_block_401_still_changes_the_answer(real_bearing: Path, server: RunningServer) -> None:
    def stream(source: Replay, asset: str) -> list[float]:
        with Client(server.address) as client:
            events = client.monitor(source, asset=asset, model="bearing-rul")
            estimates = [event for event in events if isinstance(event, Estimate)]
        assert [estimate.sequence for estimate in estimates] == [*range(2, BLOCKS)]
        return [estimate.remaining_life.life_fraction for estimate in estimates]

    fractions = stream(Replay(real_bearing, speed=0), "as recorded")
    doubled = stream(Doubled(real_bearing, 401), "block 401 doubled")
    # Estimates start at block 2, and the windows of blocks 401, 402 and 403 hold block 401.
    differ = [number + 2 for number in np.flatnonzero(np.array(fractions) != np.array(doubled))]
    assert differ == [401, 402, 403]
