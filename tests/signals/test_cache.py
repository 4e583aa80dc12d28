import os
from pathlib import Path

import numpy as np
import pytest

from wearcast.signals.cache import default_cache, load_bearing
from wearcast.signals.errors import InputError
from wearcast.signals.femto import read_bearing, write_snapshot
from wearcast.signals.recording import Recording

START_US = 1_325_410_779_065_664


@pytest.fixture
def bearing(tmp_path: Path) -> Path:
    folder = tmp_path / "Bearing1_9"
    folder.mkdir()
    for number in range(3):
        values = np.random.RandomState(number).uniform(-1, 1, (2, 2560)).astype(np.float32)
        path = folder / f"acc_{number + 1:05d}.csv"
        write_snapshot(path, START_US + number * 10_000_000, values)
    (folder / "acc_00004.csv").write_text("9,39,39,65664,0.5,0.5\n")
    return folder


def assert_equal(one: Recording, other: Recording) -> None:
    assert (one.name, one.sample_rate_hz, one.skipped) == (
        other.name,
        other.sample_rate_hz,
        other.skipped,
    )
    for field in ("numbers", "starts_us", "values"):
        mine, its = getattr(one, field), getattr(other, field)
        assert mine.dtype == its.dtype
        np.testing.assert_array_equal(mine, its)


def load(bearing: Path, cache: Path) -> tuple[Recording, int]:
    """The recording, and how many files were parsed for it."""
    parsed: list[int] = []
    recording = load_bearing(bearing, cache, progress=lambda done, _: parsed.append(done))
    return recording, len(parsed)


def test_a_second_load_parses_nothing(bearing: Path, tmp_path: Path) -> None:
    first, parsed = load(bearing, tmp_path / "cache")
    assert parsed == 3
    second, parsed = load(bearing, tmp_path / "cache")
    assert parsed == 0
    assert_equal(first, second)
    assert_equal(first, read_bearing(bearing))
    assert first.skipped == ("acc_00004.csv: rows: expected 2560, got 1",)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_changed_file_is_parsed_again(bearing: Path, tmp_path: Path) -> None:
    load(bearing, tmp_path / "cache")
    write_snapshot(bearing / "acc_00002.csv", START_US, np.ones((2, 2560), np.float32))
    changed, parsed = load(bearing, tmp_path / "cache")
    assert parsed == 3
    assert_equal(changed, read_bearing(bearing))


def test_a_touched_a_new_and_a_removed_file_count_as_changes(bearing: Path, tmp_path: Path) -> None:
    load(bearing, tmp_path / "cache")
    os.utime(bearing / "acc_00001.csv", ns=(0, 0))
    assert load(bearing, tmp_path / "cache")[1] == 3
    write_snapshot(bearing / "acc_00005.csv", START_US, np.ones((2, 2560), np.float32))
    assert load(bearing, tmp_path / "cache")[1] == 4
    (bearing / "acc_00001.csv").unlink()
    assert load(bearing, tmp_path / "cache")[1] == 3


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, -1])
def test_a_damaged_entry_is_made_anew(bearing: Path, tmp_path: Path, keep: float) -> None:
    whole, _ = load(bearing, tmp_path / "cache")
    (entry,) = (tmp_path / "cache").iterdir()
    content = entry.read_bytes()
    size = int(len(content) * keep) if isinstance(keep, float) else keep
    entry.write_bytes(content[:size])
    again, parsed = load(bearing, tmp_path / "cache")
    assert parsed == 3
    assert_equal(again, whole)
    assert load(bearing, tmp_path / "cache")[1] == 0


def test_flipped_bytes_are_noticed(bearing: Path, tmp_path: Path) -> None:
    whole, _ = load(bearing, tmp_path / "cache")
    (entry,) = (tmp_path / "cache").iterdir()
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 255
    entry.write_bytes(content)
    again, parsed = load(bearing, tmp_path / "cache")
    assert parsed == 3
    assert_equal(again, whole)


def test_a_foreign_pickle_is_not_run(bearing: Path, tmp_path: Path) -> None:
    load(bearing, tmp_path / "cache")
    (entry,) = (tmp_path / "cache").iterdir()
    with entry.open("wb") as file:
        np.savez(file, values=np.array([{"a": 1}], dtype=object), sample_rate_hz=1.0)
    assert load(bearing, tmp_path / "cache")[1] == 3


def test_nothing_is_cached_of_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a bearing folder"):
        load_bearing(tmp_path, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_the_cache_lies_where_the_user_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "wearcast"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache() == tmp_path / ".cache" / "wearcast"
