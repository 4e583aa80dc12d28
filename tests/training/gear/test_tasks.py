import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from gear_files import LOADS, SPEEDS, make_sensors, write_gear

from wearcast.clients.cli.evaluate_gear import gear
from wearcast.signals.errors import InputError
from wearcast.signals.vibration.vibration import Vibration
from wearcast.training.gear.examples import SPEED_AND_LOAD, WINDOW, cut_examples, read_rigs
from wearcast.training.gear.tasks import SAME, evaluate_tasks, list_splits, split_in_time
from wearcast.training.gear.ways import _levels, _shapes, list_classifiers, list_regressors

FAULTS = ("missing tooth", "no fault")
# One window to learn from, one between, and at least one to test.
SAMPLES = 6 * WINDOW


def make_vibration(fault: str, speed: float, load: float, seed: int) -> Vibration:
    """A tone for speed and load; a missing tooth makes sensor 1 strike once a revolution."""
    values = make_sensors(SAMPLES, speed, load, seed).T
    if fault == "missing tooth":
        after_s = np.arange(SAMPLES) / 5_000 % (1 / speed)
        values[0] += 0.1 * np.exp(-after_s * 900) * np.sin(2 * np.pi * 1_900 * after_s)
    return Vibration(
        name=f"rig/{fault}-{speed:g}-{load:g}",
        channels=("sensor1", "sensor2"),
        units=("V", "V"),
        sample_rate_hz=5_000.0,
        values=values.astype(np.float32),
        fault=fault,
        conditions={
            "speed": f"{speed:g}",
            "load": f"{load:g}",
            "unit": "rig",
            SPEED_AND_LOAD: f"{speed:g}, {load:g}",
        },
    )


VIBRATIONS = [
    make_vibration(fault, speed, load, seed)
    for seed, (fault, speed, load) in enumerate(
        (fault, speed, load) for fault in FAULTS for speed in SPEEDS for load in LOADS
    )
]


def test_windows_are_pieces_of_their_recording():
    examples = cut_examples(VIBRATIONS, FAULTS)
    assert examples.values.shape[1:] == (2, WINDOW)
    count = len(examples) // len(VIBRATIONS)
    for row in (0, 1, count, len(examples) - 1):
        number, place = divmod(row, count)
        start = place * WINDOW // 2
        of = VIBRATIONS[number]
        np.testing.assert_array_equal(examples.values[row], of.values[:, start : start + WINDOW])
        assert examples.recordings[row] == number
        assert FAULTS[examples.faults[row]] == of.fault
        assert (examples.speeds[row], examples.loads[row]) == (
            float(of.conditions["speed"]), float(of.conditions["load"]),
        )  # fmt: skip


def test_a_split_in_time_leaves_a_window_out_between():
    numbered = [
        replace(item, values=np.arange(2 * SAMPLES, dtype=np.float32).reshape(2, SAMPLES))
        for item in VIBRATIONS
    ]
    split = split_in_time(numbered)
    for before, after in zip(split.training, split.test, strict=True):
        assert after.values[0, 0] - before.values[0, -1] == WINDOW + 1
        assert after.values[0, -1] == SAMPLES - 1
    with pytest.raises(InputError, match=f"samples of rig/.*: expected {5 * WINDOW} or more"):
        split_in_time([replace(VIBRATIONS[0], values=VIBRATIONS[0].values[:, : 3 * WINDOW])])


def test_nothing_that_is_held_out_is_learned_from():
    splits, left_out = list_splits(VIBRATIONS)
    assert list(splits) == [SAME, "speed", "load", SPEED_AND_LOAD]
    assert [len(folds) for folds in splits.values()] == [1, 3, 2, 6]
    assert left_out == {
        "unit held out": "unit: expected two values or more to hold one out, got rig"
    }
    for condition in ("speed", "load", SPEED_AND_LOAD):
        tested = []
        for split in splits[condition]:
            assert {item.conditions[condition] for item in split.test} == {split.held_out}
            assert split.held_out not in {item.conditions[condition] for item in split.training}
            tested += [item.name for item in split.test]
        assert sorted(tested) == sorted(item.name for item in VIBRATIONS)


@pytest.fixture(scope="module")
def evaluated():
    """What comes of all ways, and how often what they look at was computed."""
    caches = {"shapes": _shapes, "levels": _levels}
    for cache in caches.values():
        cache.cache_clear()
    results = evaluate_tasks(VIBRATIONS, list_classifiers(), list_regressors())
    return results, {name: cache.cache_info().misses for name, cache in caches.items()}


def test_what_is_there_to_be_learned_is_learned_beyond_the_trivial(evaluated):
    results, _ = evaluated
    classes = {item.held_out: item for item in results.classes}
    for name in ("logistic", "forest", "orders"):
        assert classes[SAME].ways[name].macro_f1 > 0.9
    for item in classes.values():
        assert item.ways["majority"].macro_f1 == pytest.approx(1 / 3)
        assert item.ways["orders"].macro_f1 > 0.45
    numbers = {(item.target, item.held_out): item.ways for item in results.numbers}
    assert set(numbers) == {
        ("speed", SAME), ("load", SAME), ("speed", "load"), ("load", "speed"),
        ("speed", "speed"), ("speed", SPEED_AND_LOAD), ("load", SPEED_AND_LOAD),
    }  # fmt: skip
    assert numbers["load", SAME]["ridge"].mae < 0.3 * numbers["load", SAME]["mean"].mae
    assert "load with load held out" in results.left_out
    # The mean of two loads is as far from either; each window is off by half their distance.
    assert numbers["load", "speed"]["mean"] == (40.0, 40.0)


def test_what_several_ways_look_at_is_computed_once(evaluated):
    got, computed = evaluated
    folds = {item.held_out: len(item.values) for item in got.classes}
    # Logistic and forest, and ridge and forest; of each fold what teaches and what is tested.
    assert computed["shapes"] == 2 * sum(folds.values())
    asked = [folds[item.held_out] for item in got.numbers]
    assert computed["levels"] <= 2 * sum(asked)


def test_a_shaft_that_stands_has_no_orders(tmp_path: Path):
    write_gear(tmp_path / "no_fault.csv", rows=5 * WINDOW, speeds=(0.0,), loads=(0.0,), seed=1)
    with pytest.raises(InputError, match=r"speed of .*no_fault-0-0: expected over 0, got 0"):
        read_rigs([tmp_path])


def test_each_way_answers_the_same_windows_and_sees_no_tested_one():
    seen = []

    def spy(examples, faults):
        taught = set(examples.recordings.tolist())

        def answer(others):
            seen.append((taught, len(others)))
            assert (
                not (examples.values[:, None, 0, :4] == others.values[None, :, 0, :4]).all(-1).any()
            )
            return np.full((len(others), faults), 1 / faults)

        return answer

    got = evaluate_tasks(VIBRATIONS, {"spy": spy}, {})
    assert len(seen) == 1 + 3 + 2 + 6
    assert [item.ways["spy"].windows for item in got.classes] == [
        sum(count for _, count in part) for part in (seen[:1], seen[1:4], seen[4:6], seen[6:])
    ]


def test_one_fault_is_no_choice():
    with pytest.raises(InputError, match="data: expected recordings of two faults or more"):
        evaluate_tasks(VIBRATIONS[:6], {}, {})


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rigs") / "rig"
    write_gear(folder / "no_fault.csv", rows=SAMPLES, speeds=SPEEDS[:2], seed=1)
    write_gear(
        folder / "root_crack.csv", fault="root crack", rows=SAMPLES, speeds=SPEEDS[:2], seed=9
    )
    return folder


def test_the_verb_writes_its_tables(rig: Path, tmp_path: Path):
    out = tmp_path / "table.md"
    arguments = ["--data", str(rig), "--out", str(out), "--note", "made up", "--json"]
    result = CliRunner().invoke(gear, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    table = out.read_text()
    for words in (
        "# gear, rig", "made up", "8 recordings", "| majority |", "| speed | rev/s | load |",
        "| load | % | speed |", "no fault", "root crack", "Left out: unit held out",
    ):  # fmt: skip
        assert words in table
    facts = json.loads(result.output)
    held_out = [item["held_out"] for item in facts["classes"]]
    assert held_out == [SAME, "speed", "load", SPEED_AND_LOAD]
    for item in facts["classes"]:
        for name, figures in item["ways"].items():
            assert f"{figures['macro_f1']:.3f} ({figures['accuracy']:.3f})" in table, name
    assert facts["note"] == "made up"


def test_rigs_are_told_apart_and_held_out(rig: Path, tmp_path: Path):
    other = tmp_path / "other"
    for path in rig.glob("*.csv"):
        other.mkdir(exist_ok=True)
        (other / path.name).write_text(path.read_text())
    vibrations = read_rigs([rig, other])
    assert len({item.name for item in vibrations}) == 16
    splits, _ = list_splits(vibrations)
    assert [split.held_out for split in splits["unit"]] == ["other", "rig"]
    with pytest.raises(InputError, match="data: expected folders of different names, got rig, rig"):
        read_rigs([rig, rig])
    with pytest.raises(InputError, match=r"expected gear files, \*\.csv, got none"):
        read_rigs([tmp_path])
