from pathlib import Path

import pytest
from program import write_snapshot

from wearcast.signals.errors import InputError
from wearcast.training.rul.bearings import choose_bearings, load_bearings


def test_a_recording_with_a_gap_is_refused(tmp_path: Path) -> None:
    for number in range(1, 6):
        write_snapshot(
            tmp_path / "Learning_set" / "Bearing1_1", number, rows=7 if number == 3 else 2560
        )
    paths = choose_bearings(tmp_path)
    assert list(paths) == ["Bearing1_1"]
    with pytest.raises(InputError, match=r"Bearing1_1: .*gaps: acc_00003.csv: rows: expected 2560"):
        load_bearings(paths, tmp_path / "cache")
